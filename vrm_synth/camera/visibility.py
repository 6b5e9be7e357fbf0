"""Whether a point of a figure can be seen: inside the picture, and with nothing in front of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project
from vrm_synth.core.transforms import Array


def inside(camera: Camera, aspect: float, points: ArrayLike, edge: float = 0.0) -> NDArray[np.bool_]:
    """(N,) whether points (N, 3) fall into the picture, `edge` (a fraction of it) away from its edges."""
    x, y, depth = project(camera, aspect, points).T
    limit = 1 - 2 * edge
    return (depth > camera.near) & (np.abs(x) <= limit) & (np.abs(y) <= limit)


def blocked(eye: ArrayLike, points: ArrayLike, slack: ArrayLike, vertices: Array, triangles: NDArray) -> NDArray:
    """(N,) bool: whether a triangle lies between `eye` (3,) and each of `points` (N, 3), world metres.

    slack: (N,) metres in front of each point where triangles are taken for the point's own skin.
    vertices (V, 3), triangles (T, 3). Möller and Trumbore's test, both sides of a triangle alike.
    """
    origin = np.asarray(eye, np.float64)
    a = vertices[triangles[:, 0]]
    e1, e2 = vertices[triangles[:, 1]] - a, vertices[triangles[:, 2]] - a
    to_origin = origin - a
    q = np.cross(to_origin, e1)
    along = np.einsum("ij,ij->i", e2, q)
    out = []
    for point, skin in zip(np.asarray(points, np.float64), np.asarray(slack, np.float64), strict=True):
        ray = point - origin
        reach = float(np.linalg.norm(ray))
        p = np.cross(ray, e2)
        det = np.einsum("ij,ij->i", e1, p)
        with np.errstate(divide="ignore", invalid="ignore"):  # a triangle seen edge-on gives no finite hit
            u = np.einsum("ij,ij->i", to_origin, p) / det
            v = q @ ray / det
            t = along / det
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6) & (t < 1 - skin / reach)
        out.append(bool(hit.any()))
    return np.array(out, np.bool_)
