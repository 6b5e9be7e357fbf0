"""The interface of rendering backends: a posed avatar and a view go in, a frame comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.geometry_buffer import GeometryBuffer, GeometryField, VertexLabels, VisibleSurface
from vrm_synth.stage.light_types import Ambient, Light

if TYPE_CHECKING:
    from PIL import Image

Compat = Literal["none", "three-vrm"]
Antialias = Literal["supersample", "multisample", "auto"]


@dataclass(frozen=True)
class Buffers:
    """The buffers that a frame has beside its colours, which are the same with and without.

    surface: Frame.surface, how far away is what each pixel shows.
    vertex_labels: labels of the avatar's vertices, to be read with it; None for none.
    geometry: the fields of Frame.geometry beside those that it always has; None for no geometry buffer.
    depth_layers: number of Frame.layers.
    """

    surface: bool = False
    vertex_labels: VertexLabels | None = None
    geometry: frozenset[GeometryField] | None = None
    depth_layers: int = 0


NO_BUFFERS = Buffers()


@dataclass(frozen=True)
class View:
    """Settings for drawing a posed avatar; the fields are those of the shots format.

    camera: where it is seen from.
    size: (width, height) in pixels.
    light: the directional light, None for none.
    ambient: the ambient light, None for none.
    background: straight sRGB RGBA in 0..1, as the PNG shall have it; None is transparent.
    outlines: draw MToon's outlines.
    time: seconds of UV animation.
    supersample: n draws n × n samples a pixel, box filtered.
    antialias: "supersample" shades each of those samples, which also smooths toon ramps and cut-outs; "multisample"
        gives them to edges alone (n² of 2, 4, 8 or 16, where the driver has it); "auto" is supersample on software
        drivers, where that is the cheaper one, and multisample on GPUs, where it is not.
    mipmaps: False reads level 0 of every texture alone.
    compat: "three-vrm" draws the reference's way where it differs from the specification (docs/fidelity.md).
    buffers: what the frame has beside its colours.
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
    buffers: Buffers = NO_BUFFERS


RendererName = Literal["gl", "pyrender"]

Draw = tuple[str, str, Literal["surface", "outline"]]


@dataclass(frozen=True, eq=False)
class Frame:
    """A rendered picture.

    rgba: (H, W, 4) uint8, sRGB, straight alpha, top row first.
    draw_order: (mesh, material, pass) of each draw, in order.
    surface: of Buffers.surface: one sample of each pixel of the colours, nearly for free.
    geometry: of Buffers.geometry: all about the surface at each pixel's centre, by a drawing of its own.
    layers: of Buffers.depth_layers: the surfaces behind each other at each pixel's centre, nearest first; a blended
        surface counts from alpha 0.5, outlines do not.
    """

    rgba: NDArray[np.uint8]
    draw_order: tuple[Draw, ...] = ()
    surface: VisibleSurface | None = None
    geometry: GeometryBuffer | None = None
    layers: tuple[GeometryBuffer, ...] = ()

    @property
    def image(self) -> Image.Image:
        """The picture as Pillow has it, RGBA."""
        from PIL import Image

        return Image.fromarray(self.rgba, "RGBA")

    def __repr__(self) -> str:
        height, width, _ = self.rgba.shape
        return f"Frame({width}×{height})"


class RenderBackend(Protocol):
    """A rendering backend with an OpenGL context of its own; not to be shared between threads."""

    @property
    def device(self) -> str:
        """The driver's name and version ("llvmpipe (LLVM 15…)…")."""
        ...

    def render(self, posed: PosedAvatar, view: View) -> Frame:
        """Draw one picture. Raises RenderError."""
        ...

    def close(self) -> None:
        """Free the context; the backend is unusable afterwards."""
        ...
