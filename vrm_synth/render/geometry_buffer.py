"""The geometry buffer: what lies at the centre of each pixel of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING = -1  # the triangle of a pixel that shows the background

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
    position: (H, W, 3) float32, view space; NaN for the background.
    geometric_normal: (H, W, 3) float32, unit normal of the triangle's plane, view space, towards the viewer.
    normal: (H, W, 3) float32, unit normal that shading uses, with normal maps, view space.
    uv: (H, W, 2) float32, texture coordinates of set 0 as the file has them, v downwards.
    rest_position: (H, W, 3) float32, where the same point of the surface is in the rest pose, world metres.
    albedo: (H, W, 3) uint8, base colour without light, sRGB.
    shading: (H, W) float32, 0 in shade to 1 in light: MToon's ramp, or the lambert term of other materials.
    """

    triangle: Ids
    outline: NDArray[np.bool_]
    depth: Floats
    position: Floats | None = None
    geometric_normal: Floats | None = None
    normal: Floats | None = None
    uv: Floats | None = None
    rest_position: Floats | None = None
    albedo: NDArray[np.uint8] | None = None
    shading: Floats | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W), True where anything is drawn."""
        return self.triangle != NOTHING
