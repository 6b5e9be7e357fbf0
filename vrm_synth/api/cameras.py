"""A camera that is fitted to a posed avatar."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.camera.camera import DEFAULT_FOV_Y, Camera
from vrm_synth.camera.framing import Aim
from vrm_synth.camera.views import find_crop
from vrm_synth.pose.pose_files import find_pose
from vrm_synth.pose.pose_library import Pose
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.vrm.avatar import Avatar


def frame_body(
    avatar: Avatar,
    pose: str | Path | Pose = "stand",
    *,
    crop: str = "full",
    azimuth: float = 0.0,
    elevation: float = 0.0,
    roll: float = 0.0,
    fov: float = DEFAULT_FOV_Y,
    aspect: float = 1.0,
    settle_seconds: float | None = None,
) -> Camera:
    """The nearest camera that shows a crop of the avatar in a pose, with the crop's margins around it.

    pose: a name of `vrm-synth poses list`, a pose file or a Pose. crop: a name of cameras/crops.yaml (face, bust,
    cowboy, full). azimuth: degrees, 0 in front of the face, + toward the avatar's left. elevation: degrees, + above.
    roll: degrees, + clockwise in the picture. fov: vertical field of view, degrees. aspect: width / height of the
    picture. settle_seconds: as for Renderer.render, where hair that has swung is to be framed.
    Raises RecipeError, which names the pose or crop that was probably meant, ShotError where it is too steep.
    """
    chosen = find_crop(crop)
    figure = pose_body(avatar, find_pose(pose), settle_seconds=settle_seconds)
    return figure.frame(chosen.down_to, Aim(azimuth, elevation, roll, fov), chosen.room(), aspect)
