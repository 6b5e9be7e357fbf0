"""Orthographic views of triangles on the CPU: which pixel centers each covers, and what is visible from outside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array

BATCH = 2_000_000  # candidate pixels that are tested at once
SIDE = 256  # pixels of the views that decide about visibility
# (degrees about +Y, degrees up) from which a figure is looked at: all around, from above, and from below.
VIEWS = (
    *((a, 0.0) for a in range(0, 360, 45)),
    *((a, 40.0) for a in range(0, 360, 60)),
    *((a, -35.0) for a in range(30, 360, 90)),
    (0.0, 89.0),
)
SLACK = 0.004  # heights of the figure by which a visible point may lie behind the nearest one at its pixel

Ids = NDArray[np.intp]


def view_axes(around: float, up: float) -> tuple[Array, Array, Array]:
    """Unit vectors right, up and toward the viewer of a view from `around` degrees about +Y, `up` degrees above."""
    a, e = np.radians(around), np.radians(up)
    toward = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return right, np.cross(toward, right), toward


def visible_points(corners: Array, solid: NDArray[np.bool_], points: Array, height: float) -> NDArray[np.bool_]:
    """(N,) whether any of VIEWS sees each point. corners: (T, 3, 3) triangles; solid: (T,) those that hide; metres."""
    out = np.zeros(len(points), np.bool_)
    if not len(points) or not solid.any():
        return out
    for around, up in VIEWS:
        right, above, toward = view_axes(around, up)
        axes = np.stack([right, -above, toward], 1)
        flat, at = corners[solid] @ axes, points @ axes
        low, high = flat[..., :2].min((0, 1)), flat[..., :2].max((0, 1))
        scale = (SIDE - 2) / max(float((high - low).max()), 1e-9)
        flat[..., :2] = (flat[..., :2] - low) * scale + 1
        depth = np.full(SIDE * SIDE, -np.inf)
        for t, pixel, w in fragments(flat, SIDE):
            np.maximum.at(depth, pixel, np.einsum("nk,nk->n", w, flat[t, :, 2]))
        x, y = (np.clip((at[:, k] - low[k]) * scale + 1, 0, SIDE - 1).astype(np.intp) for k in (0, 1))
        out |= at[:, 2] >= depth[y * SIDE + x] - SLACK * height
    return out


def fragments(flat: Array, side: int) -> Iterator[tuple[Ids, Ids, Array]]:
    """Batches of (triangle, pixel, barycentric weights (n, 3)) of the pixel centers that triangles cover.

    flat: (T, 3, 3) corners, the first two coordinates in pixels, x right and y down; pixels count row by row.
    """
    low = np.clip(np.ceil(flat[..., :2].min(1) - 0.5), 0, side).astype(np.int64)
    high = np.clip(np.floor(flat[..., :2].max(1) - 0.5), -1, side - 1).astype(np.int64)
    size = np.maximum(high - low + 1, 0)
    count = size.prod(1)
    chosen = np.flatnonzero(count)
    batch = np.cumsum(count[chosen]) // BATCH
    for k in np.unique(batch).tolist():
        ids = chosen[batch == k]
        t = np.repeat(ids, count[ids])
        offset = np.arange(len(t)) - np.repeat(np.cumsum(count[ids]) - count[ids], count[ids])
        x, y = low[t, 0] + offset % size[t, 0], low[t, 1] + offset // size[t, 0]
        p, a, b, c = np.stack([x, y], -1) + 0.5, flat[t, 0, :2], flat[t, 1, :2], flat[t, 2, :2]
        whole = _cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            w = np.stack([_cross(b - p, c - p), _cross(c - p, a - p), _cross(a - p, b - p)], -1) / whole[:, None]
        inside = (w >= -1e-9).all(1) & (whole != 0)
        yield t[inside], (y * side + x)[inside], w[inside]


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
