"""The attachments of a geometry buffer: which there are, and what their texels mean.

One drawing of one sample a pixel has them all, seven of the eight attachments that every driver has. In the colour
drawing's own samples they would cost more, and lie a quarter of a pixel off the centre.

Tried beside the colours, for statistics of a picture (built-in avatar, 512² of 2 × 2 samples on llvmpipe; drawing
alone takes 40 CPU-ms, and so much of it): triangle numbers by gl_PrimitiveID in R32F 1.13, because llvmpipe then
draws without shared vertices; vertex numbers as a flat varying in R32F 1.06, but with reading 1.26 on m_expressive
and 1.45 on crimsom; 8-bit labels of vertices 1.05, which are kept. The depth buffer is read in 0.65 ms as floats, in
0.41 as integers.

Tried in the geometry buffer: triangle, depth and UV packed into one RGBA32F and normals as float16, which numpy has
to take apart and convert: all outputs drawn in 25.3 and read in 21.5 CPU-ms, where float32 attachments of their own
take 24.5 and 7.9.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.render.geometry_buffer import NOTHING, GeometryBuffer, GeometryField
from vrm_synth.render.gl.programs import Features
from vrm_synth.render.gl.targets import R32F, RGBA8, Attachment

VECTOR: Attachment = (4, "f4")  # three of float32 are not a format that drivers must be able to draw into


@dataclass(frozen=True)
class GeometryOutputs:
    """The outputs of a geometry drawing.

    names: of the fragment shader's, in the order of their attachments ("OUT_NORMAL").
    attachments: one a name.
    """

    names: tuple[str, ...]
    attachments: tuple[Attachment, ...]

    def features(self, peel: bool = False) -> Features:
        """The preprocessor defines that write them. peel: only what lies behind the layer before."""
        locations = (f"LOCATION_{n.removeprefix('OUT_')} {k}" for k, n in enumerate(self.names))
        return frozenset({*self.names, *locations, *(("PEEL",) if peel else ())})


_DTYPES = {"f4": np.float32, "f1": np.uint8, "u4": np.uint32}


def outputs_of(fields: Set[GeometryField]) -> GeometryOutputs:
    """The outputs that give a geometry buffer these fields."""
    rows = [("OUT_TRIANGLE", R32F), ("OUT_DEPTH", R32F)]
    if "uv" in fields:
        rows.append(("OUT_UV", (2, "f4")))
    if fields & {"normal", "shading"}:
        rows.append(("OUT_NORMAL", VECTOR))
    if "geometric_normal" in fields:
        rows.append(("OUT_GEOMETRIC_NORMAL", VECTOR))
    if "rest_position" in fields:
        rows.append(("OUT_REST", VECTOR))
    if "albedo" in fields:
        rows.append(("OUT_ALBEDO", RGBA8))
    return GeometryOutputs(tuple(name for name, _ in rows), tuple(attachment for _, attachment in rows))


def read_geometry(
    framebuffer: moderngl.Framebuffer, outputs: GeometryOutputs, fields: Set[GeometryField]
) -> GeometryBuffer:
    """Read what was drawn; the arrays are views of what comes back, top row first."""
    texels = {
        name: read_attachment(framebuffer, k, attachment)[::-1]
        for k, (name, attachment) in enumerate(zip(outputs.names, outputs.attachments, strict=True))
    }
    triangle, outline = decode_numbers(texels["OUT_TRIANGLE"][..., 0])
    depth = texels["OUT_DEPTH"][..., 0]
    depth[triangle == NOTHING] = np.inf
    normal = texels.get("OUT_NORMAL")
    geometric, rest, albedo = (texels.get(n) for n in ("OUT_GEOMETRIC_NORMAL", "OUT_REST", "OUT_ALBEDO"))
    return GeometryBuffer(
        triangle=triangle,
        outline=outline,
        depth=depth,
        uv=texels.get("OUT_UV"),
        geometric_normal=None if geometric is None else geometric[..., :3],
        normal=None if normal is None or "normal" not in fields else normal[..., :3],
        shading=None if normal is None or "shading" not in fields else normal[..., 3],
        rest_position=None if rest is None else rest[..., :3],
        albedo=None if albedo is None else albedo[..., :3],
    )


def decode_numbers(texels: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """(number of the triangle, NOTHING for none; True on outlines) from what the shader wrote."""
    numbers = texels.astype(np.int32)
    return np.abs(numbers) - 1, numbers < 0


def read_attachment(
    framebuffer: moderngl.Framebuffer, attachment: int, kind: Attachment, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Read an attachment, −1 for depth: (H, W, components), bottom row first. out: to read into."""
    width, height = framebuffer.size
    components, dtype = kind
    if out is None:
        out = np.empty((height, width, components), _DTYPES[dtype])
    framebuffer.read_into(out, components=components, attachment=attachment, alignment=1, dtype=dtype)
    return out
