"""Keypoints are where the surface is drawn, and are called visible exactly where they are."""

from dataclasses import replace

import numpy as np
import pytest

from tests.annotation.scene import SKINNED, Scene, avatar_of, draw, scene
from tests.corpus import needs_corpus
from vrm_synth.annotation.keypoint_names import BONE_OF_KEYPOINT, WHOLEBODY
from vrm_synth.annotation.keypoints import mirrored
from vrm_synth.annotation.landmarks import landmarks_of
from vrm_synth.camera.camera import Camera
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.pose.pose_files import find_pose
from vrm_synth.shot.posed_body import pose_body

VIEWS = [("stand", 0.0), ("peace", 40.0), ("sit_cross_legged", -75.0), ("run", 180.0)]


def drawn_around(s: Scene, pixel: np.ndarray) -> np.ndarray:
    """Depths of the 3 × 3 pixels around a point, its own first."""
    column, row = np.floor(pixel).astype(int)
    block = s.depth[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return np.append(s.depth[row, column], block)


def check_surface_points(s: Scene) -> int:
    """Assert each surface point's visibility against the z-buffer; the number of visible ones."""
    k, visible = s.annotation.keypoints, 0
    for name, pixel, camera, visibility in zip(k.names, k.pixels, k.camera, k.visibility, strict=True):
        if name in BONE_OF_KEYPOINT or visibility in ("outside", "unlabeled"):
            continue
        depths = drawn_around(s, pixel)
        if visibility == "visible":
            visible += 1
            assert np.abs(depths - camera[2]).min() <= 0.01, name
            assert depths[0] > camera[2] - 0.01, name
        else:
            assert abs(depths[0] - camera[2]) > 0.01, name
    return visible


def check_joints(s: Scene) -> int:
    """Assert each joint's visibility against the z-buffer; the number of visible ones."""
    surface, j, visible = landmarks_of(s.posed.avatar).surface, s.annotation.joints, 0
    for name, pixel, camera, visibility in zip(j.names, j.pixels, j.camera, j.visibility, strict=True):
        if visibility == "outside":
            continue
        column, row = np.floor(pixel).astype(int)
        triangle, front = s.triangle[row, column], camera[2] - s.depth[row, column]
        near = triangle >= 0 and surface.bone[triangle] >= 0 and surface.near[name][surface.bone[triangle]]
        assert (visibility == "visible") == bool(near and -0.01 <= front <= surface.radius[name]), name
        visible += visibility == "visible"
    return visible


@pytest.mark.parametrize(("pose", "azimuth"), VIEWS)
def test_what_is_called_visible_is_drawn(pose, azimuth):
    s = scene(pose=pose, azimuth=azimuth)
    assert check_surface_points(s) >= 4 and check_joints(s) >= 8


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("name", SKINNED)
def test_what_is_called_visible_is_drawn_on_shared_avatars(name):
    for azimuth in (0.0, 130.0):
        s = scene(name, "wave", azimuth=azimuth)
        check_surface_points(s)
        assert check_joints(s) >= 5


def test_a_face_in_front_is_visible_and_one_behind_is_not():
    for crop in ("face", "full"):
        face = [n for n in WHOLEBODY if n.startswith("face-")] + ["nose", "left_eye", "right_eye"]
        front = scene(crop=crop, size=(320, 320)).annotation.keypoints.select(face)
        assert front.visibility.count("visible") >= 60
        back = scene(crop=crop, azimuth=180.0).annotation.keypoints.select(face)
        assert set(back.visibility) == {"occluded"}


def test_limbs_are_on_their_sides_and_in_their_order():
    k = scene(pose="t_pose").annotation.keypoints
    at = dict(zip(k.names, k.pixels, strict=True))
    assert at["left_wrist"][0] > at["left_elbow"][0] > at["left_shoulder"][0] > at["right_shoulder"][0]
    assert at["left_wrist"][0] < at["left_middle_finger1"][0] < at["left_middle_finger4"][0]
    assert at["nose"][1] < at["left_shoulder"][1] < at["left_hip"][1] < at["left_knee"][1] < at["left_heel"][1]
    assert k.visibility[k.names.index("left_wrist")] == "visible"


def test_what_the_crop_cuts_is_outside():
    k = scene(crop="bust").annotation.keypoints
    feet = k.select(["left_ankle", "right_heel", "left_big_toe"])
    assert set(feet.visibility) == {"outside"} and not feet.coco().any()
    assert np.isfinite(feet.camera).all()  # where they are is known all the same


def test_what_the_avatar_lacks_is_unlabeled():
    avatar = avatar_of("demo")
    bones = {b: n for b, n in avatar.humanoid.items() if "Ring" not in b}
    s = draw(pose_body(replace(avatar, humanoid=bones), find_pose("stand")), scene().camera, scene().size)
    k = s.annotation.keypoints.select(["left_ring_finger1", "left_ring_finger4", "left_pinky_finger4"])
    assert k.visibility[:2] == ("unlabeled", "unlabeled") and k.visibility[2] != "unlabeled"
    assert np.isnan(k.pixels[:2]).all() and not k.coco()[:2].any()
    assert "left_ring_finger4" in s.annotation.missing


def test_every_unlabeled_point_has_a_reason():
    k = scene().annotation
    assert "unlabeled" not in k.keypoints.visibility and not k.missing


def test_mirroring_pose_and_camera_mirrors_the_names():
    s, size = scene(pose="wave", azimuth=25.0), (256, 320)
    body = pose_body(avatar_of("demo"), find_pose("wave").mirror())
    c = s.camera
    flipped = replace(c, position=flip(c.position), target=flip(c.target), up=flip(c.up))
    other = mirrored(draw(body, flipped, size).annotation.keypoints, size[0])
    ours = s.annotation.keypoints
    assert other.names == ours.names
    body_points = [n for n in WHOLEBODY if not n.startswith("face-")]
    a, b = ours.select(body_points), other.select(body_points)
    assert np.abs(a.pixels - b.pixels).max() < 1.0 and np.abs(a.camera - b.camera).max() < 0.005
    assert np.abs(ours.pixels - other.pixels).max() < 2.0
    same = np.mean([v == w for v, w in zip(ours.visibility, other.visibility, strict=True)])
    assert same > 0.9  # hair is not symmetric


def flip(v: tuple[float, float, float]) -> tuple[float, float, float]:
    return -v[0], v[1], v[2]


def test_the_axes_of_opengl_are_those_of_the_geometry_buffer():
    j = scene().annotation.joints
    view = scene().camera.view_from_world()
    assert np.allclose(j.camera_opengl, j.world @ view[:3, :3].T + view[:3, 3])


def test_an_orthographic_camera_is_annotated_too():
    s = scene()
    camera = Camera((0.0, 0.8, 3.0), (0.0, 0.8, 0.0), ortho_height=2.0)
    o = draw(s.body, camera, s.size)
    assert check_surface_points(o) >= 60 and check_joints(o) >= 20
    assert set(o.annotation.joints.names) <= set(BONE_NAMES)
