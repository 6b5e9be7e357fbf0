"""The geometry buffer: what lies at the centre of each pixel of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrm_synth.vrm.drawn_triangles import DrawnTriangles

NOTHING = -1  # the triangle of a pixel that shows the background

# The fields that are drawn only where they are asked for.
GeometryField = Literal["uv", "geometric_normal", "normal", "rest_position", "albedo", "shading"]

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GeometryBuffer:
    """One sample at each pixel's centre, the same for any anti-aliasing. Arrays have the top row first.

    No value is blended: a surface that blends counts from alpha 0.5, a cut-out one where its colour is drawn. Fields
    that were not asked for are None. View space: x right, y up, z towards the viewer, metres.

    triangle: (H, W) int32, number of the triangle (vrm.drawn_triangles), NOTHING for the background; an outline has
        that of the triangle it belongs to.
    outline: (H, W) bool, True where an outline is drawn.
    depth: (H, W) float32, metres along the view axis; +inf for the background.
    uv: (H, W, 2) float32, texture coordinates of set 0 as the file has them, v downwards.
    geometric_normal: (H, W, 3) float32, unit normal of the triangle's plane, view space, towards the viewer.
    normal: (H, W, 3) float32, unit normal that shading uses, with normal maps, view space.
    shading: (H, W) float32, 0 in shade to 1 in light: MToon's ramp, the cosine of other lit materials, 1 without light.
    rest_position: (H, W, 3) float32, where the same point of the surface is in the rest pose, world metres.
    albedo: (H, W, 3) uint8, base colour without light, sRGB; of an outline its colour.

    Values of pixels that show the background are 0 where nothing else is said.
    """

    triangle: Ids
    outline: NDArray[np.bool_]
    depth: Floats
    uv: Floats | None = None
    geometric_normal: Floats | None = None
    normal: Floats | None = None
    shading: Floats | None = None
    rest_position: Floats | None = None
    albedo: NDArray[np.uint8] | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W), True where anything is drawn."""
        return self.triangle != NOTHING


@dataclass(frozen=True, eq=False)
class VertexLabels:
    """A label for each vertex that an avatar draws.

    values: (V,) uint8, by the numbers of vrm.drawn_triangles, 1 to 255; a triangle has that of its last vertex.
    """

    values: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class VisibleSurface:
    """Depth and label of one sample of each pixel's colour: for statistics of a picture, not for its labels.

    Arrays have the top row first. With n × n supersamples the sample is the one next to the pixel's centre, below and
    to the right.

    depth: (H, W) float32, metres along the view axis to what last wrote depth (most blended surfaces do not); +inf for
        the background.
    label: (H, W) uint8, label of the vertices that are seen, 0 for the background; an outline has its owner's; None
        where the view has no vertex_labels.
    """

    depth: Floats
    label: NDArray[np.uint8] | None = None


def visible_surface(geometry: GeometryBuffer, labels: VertexLabels | None, numbered: DrawnTriangles) -> VisibleSurface:
    """The same from a geometry buffer, for colours whose samples cannot be read one by one."""
    if labels is None:
        return VisibleSurface(geometry.depth)
    of_triangle = np.append(labels.values[numbered.vertices_of[:, 2]], np.uint8(0))  # NOTHING, −1, is the last
    return VisibleSurface(geometry.depth, of_triangle[geometry.triangle])
