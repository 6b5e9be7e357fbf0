"""Visibility of points: inside the picture, and not hidden by what is drawn there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project


def inside(camera: Camera, aspect: float, points: ArrayLike, edge: float = 0.0) -> NDArray[np.bool_]:
    """(N,) mask of the points (N, 3) inside the picture, at least `edge` (a fraction of it) away from its edges."""
    x, y, depth = project(camera, aspect, points).T
    limit = 1 - 2 * edge
    return (depth > camera.near) & (np.abs(x) <= limit) & (np.abs(y) <= limit)


@dataclass(frozen=True, eq=False)
class DepthTest:
    """Tests points against the depth that a picture shows.

    camera: of the picture.
    depth: (H, W) float32, metres along the view axis, top row first; +inf for the background.
    """

    camera: Camera
    depth: NDArray[np.float32]

    def hidden(self, points: ArrayLike, slack: float) -> NDArray[np.bool_]:
        """(N,) mask of the points (N, 3) before which something is drawn. Points outside the picture are not.

        slack: metres in front of a point where what is drawn counts as the point's own surface and does not hide it.
        """
        height, width = self.depth.shape
        x, y, distance = project(self.camera, width / height, points).T
        seen = (distance > 0) & (np.abs(x) < 1) & (np.abs(y) < 1)
        column = np.where(seen, (x + 1) / 2 * width, 0).astype(np.intp)
        row = np.where(seen, (1 - y) / 2 * height, 0).astype(np.intp)
        return np.asarray(seen & (self.depth[row, column] < distance - slack))
