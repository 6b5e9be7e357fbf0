"""The head as a surface: head(θ, v) from lofted, tilted rings, and its front as a height field z(x, y).

θ runs round the head (0 front, π/2 left, ±π back), v from 0 under the jaw to 1 at the crown
(below 0 it closes inside the neck). Rings tilt:
their front follows the face's profile from the throat over the chin to the forehead, their back the nape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import RectBivariateSpline

from vrm_synth.builtin_avatar.shapes.loft import keyed, unit
from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y
from vrm_synth.core.transforms import Array

CROWN_Y = CHIN_Y + 0.236
SKULL = np.array([0.0, CHIN_Y + 0.138, -0.010])  # center of the skull, that hair grows away from

# v, front (y, z), side (half width, y, z), back (y, z), exponent of the front's y; y above the chin
_RINGS = keyed(
    [
        (-0.08, 0.042, 0.008, 0.008, 0.055, -0.012, 0.062, -0.032, 2.0),
        (0.00, 0.016, 0.026, 0.035, 0.046, -0.010, 0.046, -0.052, 2.0),
        (0.07, 0.004, 0.056, 0.0450, 0.042, -0.006, 0.058, -0.064, 1.8),
        (0.13, 0.000, 0.0765, 0.0525, 0.0405, -0.002, 0.067, -0.074, 1.55),
        (0.17, 0.0055, 0.0835, 0.0575, 0.0465, 0.001, 0.077, -0.081, 1.5),
        (0.26, 0.030, 0.0845, 0.0655, 0.0620, 0.003, 0.097, -0.091, 1.6),
        (0.36, 0.056, 0.0850, 0.0705, 0.078, 0.003, 0.118, -0.098, 1.9),
        (0.48, 0.092, 0.0845, 0.0750, 0.103, 0.000, 0.139, -0.101, 2.0),
        (0.61, 0.130, 0.0885, 0.0775, 0.133, -0.004, 0.159, -0.099, 2.0),
        (0.74, 0.169, 0.0850, 0.0745, 0.168, -0.008, 0.181, -0.089, 2.0),
        (0.86, 0.204, 0.0655, 0.0600, 0.204, -0.010, 0.209, -0.069, 2.0),
        (0.95, 0.228, 0.0320, 0.0340, 0.2275, -0.011, 0.229, -0.040, 2.0),
        (1.00, 0.236, -0.010, 0.0005, 0.236, -0.011, 0.236, -0.012, 2.0),
    ]
)


def head(theta: ArrayLike, v: ArrayLike) -> Array:
    """Points (..., 3) of the bare head, without nose and ears."""
    theta, v = np.broadcast_arrays(np.asarray(theta, np.float64), np.asarray(v, np.float64))
    yf, zf, w, ys, zs, yb, zb, bend = np.moveaxis(_RINGS(v), -1, 0)
    s, c = np.sin(theta), np.cos(theta)
    a = np.abs(s)
    front = c >= 0
    depth = np.sqrt(np.clip(1 - a**2.8, 0, 1))
    y = np.where(front, ys + (yf - ys) * (1 - a**bend), ys + (yb - ys) * (1 - a * a))
    z = np.where(front, zs + (zf - zs) * depth, zs + (zb - zs) * np.abs(c))
    return np.stack([w * s, CHIN_Y + y, z], -1)


def locate(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """(θ, v) of the front points seen at (x, y) in front view; points beyond the silhouette go to its edge."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64) - CHIN_Y)
    lo, hi = np.full(x.shape, 0.10), np.full(x.shape, 0.999)
    for _ in range(40):  # y grows with v at a fixed x: bisection
        v = (lo + hi) / 2
        yf, _, w, ys, _, _, _, bend = np.moveaxis(_RINGS(v), -1, 0)
        s = np.clip(np.abs(x) / w, 0, 1)
        below = ys + (yf - ys) * (1 - s**bend) < y
        lo, hi = np.where(below, v, lo), np.where(below, hi, v)
    v = (lo + hi) / 2
    s = np.clip(x / _RINGS(v)[..., 2], -1, 1)
    return np.arcsin(s), v


def _depth_table() -> RectBivariateSpline:
    x, y = np.linspace(0, 0.066, 45), np.linspace(CHIN_Y + 0.004, CHIN_Y + 0.20, 80)
    gx, gy = np.meshgrid(x, y, indexing="ij")
    theta, v = locate(gx, gy)
    return RectBivariateSpline(x, y, head(theta, v)[..., 2], s=0)


_DEPTH = _depth_table()


def front_z(x: ArrayLike, y: ArrayLike) -> Array:
    """z (...) of the face at (x, y) in front view, for |x| ≤ 66 mm."""
    return np.asarray(_DEPTH(np.abs(np.asarray(x, np.float64)), np.asarray(y, np.float64), grid=False))


def on_face(xy: ArrayLike, lift: ArrayLike = 0.0) -> Array:
    """Front-view points (..., 2) put on the face, `lift` meters in front of it: (..., 3)."""
    xy = np.asarray(xy, np.float64)
    z = front_z(xy[..., 0], xy[..., 1]) + np.asarray(lift, np.float64)
    return np.concatenate([xy, np.broadcast_to(z, xy.shape[:-1])[..., None]], -1)


def nose(x: ArrayLike, y: ArrayLike) -> Array:
    """Height (...) of the nose above the face at (x, y)."""
    x, h = np.asarray(x, np.float64), np.asarray(y, np.float64) - CHIN_Y
    tip = 0.0088 * np.exp(-((x / 0.0062) ** 2)) * np.exp(-(((h - 0.0575) / np.where(h < 0.0575, 0.0052, 0.0125)) ** 2))
    bridge = 0.0022 * np.exp(-((x / 0.007) ** 2)) * np.exp(-(((h - 0.078) / 0.016) ** 2))
    return np.asarray(tip + bridge)


def soft_normals(points: ArrayLike, normals: ArrayLike, amount: float = 0.7) -> Array:
    """Normals bent toward those of a smooth egg, so that toon shade falls in one clean shape on the face."""
    p = np.asarray(points, np.float64) - (SKULL + np.array([0.0, -0.030, 0.004]))
    egg = unit(p / np.array([0.074, 0.150, 0.086]) ** 2)
    return unit(amount * egg + (1 - amount) * np.asarray(normals, np.float64))


def hair_normals(points: ArrayLike, normals: ArrayLike, amount: float = 0.6) -> Array:
    """Normals bent away from the skull's axis, so that many locks shade as one head of hair."""
    p = np.asarray(points, np.float64) - SKULL
    p = np.where(p[..., 1:2] < 0, p * [1, 0.25, 1], p)
    return unit(amount * unit(p) + (1 - amount) * np.asarray(normals, np.float64))
