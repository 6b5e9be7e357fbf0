"""Visibility of points: inside the picture, and not hidden by triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project
from vrm_synth.core.transforms import Array, cross


def inside(camera: Camera, aspect: float, points: ArrayLike, edge: float = 0.0) -> NDArray[np.bool_]:
    """(N,) mask of the points (N, 3) inside the picture, at least `edge` (a fraction of it) away from its edges."""
    x, y, depth = project(camera, aspect, points).T
    limit = 1 - 2 * edge
    return (depth > camera.near) & (np.abs(x) <= limit) & (np.abs(y) <= limit)


class LineOfSight:
    """Triangles prepared for many occlusion tests from one eye.

    Möller and Trumbore's test, both sides of a triangle alike. From one eye every product in it is a line of sight
    times what the triangle alone decides.
    """

    def __init__(self, eye: ArrayLike, vertices: Array, triangles: NDArray):
        """eye (3,), vertices (V, 3): world metres; triangles (T, 3)."""
        self._eye = np.asarray(eye, np.float64)
        a = vertices[triangles[:, 0]]
        e1, e2 = vertices[triangles[:, 1]] - a, vertices[triangles[:, 2]] - a
        to_eye = self._eye - a
        self._det, self._u, self._v = cross(e2, e1), cross(e2, to_eye), cross(to_eye, e1)
        self._along = np.vecdot(e2, self._v)

    def blocked(self, points: ArrayLike, slack: ArrayLike) -> NDArray[np.bool_]:
        """(N,) mask of the points (N, 3) that a triangle hides from the eye.

        slack: (N,) metres in front of each point where triangles count as the point's own surface and do not hide it.
        """
        out = []
        for point, skin in zip(np.asarray(points, np.float64), np.asarray(slack, np.float64), strict=True):
            ray = point - self._eye
            with np.errstate(divide="ignore", invalid="ignore"):  # a triangle seen edge-on gives no finite hit
                near = 1 - skin / np.linalg.norm(ray)
                per_det = 1 / (self._det @ ray)
                t = self._along * per_det
                u, v = (self._u @ ray) * per_det, (self._v @ ray) * per_det
                hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6) & (t < near)
            out.append(bool(hit.any()))
        return np.array(out, np.bool_)
