"""docs/conventions.md: one known point for each of its statements about core, pose and camera."""

from __future__ import annotations

import numpy as np
import pytest

from tests.corpus import avatar_files, needs_corpus
from tests.pose.builders import avatar, node
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError, VrmSynthError
from vrm_synth.core.transforms import compose, direction_to_camera, quat_rotate, transform_points
from vrm_synth.pose.evaluate import LookAtAngles, evaluate
from vrm_synth.vrm.avatar import LookAt, RangeMap

R2 = np.sqrt(0.5)
FRONT, UP, AVATARS_LEFT = np.array([0, 0, 1.0]), np.array([0, 1.0, 0]), np.array([1.0, 0, 0])


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("path", avatar_files(), ids=lambda p: p.stem)
def test_world_every_avatar_stands_up_with_its_left_at_plus_x(path: object) -> None:
    from vrm_synth.vrm import load

    where = evaluate(load(path)).bone_positions()  # type: ignore[arg-type]
    left = where["leftUpperArm"] - where["rightUpperArm"]
    assert left @ AVATARS_LEFT > 0.5 * np.linalg.norm(left)
    assert (where["head"] - where["hips"]) @ UP > 0


def test_transforms_are_named_by_direction_and_act_on_column_vectors() -> None:
    world_from_node = compose((1, 2, 3), (0, 0, R2, R2), (2, 2, 2))  # a quarter turn about Z: x → y
    np.testing.assert_allclose(world_from_node @ [1, 0, 0, 1], [1, 4, 3, 1], atol=1e-15)


def test_quaternions_are_xyzw() -> None:
    np.testing.assert_allclose(quat_rotate((R2, 0, 0, R2), (0, 1, 0)), (0, 0, 1), atol=1e-15)


def arm() -> dict[str, object]:
    """Hips, upper arm and hand along +X, on the avatar's left."""
    nodes = [node("hips", -1, (0, 1, 0)), node("arm", 0, (0.2, 0.4, 0)), node("hand", 1, (0.5, 0, 0))]
    return {"nodes": nodes, "humanoid": {"hips": 0, "leftUpperArm": 1, "leftHand": 2}}


def test_a_pose_turns_about_the_worlds_axes_from_the_t_pose() -> None:
    posed = evaluate(avatar(**arm()), bones={"leftUpperArm": (0, 0, -R2, R2)})  # type: ignore[arg-type]
    np.testing.assert_allclose(posed.bone_positions()["leftHand"], (0.2, 0.9, 0), atol=1e-15)  # straight down


def test_a_shots_hips_offset_is_in_metres() -> None:
    posed = evaluate(avatar(**arm()), hips_offset=(0.1, -0.25, 0.3))  # type: ignore[arg-type]
    np.testing.assert_allclose(posed.bone_positions()["hips"], (0.1, 0.75, 0.3), atol=1e-15)


def test_camera_looks_along_its_minus_z() -> None:
    camera = Camera(position=(0, 0, 3), target=(0, 0, 0), fov_y=90)
    np.testing.assert_allclose(camera.view_from_world() @ [0, 0, 0, 1], [0, 0, -3, 1], atol=1e-15)


def test_fov_is_vertical_and_pixels_start_top_left() -> None:
    """The projection matrix and fx, fy, cx, cy give the same pixel."""
    camera = Camera(position=(0, 1, 3), target=(0, 1, 0), fov_y=90)
    width, height = 640, 480
    k = camera.intrinsics(width, height)
    assert (k["fx"], k["fy"], k["cx"], k["cy"]) == pytest.approx((240, 240, 320, 240))
    view = camera.view_from_world()
    for point, pixel in [((0, 1, 0), (320, 240)), ((0, 4, 0), (320, 0)), ((1.5, 1, 0), (440, 240))]:
        x, y, _, w = camera.clip_from_view(width, height) @ view @ [*point, 1]
        np.testing.assert_allclose(((x / w + 1) / 2 * width, (1 - y / w) / 2 * height), pixel, atol=1e-9)
        cx, cy, cz = transform_points(view, point)
        np.testing.assert_allclose((k["cx"] + k["fx"] * cx / -cz, k["cy"] - k["fy"] * cy / -cz), pixel, atol=1e-9)


def test_azimuth_and_elevation() -> None:
    np.testing.assert_allclose(direction_to_camera(0, 0), FRONT, atol=1e-15)
    np.testing.assert_allclose(direction_to_camera(90, 0), AVATARS_LEFT, atol=1e-15)
    np.testing.assert_allclose(direction_to_camera(0, 90), UP, atol=1e-15)
    np.testing.assert_allclose(direction_to_camera(180, 0), -FRONT, atol=1e-15)


@pytest.mark.parametrize(("yaw", "pitch", "toward"), [(90, 0, AVATARS_LEFT), (0, 90, -UP)])
def test_gaze_yaw_is_toward_the_avatars_left_and_pitch_is_down(yaw: float, pitch: float, toward: np.ndarray) -> None:
    full = RangeMap(90, 90)
    nodes = [node("hips", -1), node("head", 0), node("eye", 1), node("pupil", 2, FRONT)]
    eyed = avatar(
        nodes, {"hips": 0, "head": 1, "leftEye": 2}, look_at=LookAt("bone", (0, 0, 0), full, full, full, full)
    )
    posed = evaluate(eyed, look_at=LookAtAngles(yaw, pitch))
    np.testing.assert_allclose(posed.world_from_node[3][:3, 3], toward, atol=1e-15)
    assert posed.look_at is not None and (posed.look_at.yaw, posed.look_at.pitch) == (yaw, pitch)


def test_an_error_is_one_line_that_says_what_got_allowed_and_where() -> None:
    text = str(ShotError("bad\nthing", got="a\x1b[31m\nb", allowed="0..1", where="shot 3").at("shots.json"))
    assert text == "shots.json: shot 3: bad thing; got a [31m b; allowed: 0..1"
    assert isinstance(ShotError("x").at("y"), ShotError) and issubclass(ShotError, VrmSynthError)
