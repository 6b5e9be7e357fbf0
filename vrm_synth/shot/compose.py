"""A shot from a pose, a view or a camera, and lights, with nothing left to chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Unpack

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.views import find_view
from vrm_synth.core.errors import ShotError
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.rng import rng
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.pose.pose_files import find_pose
from vrm_synth.pose.pose_library import Pose, Vec3, Vec4
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.check import whole
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.figure import Figure
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.shot.render_options import Lights, RenderOptions, takes_render_options, with_defaults
from vrm_synth.shot.shot import Shot
from vrm_synth.stage.backgrounds import background as named_background
from vrm_synth.stage.light_setups import light as named_lights
from vrm_synth.stage.light_types import Ambient, Light
from vrm_synth.vrm.avatar import Avatar

DEFAULT_VIEW = "full_front_level"


@takes_render_options
def compose_shot(avatar: Avatar, source: str, /, **options: Unpack[RenderOptions]) -> tuple[Shot, PosedAvatar | None]:
    """A shot, and the pose in which it was composed, None where a gaze is still to turn the eyes.

    source: what the shot calls its avatar.
    options: see RenderOptions.

    Raises RecipeError, ShotError; a misspelt name with the one probably meant.
    """
    o = with_defaults(options)
    view, camera, look_at, settle_seconds = o["view"], o["camera"], o["look_at"], o["settle_seconds"]
    width, height = _size(o["size"])
    named = find_pose(o["pose"])
    weights = _known_expressions(avatar, o["expressions"] or {})
    wind = None if o["wind"] is None else _vec3(o["wind"], "wind")
    body = pose_body(avatar, named, weights, settle_seconds, wind)
    if camera is None:
        v = find_view(view or DEFAULT_VIEW)
        azimuth = v.azimuth.degrees
        camera = body.frame(v.crop.down_to, v.aim(), v.crop.room(), width / height)
    elif view is not None:
        raise ShotError("both a view and a camera", got=view, allowed="one of them")
    else:
        azimuth = _azimuth(camera)
    key, fill = _lights(o["lights"], azimuth)
    target = camera.position if isinstance(look_at, str) else look_at
    if isinstance(look_at, str) and look_at != "camera":
        raise ShotError("not a gaze", got=look_at, allowed='"camera", LookAtAngles or a point', where="look_at")
    gaze = target if target is None or isinstance(target, LookAtAngles) else _vec3(target, "look_at")
    shot = Shot(
        id=f"{named.name or 'pose'}__{view or 'camera'}",
        figures=(Figure(source, body.bones, body.hips_offset, body.expressions, gaze, settle_seconds),),
        camera=camera,
        size=(width, height),
        wind=wind,
        light=key,
        ambient=fill,
        background=_background(o["background"]),
        outlines=o["outlines"],
        time=o["time"],
        supersample=o["supersample"],
        antialias=o["antialias"],
        mipmaps=o["mipmaps"],
    )
    return shot, body.posed if look_at is None else None


def preset_shot(
    avatar: Avatar,
    source: str,
    pose: str | Pose,
    view_name: str,
    *,
    size: tuple[int, int] = (512, 512),
    supersample: int = 2,
) -> Shot:
    """A pose, of the library's by name, in a named view, lit from the front on white, with nothing left to chance.

    Raises RecipeError for a name that poses/ or cameras/ lacks.
    """
    named = find_pose(pose)
    shot, _ = compose_shot(avatar, source, pose=named, view=view_name, size=size, supersample=supersample)
    return replace(shot, choices=Choices(pose=named.name, view=view_name))


def _size(value: int | tuple[int, int]) -> tuple[int, int]:
    width, height = value if isinstance(value, list | tuple) and len(value) == 2 else (value, value)
    return whole(width, "size", 1, MAX_IMAGE_SIDE), whole(height, "size", 1, MAX_IMAGE_SIDE)


def _known_expressions(avatar: Avatar, weights: Mapping[str, float]) -> Mapping[str, float]:
    for name in weights:
        if name not in avatar.expressions:
            message = f"the avatar has no such expression{did_you_mean(name, avatar.expressions)}"
            raise ShotError(message, got=name, allowed=", ".join(avatar.expressions) or "none")
    return weights


def _azimuth(camera: Camera) -> float:
    """Degrees around the target at which a camera stands; 0 in front, + toward the avatar's left."""
    (x, _, z), (cx, _, cz) = camera.position, camera.target
    return math.degrees(math.atan2(x - cx, z - cz))


def _lights(lights: Lights, azimuth: float) -> tuple[Light | None, Ambient | None]:
    if isinstance(lights, str):
        return named_lights(lights, azimuth, rng(0, "preset light"))
    return (lights, Ambient()) if isinstance(lights, Light) else lights


def _background(value: str | Sequence[float] | None) -> Vec4 | None:
    if value is None or isinstance(value, str):
        return None if value is None else named_background(value)
    if len(value) not in (3, 4):
        raise ShotError("not a colour", got=value, allowed="a name, #rrggbb, or (r, g, b[, a]) in 0..1")
    r, g, b, a = (*value, 1.0) if len(value) == 3 else value
    return r, g, b, a


def _vec3(value: Sequence[float], name: str) -> Vec3:
    if len(value) != 3:
        raise ShotError("not 3 numbers", got=value, allowed="(x, y, z)", where=name)
    x, y, z = value
    return float(x), float(y), float(z)
