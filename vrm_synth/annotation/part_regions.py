"""Tight boxes of labeled parts (hair, iris, skirt), and which share of each is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.cameras import project_points
from vrm_synth.annotation.drawn_depth import SURFACE_TOLERANCE, DrawnDepth
from vrm_synth.annotation.regions import Box, box_of
from vrm_synth.annotation.surface import Surface
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array


@dataclass(frozen=True, eq=False)
class PartIds:
    """Which part each triangle of an avatar is, and each pixel where a texture divides triangles.

    names: of the parts; an id is an index into it.
    triangles: (T,) integers, id of most of each triangle, by its number (vrm.drawn_triangles).
    pixels: (H, W) integers, id of what each pixel shows, anything where it shows the background; None: the triangle's.
    """

    names: Sequence[str]
    triangles: NDArray
    pixels: NDArray | None = None

    def check(self, count: int, drawn: DrawnDepth) -> None:
        """Raise ShotError unless the ids fit an avatar of `count` triangles and the picture."""
        shapes = [(self.triangles, (count,))]
        if self.pixels is not None:
            shapes.append((self.pixels, drawn.triangle.shape))
        for ids, shape in shapes:
            if ids.shape != shape or not np.issubdtype(ids.dtype, np.integer):
                raise ShotError("part ids do not fit", got=f"{ids.shape} {ids.dtype}", allowed=f"{shape} integers")
            low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
            if low < 0 or high >= len(self.names):
                raise ShotError("no such part id", got=(low, high), allowed=f"0 to {len(self.names) - 1}")

    def shown(self, drawn: DrawnDepth) -> NDArray[np.intp]:
        """(H, W) id of the part that each pixel shows; −1 for the background."""
        ids = self.triangles[drawn.triangle] if self.pixels is None else self.pixels
        return np.where(drawn.triangle >= 0, ids.astype(np.intp), -1)


def part_boxes(parts: PartIds, drawn: DrawnDepth) -> dict[str, Box]:
    """Part → tight box of what is seen of it, for parts that are seen."""
    shown = parts.shown(drawn)
    seen_boxes = {parts.names[i]: box_of(shown == i) for i in np.unique(shown[shown >= 0]).tolist()}
    return {name: box for name, box in seen_boxes.items() if box is not None}


def part_visible_shares(
    parts: PartIds, surface: Surface, vertices: Array, camera: Camera, size: tuple[int, int], drawn: DrawnDepth
) -> dict[str, float]:
    """Part → share of its surface in sight, for parts that any triangle is.

    A triangle is in sight by its middle: in the picture, where its pixel shows the part itself, or nothing is drawn
    more than 1 cm in front of it. vertices: (V, 3) of BodyParts in the pose, world metres.
    """
    present = surface.corners[:, 0] >= 0
    a, b, c = (vertices[surface.corners[present][:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    pixels, points = project_points(camera, size, (a + b + c) / 3)
    depth, _ = drawn.at(pixels)
    own = parts.triangles[present].astype(np.intp)
    same = drawn.look_up(parts.shown(drawn), pixels) == own
    in_sight = drawn.inside(pixels, points[:, 2]) & (same | (depth >= points[:, 2] - SURFACE_TOLERANCE))
    total = np.bincount(own, area, len(parts.names))
    seen = np.bincount(own, area * in_sight, len(parts.names))
    return {name: float(seen[i] / total[i]) for i, name in enumerate(parts.names) if total[i] > 0}
