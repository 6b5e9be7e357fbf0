"""Tests of points against what is drawn at the pixels' centres: depth and triangle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array
from vrm_synth.render.geometry_buffer import NOTHING

SURFACE_TOLERANCE = 0.01  # metres between a point of the surface and what is drawn, up to which they are the same


@dataclass(frozen=True, eq=False)
class DrawnDepth:
    """The depth and the triangle that a picture shows at each pixel's centre.

    depth: (H, W) float32, metres along the view axis; +inf for the background.
    triangle: (H, W) int32, number of the triangle (vrm.drawn_triangles), NOTHING for the background.
    """

    depth: NDArray[np.float32]
    triangle: NDArray[np.int32]

    @classmethod
    def checked(
        cls, depth: NDArray[np.float32], triangle: NDArray[np.int32], size: tuple[int, int], triangles: int
    ) -> DrawnDepth:
        """The two, after checks. size: (width, height); triangles: how many the avatar has. Raises ShotError."""
        shape = (size[1], size[0])
        for name, values in (("depth", depth), ("triangle", triangle)):
            if values.shape != shape:
                raise ShotError(f"{name} does not fit the picture", got=values.shape, allowed=f"(H, W) = {shape}")
        if not np.issubdtype(triangle.dtype, np.integer):
            raise ShotError("triangle must be numbers of triangles", got=str(triangle.dtype), allowed="int32")
        if np.isnan(depth).any():
            raise ShotError("depth has NaN", got="NaN", allowed="metres, +inf for the background")
        low, high = int(triangle.min()), int(triangle.max())
        if low < NOTHING or high >= triangles:
            raise ShotError("no such triangle", got=(low, high), allowed=f"{NOTHING} to {triangles - 1}")
        return cls(depth, triangle)

    def inside(self, pixels: Array, distance: Array) -> NDArray[np.bool_]:
        """(N,) True for the points inside the picture and before the camera.

        pixels: (N, 2) x, y; distance: (N,) metres along the view axis.
        """
        height, width = self.depth.shape
        with np.errstate(invalid="ignore"):
            x, y = pixels.T
            return np.asarray((distance > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height))

    def on_surface(self, pixels: Array, distance: Array) -> NDArray[np.bool_]:
        """(N,) True where the surface is drawn that a point is on: the depths agree within SURFACE_TOLERANCE.

        A fingertip, a heel or an ear is often on the figure's outline, where the centre of its pixel just misses it
        and shows what is behind; a neighbouring pixel then counts, too.
        """
        near = self._around(pixels)
        same = np.abs(near - distance[:, None]) <= SURFACE_TOLERANCE
        missed = near[:, 0] > distance + SURFACE_TOLERANCE
        return self.inside(pixels, distance) & (same[:, 0] | (missed & same.any(1)))

    def at(self, pixels: Array) -> tuple[Array, NDArray[np.int32]]:
        """Depth (N,) and triangle (N,) at points inside the picture; those of the nearest pixel for points outside."""
        rows, columns = self._cells(pixels)
        return self.depth[rows, columns].astype(np.float64), self.triangle[rows, columns]

    def look_up(self, values: NDArray, pixels: Array) -> NDArray:
        """(N,) values of a picture (H, W) at points, as `at` does it."""
        rows, columns = self._cells(pixels)
        return values[rows, columns]

    def _around(self, pixels: Array) -> Array:
        """(N, 9) depths of each point's pixel, first, and of the eight around it."""
        height, width = self.depth.shape
        rows, columns = self._cells(pixels)
        dy, dx = np.divmod(np.array([4, 0, 1, 2, 3, 5, 6, 7, 8]), 3)
        y = np.clip(rows[:, None] + dy - 1, 0, height - 1)
        x = np.clip(columns[:, None] + dx - 1, 0, width - 1)
        return self.depth[y, x].astype(np.float64)

    def _cells(self, pixels: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        height, width = self.depth.shape
        finite = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        columns = np.clip(np.floor(finite[:, 0]), 0, width - 1).astype(np.intp)
        return np.clip(np.floor(finite[:, 1]), 0, height - 1).astype(np.intp), columns
