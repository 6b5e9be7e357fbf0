"""Plan a shot from the shot itself: what its picture is to be described by, where no recipe drew it."""

from __future__ import annotations

import math

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, axes
from vrm_synth.pose.evaluate import evaluate, gaze_of
from vrm_synth.pose.pose_library import Pose
from vrm_synth.pose.springs import NO_WIND
from vrm_synth.shot.body_parts import body_parts_of, posed_vertices
from vrm_synth.shot.body_view import MAX_EYE_CONTACT_ANGLE, BodyView
from vrm_synth.shot.planner import PlannedShot
from vrm_synth.shot.shot import Shot
from vrm_synth.vrm.avatar import Avatar

SAME_GAZE = 0.01  # degrees between two gazes that are one
AVERTED = 20.0  # degrees between the gaze and the way to the camera from which on the eyes look away


def plan_of_shot(avatar: Avatar, shot: Shot, pose: Pose | None = None) -> PlannedShot:
    """The plan of a shot on its avatar: equal to plan_shot's where a recipe drew it, up to the aim's last digits.

    pose: with the phrases that may be said of it; None for none. Raises ShotError.
    """
    figure, parts = shot.figure, body_parts_of(avatar)
    posed = evaluate(
        avatar,
        bones=figure.bones,
        hips_offset=figure.hips_offset,
        expressions=figure.expressions,
        settle_seconds=figure.settle_seconds,
        wind=shot.wind or NO_WIND,
    )
    view = BodyView(parts, posed, posed_vertices(parts, posed), shot.camera, shot.size)
    same = posed if figure.look_at is None else None
    return PlannedShot(shot, same, view, pose or Pose(), aim_of(shot.camera), _gaze(avatar, shot, view))


def aim_of(camera: Camera) -> Aim:
    """Direction and field of view of a camera; straight above and below the azimuth is 0."""
    backward = np.subtract(camera.position, camera.target)
    backward = backward / np.linalg.norm(backward)
    elevation = math.degrees(math.asin(float(np.clip(backward[1], -1.0, 1.0))))
    azimuth = math.degrees(math.atan2(float(backward[0]), float(backward[2])))
    if abs(elevation) > 84.0:  # where no picture of a figure has an upright
        return Aim(azimuth, elevation, 0.0, camera.fov_y)
    level = axes(Aim(azimuth, elevation))
    up = np.asarray(camera.up, np.float64)
    roll = math.degrees(math.atan2(-float(up @ level[0]), float(up @ level[1])))
    return Aim(azimuth, elevation, roll, camera.fov_y)


def _gaze(avatar: Avatar, shot: Shot, view: BodyView) -> str:
    """ "viewer" where the eyes meet the camera, "away" where they look clearly elsewhere; else ""."""
    figure = shot.figure
    if figure.look_at is None or not view.face_in_picture or not view.gaze_is_visible:
        return ""
    own, camera = (
        gaze_of(avatar, bones=figure.bones, hips_offset=figure.hips_offset, look_at=at)
        for at in (figure.look_at, shot.camera.position)
    )
    if own is None or camera is None:
        return ""
    distance = math.hypot(own.yaw - camera.yaw, own.pitch - camera.pitch)
    if distance <= SAME_GAZE:
        return "viewer" if view.face_angle <= MAX_EYE_CONTACT_ANGLE else ""
    return "away" if distance >= AVERTED else ""
