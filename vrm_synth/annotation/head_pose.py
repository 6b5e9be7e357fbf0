"""Where the head and the eyes point, relative to the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import Array
from vrm_synth.core.vectors import Vec3
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES, BodyParts

GAZE_EXPRESSIONS = ("lookLeft", "lookRight", "lookUp", "lookDown")


@dataclass(frozen=True)
class HeadPose:
    """Rotation of the head relative to the camera's axes, degrees; all 0 where the face looks along the camera's +Z,
    straight out of the picture, upright.

    yaw: + toward the avatar's left, the right side of the picture, in −180..180.
    pitch: + down, in −90..90.
    roll: + clockwise as seen in the picture, in −180..180.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Gaze:
    """Where the eyes look.

    direction: unit vector, OpenCV's camera axes (x right, y down, z forward).
    yaw, pitch: the same in degrees, with HeadPose's signs: 0, 0 looks straight out of the picture.
    """

    direction: Vec3
    yaw: float
    pitch: float


def head_pose(posed: PosedAvatar, parts: BodyParts, camera: Camera) -> HeadPose | None:
    """The head's angles; None where its node is scaled to nothing. Order: roll first, then pitch, then yaw."""
    turn = _since_rest(posed, parts, "head", camera)
    if turn is None:
        return None
    yaw, pitch = _angles(turn[:, 2])
    # What yaw and pitch leave of the turn is about the line of sight; anti-clockwise is positive there.
    left = _rotation_y(np.radians(yaw)) @ _rotation_x(np.radians(pitch))
    rolled = left.T @ turn
    return HeadPose(yaw, pitch, float(-np.degrees(np.arctan2(rolled[1, 0], rolled[0, 0]))))


def gaze(posed: PosedAvatar, parts: BodyParts, camera: Camera) -> Gaze | None:
    """The gaze; None where nothing that is drawn moves the eyes.

    It is what the picture was asked for (PosedAvatar.look_at), within the angles at which the avatar's eyes stop
    turning; where the avatar has eye bones and no lookAt, it is where the bones point.
    """
    eyes = [e for e in ("leftEye", "rightEye") if e in posed.avatar.humanoid]
    turnable = [e for e in eyes if int(parts.of_bones(e).sum()) >= MIN_BONE_VERTICES]
    look_at, state = posed.avatar.look_at, posed.look_at
    if look_at is not None and state is not None:
        by_bones = look_at.type == "bone" and turnable
        by_expressions = look_at.type == "expression" and set(GAZE_EXPRESSIONS) <= posed.avatar.visible_expressions
        head = _since_rest(posed, parts, "head", camera)
        if head is None or not (by_bones or by_expressions):
            return None
        sideways = max(look_at.horizontal_inner.input_max_value, look_at.horizontal_outer.input_max_value)
        vertical = look_at.vertical_down if state.pitch > 0 else look_at.vertical_up
        yaw = float(np.clip(state.yaw, -sideways, sideways))
        pitch = float(np.clip(state.pitch, -vertical.input_max_value, vertical.input_max_value))
        return _gaze(head @ _rotation_y(np.radians(yaw)) @ _rotation_x(np.radians(pitch)) @ [0.0, 0.0, 1.0])
    turns = [t for t in (_since_rest(posed, parts, eye, camera) for eye in turnable) if t is not None]
    return _gaze(np.sum([t[:, 2] for t in turns], axis=0)) if turns else None


def _gaze(view: Array) -> Gaze | None:
    """view: (3,) direction in OpenGL's camera axes, of any length."""
    length = float(np.linalg.norm(view))
    if length < 1e-6:
        return None
    x, y, z = (float(v) for v in view / length)
    yaw, pitch = _angles(np.array([x, y, z]))
    return Gaze((x, -y, -z), yaw, pitch)


def _angles(direction: Array) -> tuple[float, float]:
    x, y, z = direction
    return float(np.degrees(np.arctan2(x, z))), float(np.degrees(np.arctan2(-y, np.hypot(x, z))))


def _since_rest(posed: PosedAvatar, parts: BodyParts, bone: str, camera: Camera) -> Array | None:
    """(3, 3) rotation of a bone since the rest pose, in OpenGL's camera axes; None where it has none."""
    now = posed.world_from_node[posed.avatar.humanoid[bone]][:3, :3]
    turn = camera.view_from_world()[:3, :3] @ now @ np.linalg.pinv(parts.axes[bone])
    u, sizes, v = np.linalg.svd(turn)
    return np.asarray(u @ v, np.float64) if sizes[-1] > 1e-6 and np.linalg.det(u @ v) > 0 else None


def _rotation_y(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rotation_x(angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
