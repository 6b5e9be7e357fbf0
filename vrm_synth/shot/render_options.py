"""The options of one picture: their names, types, defaults and meanings, for compose_shot and Renderer.render alike.

To add an option, add it to RenderOptions and DEFAULTS, and read it in compose.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, cast, get_type_hints

from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.pose.pose_library import Pose
from vrm_synth.render.base import Antialias
from vrm_synth.stage.light_types import Ambient, Light

Lights = str | Light | tuple[Light | None, Ambient | None]
LookAtTarget = Literal["camera"] | LookAtAngles | Sequence[float]
F = TypeVar("F", bound=Callable[..., Any])


class RenderOptions(TypedDict, total=False):
    """Keyword arguments of Renderer.render, each of them optional.

    pose: a name of `vrm-synth poses list`, a pose file, or a Pose.
    expressions: VRM 1.0 name, or an avatar's own → weight, 0 to 1.
    look_at: "camera", LookAtAngles in degrees, or a world point (3,) in metres; None leaves the eyes as posed.
    view: a name of `vrm-synth cameras list`, "full_front_level" where no camera is given either.
    camera: from frame_body, or made by hand; world frame, metres.
    size: pixels of a square's side, or (width, height).
    lights: a setup ("front", "side", "top", "flat"), a Light, or (Light, Ambient), each of them or None.
    background: a name, "#rrggbb", (r, g, b) or (r, g, b, a) in 0..1 straight sRGB; None or "transparent" for none.
    settle_seconds: how long hair and skirts swing before the picture; None leaves them at rest.
    wind: (3,) a steady push on them, world axes, in the unit of gravityPower; needs settle_seconds.
    time: seconds of UV animation.
    outlines: draw those that materials ask for.
    supersample: n × n samples a pixel, 1 to 8.
    antialias: "supersample", "multisample" or "auto".
    mipmaps: filter textures that are seen small.
    """

    pose: str | Path | Pose
    expressions: Mapping[str, float] | None
    look_at: LookAtTarget | None
    view: str | None
    camera: Camera | None
    size: int | tuple[int, int]
    lights: Lights
    background: str | Sequence[float] | None
    settle_seconds: float | None
    wind: Sequence[float] | None
    time: float
    outlines: bool
    supersample: int
    antialias: Antialias
    mipmaps: bool


DEFAULTS: RenderOptions = {
    "pose": "stand",
    "expressions": None,
    "look_at": None,
    "view": None,
    "camera": None,
    "size": 512,
    "lights": "front",
    "background": "white",
    "settle_seconds": None,
    "wind": None,
    "time": 0.0,
    "outlines": True,
    "supersample": 2,
    "antialias": "supersample",
    "mipmaps": True,
}


def with_defaults(options: RenderOptions) -> RenderOptions:
    """The options with every one of them present. Raises ShotError for a key that is none."""
    for key in options:
        if key not in DEFAULTS:
            raise ShotError(f"unknown argument{did_you_mean(key, DEFAULTS)}", got=key, allowed=", ".join(DEFAULTS))
    return cast(RenderOptions, {**DEFAULTS, **options})


def takes_render_options(function: F) -> F:
    """Decorator of a function of `**options: Unpack[RenderOptions]`: help(), Tab and the reference show each option
    with its type, default and meaning, where inspect would show `**options` alone.

    The line "options: see RenderOptions." of the docstring becomes the documentation of each option.
    """
    signature = inspect.signature(function)
    types = get_type_hints(RenderOptions)
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[name])
        for name, default in DEFAULTS.items()
    ]
    others = [p for p in signature.parameters.values() if p.kind != inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=[*others, *keywords])  # type: ignore[attr-defined]
    if function.__doc__:  # None under python -OO
        _, _, meanings = (inspect.getdoc(RenderOptions) or "").partition("\n\n")
        function.__doc__ = inspect.cleandoc(function.__doc__).replace("options: see RenderOptions.", meanings)
    return function
