"""What a renderer is: a posed avatar and a view go in, a frame comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.stage.light import Ambient, Light

if TYPE_CHECKING:
    from PIL import Image

Compat = Literal["none", "three-vrm"]
Antialias = Literal["supersample", "multisample", "auto"]


@dataclass(frozen=True)
class View:
    """How to look at a posed avatar; the fields are the shots format's.

    size: (width, height) pixels; background: straight sRGB RGBA in 0..1 as wanted in the PNG, None is
    transparent; time: seconds of UV animation; supersample: n draws n × n samples a pixel, box filtered;
    antialias: whether each of those samples is shaded, which also smooths toon ramps and cut-outs ("supersample"), or
    edges alone get them ("multisample", n² of 2, 4, 8 or 16, where the driver has it). "auto": supersample on software
    drivers, where that is the cheaper one, multisample on GPUs, where it is not.
    compat: "three-vrm" draws the reference's way where it differs from the specification (docs/fidelity.md).
    """

    camera: Camera
    size: tuple[int, int]
    light: Light | None = field(default_factory=Light)
    ambient: Ambient | None = field(default_factory=Ambient)
    background: tuple[float, float, float, float] | None = None
    outlines: bool = True
    time: float = 0.0
    supersample: int = 1
    antialias: Antialias = "supersample"
    mipmaps: bool = True
    compat: Compat = "none"


RendererName = Literal["gl", "pyrender"]

Draw = tuple[str, str, Literal["surface", "outline"]]


@dataclass(frozen=True, eq=False)
class Frame:
    """rgba: (H, W, 4) uint8, sRGB, straight alpha, top row first; draw_order: (mesh, material, pass)."""

    rgba: NDArray[np.uint8]
    draw_order: tuple[Draw, ...] = ()

    @property
    def image(self) -> Image.Image:
        """The picture as Pillow has it, RGBA."""
        from PIL import Image

        return Image.fromarray(self.rgba, "RGBA")

    def __repr__(self) -> str:
        height, width, _ = self.rgba.shape
        return f"Frame({width}×{height})"


class Renderer(Protocol):
    """A backend. One context each; not shared between threads."""

    @property
    def device(self) -> str:
        """The driver's own name of what draws ("llvmpipe (LLVM 15…)")."""
        ...

    def render(self, posed: PosedAvatar, view: View) -> Frame:
        """Draw once. Raises RenderError."""
        ...

    def close(self) -> None:
        """Give the context back; the renderer is unusable afterwards."""
        ...
