"""Signs and sizes of the head's angles and of the gaze."""

import numpy as np
import pytest

from tests.annotation.scene import avatar_of
from vrm_synth.annotation.head_pose import gaze, head_pose
from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, axes
from vrm_synth.core.transforms import quat_axis_angle, quat_mul
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.shot.body_parts import body_parts_of

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def camera(azimuth: float = 0.0, elevation: float = 0.0, roll: float = 0.0) -> Camera:
    _, up, back = axes(Aim(azimuth, elevation, roll))
    x, y, z = back * 3 + [0, 1.3, 0]
    return Camera((x, y, z), (0.0, 1.3, 0.0), tuple(up))


def angles(seen: Camera, head=None, **options) -> tuple[float, float, float]:
    avatar = avatar_of("demo")
    posed = evaluate(avatar, bones={} if head is None else {"head": tuple(head)}, **options)
    pose = head_pose(posed, body_parts_of(avatar), seen)
    return pose.yaw, pose.pitch, pose.roll


def test_a_face_toward_the_camera_is_zero():
    assert np.allclose(angles(camera()), 0, atol=1e-6)


def test_a_head_turned_to_its_left_has_positive_yaw():
    assert np.allclose(angles(camera(), quat_axis_angle(Y, np.radians(30))), (30, 0, 0), atol=1e-4)


def test_a_head_that_looks_down_has_positive_pitch():
    assert np.allclose(angles(camera(), quat_axis_angle(X, np.radians(20))), (0, 20, 0), atol=1e-4)


def test_a_head_that_tilts_clockwise_in_the_picture_has_positive_roll():
    assert np.allclose(angles(camera(), quat_axis_angle(Z, np.radians(-15))), (0, 0, 15), atol=1e-4)
    assert np.allclose(angles(camera(roll=15.0)), (0, 0, 15), atol=1e-4)  # Aim.roll: clockwise as seen in the picture


def test_what_counts_is_the_camera():
    assert np.allclose(angles(camera(azimuth=40.0)), (-40, 0, 0), atol=1e-4)
    assert np.allclose(angles(camera(elevation=25.0)), (0, 25, 0), atol=1e-4)  # from above a head looks down
    assert abs(angles(camera(azimuth=180.0))[0]) == pytest.approx(180)


def test_angles_compose_roll_first():
    turn = quat_mul(
        quat_axis_angle(Y, np.radians(30)),
        quat_mul(quat_axis_angle(X, np.radians(10)), quat_axis_angle(Z, np.radians(-20))),
    )
    assert np.allclose(angles(camera(), turn), (30, 10, 20), atol=1e-4)


def test_the_gaze_is_the_heads_and_the_eyes():
    avatar = avatar_of("demo")
    head = {"head": tuple(quat_axis_angle(Y, np.radians(30)))}
    look = gaze(evaluate(avatar, bones=head, look_at=LookAtAngles(-10.0, 5.0)), body_parts_of(avatar), camera())
    assert (look.yaw, look.pitch) == pytest.approx((20, 5), abs=1e-4)
    assert np.linalg.norm(look.direction) == pytest.approx(1) and look.direction[0] > 0 > look.direction[2]
    assert look.direction[1] > 0  # OpenCV's y points down, and so does the gaze


def test_a_gaze_at_the_camera_points_at_it():
    avatar = avatar_of("demo")
    seen = camera(azimuth=20.0)
    posed = evaluate(avatar, look_at=seen.position)
    look = gaze(posed, body_parts_of(avatar), seen)
    eyes = np.mean([posed.bone_positions()[e] for e in ("leftEye", "rightEye")], 0)
    view = seen.view_from_world()
    to_camera = -(view[:3, :3] @ eyes + view[:3, 3]) * [1, -1, -1]
    assert np.dot(look.direction, to_camera / np.linalg.norm(to_camera)) > np.cos(np.radians(2))
