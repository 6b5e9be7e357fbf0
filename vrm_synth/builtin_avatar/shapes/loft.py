"""Geometry functions: splines through key rings, triangles of point grids, smooth normals.

Everything is float64, meters, in the avatar's frame (+Y up, facing +Z, left hand at +X). Triangles
wind counter-clockwise seen from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator

from vrm_synth.core.transforms import Array

Ints = NDArray[np.int64]


def smoothstep(lo: float, hi: float, x: ArrayLike) -> Array:
    """Hermite step from 0 at lo to 1 at hi; lo > hi falls."""
    t = np.clip((np.asarray(x, np.float64) - lo) / (hi - lo), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def keyed(keys: Sequence[Sequence[float]]) -> Callable[[ArrayLike], Array]:
    """Return a monotone curve through rows (t, a, b, …): t ↦ (..., columns)."""
    table = np.asarray(keys, np.float64)
    table = table[np.argsort(table[:, 0])]
    curve = PchipInterpolator(table[:, 0], table[:, 1:])
    return lambda t: np.asarray(curve(np.asarray(t, np.float64)))


def unit(v: ArrayLike) -> Array:
    """Normalize vectors (..., 3); a zero vector stays zero."""
    v = np.asarray(v, np.float64)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.asarray(v / np.where(length == 0, 1.0, length))


def ring_angles(n: int) -> Array:
    """Return n + 1 angles around a circle, from 0 to 2π inclusive, so that a texture can wrap."""
    return np.linspace(0.0, 2 * np.pi, n + 1)


def superellipse(angles: ArrayLike, exponent: ArrayLike = 2.0) -> tuple[Array, Array]:
    """(cos-like, sin-like) of a superellipse |c|^e + |s|^e = 1 at the given angles."""
    a = np.asarray(angles, np.float64)
    c, s = np.cos(a), np.sin(a)
    e = 2.0 / np.asarray(exponent, np.float64)
    return np.sign(c) * np.abs(c) ** e, np.sign(s) * np.abs(s) ** e


def grid_triangles(rows: int, columns: int, flip: bool = False) -> Ints:
    """Triangles (T, 3) of a rows × columns grid of points numbered row by row.

    Seen with rows going up and columns going right they face the viewer, unless flipped.
    """
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None, :]).ravel()
    b, c, d = a + 1, a + columns + 1, a + columns
    tris = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return tris[:, ::-1].copy() if flip else tris


def grid_uv(rows: int, columns: int, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> Array:
    """UVs (rows · columns, 2): columns run u from box[0] to box[2], rows run v from box[3] to box[1]."""
    u = np.linspace(box[0], box[2], columns)
    v = np.linspace(box[3], box[1], rows)
    return np.stack(np.broadcast_arrays(u[None, :], v[:, None]), -1).reshape(-1, 2)


def drop_degenerate(positions: ArrayLike, triangles: Ints, area: float = 1e-12) -> Ints:
    """The triangles (T', 3) whose area exceeds `area` (m²)."""
    p = np.asarray(positions)[triangles]
    twice = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=-1)
    return triangles[twice > 2 * area]


def smooth_normals(positions: ArrayLike, triangles: Ints) -> Array:
    """Area-weighted vertex normals (V, 3), shared by vertices that lie on the same point (within 1 µm)."""
    p = np.asarray(positions, np.float64)
    _, same = np.unique(np.round(p * 1e6).astype(np.int64), axis=0, return_inverse=True)
    same = same.reshape(-1)
    q = p[triangles]
    face = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
    total = np.zeros((int(same.max()) + 1, 3))
    for corner in range(3):
        np.add.at(total, same[triangles[:, corner]], face)
    n = unit(total)[same]
    # a point that no triangle of any area touches still needs a unit normal
    n[np.linalg.norm(n, axis=1) < 0.5] = (0.0, 1.0, 0.0)
    return n


def tube(centers: Array, side: Array, front: Array, outline: tuple[Array, Array]) -> Array:
    """Points (R, N, 3) of rings: centers (R, 3) + s · side (R, 3) + c · front (R, 3).

    side and front carry the radii; outline is (c, s), each (N,) or (R, N).
    """
    c, s = (np.broadcast_to(o, (len(centers), np.shape(o)[-1])) for o in outline)
    return centers[:, None] + s[..., None] * side[:, None] + c[..., None] * front[:, None]


def frames_along(path: Array, up: ArrayLike) -> tuple[Array, Array, Array]:
    """(tangent, side, normal), each (..., R, 3), along paths (..., R, 3); normals as near to `up` as may be."""
    tangent = unit(np.gradient(path, axis=-2))
    side = unit(np.cross(tangent, np.broadcast_to(up, path.shape)))
    return tangent, side, np.cross(side, tangent)
