"""Landmarks: points that stay on an avatar's surface, and how the front view of the rest pose finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.core.vectors import Vec3

Indices = NDArray[np.intp]
ON_EDGE = 1e-6  # weight by which a look may miss a triangle: none slips through between two of them


@dataclass(frozen=True)
class Landmark:
    """A point of the surface: three vertices of BodyParts (the same one thrice for a vertex) and their weights."""

    vertices: tuple[int, int, int]
    weights: Vec3


def on_vertex(vertex: int) -> Landmark:
    """The landmark at a vertex."""
    return Landmark((int(vertex),) * 3, (1.0, 0.0, 0.0))


def on_edge(first: int, second: int, share: float) -> Landmark:
    """The landmark on an edge, `share` (0 to 1) of the way from the first vertex to the second."""
    return Landmark((int(first), int(second), int(second)), (1.0 - float(share), float(share), 0.0))


def landmark_positions(landmarks: Sequence[Landmark], vertices: Array) -> Array:
    """(N, 3) positions of landmarks for vertices (V, 3) in any pose."""
    if not landmarks:
        return np.zeros((0, 3))
    corners = vertices[np.array([m.vertices for m in landmarks])]
    return np.einsum("nk,nkc->nc", np.array([m.weights for m in landmarks]), corners)


def front_landmark(points: Array, triangles: Indices, xy: Sequence[float] | Array) -> Landmark | None:
    """The foremost point of triangles (T, 3) that a look along −Z at (x, y) meets; None where there is none.

    points: (V, 3), world metres; larger z is nearer.
    """
    a, b, c = (points[triangles[:, k]] for k in range(3))
    x, y = float(xy[0]), float(xy[1])
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):  # triangles seen edge-on meet no look
        u = ((b[:, 0] - x) * (c[:, 1] - y) - (b[:, 1] - y) * (c[:, 0] - x)) / area
        v = ((c[:, 0] - x) * (a[:, 1] - y) - (c[:, 1] - y) * (a[:, 0] - x)) / area
        w = 1 - u - v
        hit = np.flatnonzero((np.minimum(np.minimum(u, v), w) >= -ON_EDGE) & (area != 0))
    if not len(hit):
        return None
    depth = u[hit] * a[hit, 2] + v[hit] * b[hit, 2] + w[hit] * c[hit, 2]
    best = hit[int(depth.argmax())]
    i, j, k = (int(n) for n in triangles[best])
    return Landmark((i, j, k), (float(u[best]), float(v[best]), float(w[best])))


def crossing_column(points: Array, triangles: Indices, x: float) -> Indices:
    """The triangles (T, 3) that looks from the front at some x can meet: fewer to test where there are many looks."""
    across = points[triangles, 0]
    return triangles[(across.min(1) <= x + 1e-9) & (across.max(1) >= x - 1e-9)]


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of an opening, or of a piece, seen from the front.

    edges: (E, 2) pairs of vertices.
    xy: (V, 2) where the vertices are while upper and lower edges lie apart: at rest, or with the mouth open.
    """

    edges: Indices
    xy: Array

    @property
    def ends(self) -> tuple[int, int]:
        """The vertices with the least and the greatest x: the avatar's right corner, then its left."""
        used = np.unique(self.edges)
        x = self.xy[used, 0]
        return int(used[x.argmin()]), int(used[x.argmax()])

    def at(self, share: float, *, upper: bool) -> Landmark:
        """The upper or lower edge, `share` (0 to 1) of the way from the avatar's right corner to its left."""
        first, last = self.ends
        x = (1 - share) * self.xy[first, 0] + share * self.xy[last, 0]
        a, b = self.xy[self.edges[:, 0]], self.xy[self.edges[:, 1]]
        run = b[:, 0] - a[:, 0]
        low, high = np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 0], b[:, 0])
        crossing = np.flatnonzero((low <= x) & (x <= high) & (run != 0))
        if not len(crossing):  # between the rims of an opening that has several
            used = np.unique(self.edges)
            return on_vertex(used[int(np.abs(self.xy[used, 0] - x).argmin())])
        along = (x - a[crossing, 0]) / run[crossing]
        y = a[crossing, 1] + along * (b[crossing, 1] - a[crossing, 1])
        best = int(y.argmax() if upper else y.argmin())
        start, end = self.edges[crossing[best]]
        return on_edge(start, end, float(along[best]))


def hull(xy: Array, vertices: Indices) -> Outline | None:
    """The convex outline of some vertices, seen from the front; None where they lie on a line."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        convex = ConvexHull(xy[vertices])
    except (QhullError, ValueError):
        return None
    return Outline(vertices[convex.simplices].astype(np.intp), xy)
