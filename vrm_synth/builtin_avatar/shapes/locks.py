"""Locks of hair: tapered, curved blades along paths on a shell around the skull, or along a tail.

The shell's coordinates are (azimuth, h, off): azimuth in degrees, 0 in front, positive to the left; h is 0 at
the crown, 1 at the skull's widest, and falls 15 cm for each further 1; off stands off the skull, meters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline, PchipInterpolator

from vrm_synth.builtin_avatar.shapes.body import chain_weights
from vrm_synth.builtin_avatar.shapes.head import SKULL, hair_normals
from vrm_synth.builtin_avatar.shapes.loft import grid_triangles, smooth_normals, smoothstep, unit
from vrm_synth.builtin_avatar.shapes.part import MeshPart
from vrm_synth.core.transforms import Array

DROP = 0.15
_RX, _RY, _RF, _RB = 0.0775, 0.0985, 0.0985, 0.0915
SAMPLES, ROUND = 13, 6


@dataclass(frozen=True)
class Lock:
    """One lock of hair on the shell; see the module's docstring for the coordinates.

    Attributes:
        az: azimuth of (root, tip), degrees.
        h: h of (root, tip).
        off: distance from the skull at (root, tip), meters.
        width: meters at the widest.
        thick: thickness in meters at the widest.
        swing: sideways sway at mid length, degrees.
        bulge: extra distance from the skull at mid length, meters.
        tuck: how far the tip turns in (+) or flicks out (−), meters.
        wave: amplitude of sideways waves, degrees.
        chain: name of the spring chain that swings it, "" for none.
    """

    az: tuple[float, float]
    h: tuple[float, float]
    off: tuple[float, float] = (0.010, 0.012)
    width: float = 0.034
    thick: float = 0.010
    swing: float = 0.0
    bulge: float = 0.0
    tuck: float = 0.0
    wave: float = 0.0
    chain: str = ""


@dataclass(frozen=True)
class SpringChain:
    """A chain of J spring-bone joints.

    Attributes:
        name: prefix of its joints' names.
        starts: (J,) h on the shell, or parameter along a tail, from which on each joint moves the hair.
        points: (J + 1, 3) positions of the joints, the tip last, meters.
        parent: the joint that it hangs on.
        kind: "hair" or "skirt"; decides colliders and stiffness.
    """

    name: str
    starts: tuple[float, ...]
    points: Array
    parent: str = "head"
    kind: str = "hair"


def shell(az: ArrayLike, h: ArrayLike, off: ArrayLike) -> Array:
    """Return points (..., 3) of the shell."""
    a, h, off = np.broadcast_arrays(np.radians(az), np.asarray(h, np.float64), np.asarray(off, np.float64))
    phi = np.clip(h, 0, 1) * np.pi / 2
    s = np.sin(phi)
    depth = np.where(np.cos(a) > 0, _RF, _RB) + off
    y = np.where(h < 1, (_RY + off) * np.cos(phi), -(h - 1) * DROP)
    return np.stack([(_RX + off) * np.sin(a) * s, y, depth * np.cos(a) * s], -1) + SKULL


def shell_chain(name: str, az: float, starts: Sequence[float], tip: float, off: float = 0.014) -> SpringChain:
    """Return a chain that hangs along the shell at one azimuth."""
    h = np.array([*starts, tip])
    return SpringChain(name, tuple(starts), shell(np.full(len(h), az), h, off))


def lock_paths(locks: Sequence[Lock]) -> tuple[Array, Array, Array]:
    """Return (paths (L, S, 3), outward directions (L, S, 3), h (L, S)) of L locks at S samples."""
    t = np.linspace(0, 1, SAMPLES)[None, :]

    def pair(name: str) -> tuple[Array, Array]:
        a = np.array([getattr(k, name) for k in locks])
        return a[:, :1], a[:, 1:]

    def one(name: str) -> Array:
        return np.array([getattr(k, name) for k in locks])[:, None]

    (az0, az1), (h0, h1), (o0, o1) = pair("az"), pair("h"), pair("off")
    ease = smoothstep(0, 1, t)
    az = az0 + (az1 - az0) * ease + one("swing") * np.sin(np.pi * t)
    h = h0 + (h1 - h0) * t
    # roots start inside the cap and rise out of it
    off = o0 + (o1 - o0) * t
    off = np.where(off > 0, off * smoothstep(-0.14, 0.16, t), off)
    off = off + one("bulge") * np.sin(np.pi * t) - one("tuck") * smoothstep(0.55, 1.0, t) ** 1.5
    az = az + one("wave") * np.sin(2.6 * np.pi * t) * smoothstep(0.25, 0.8, t)
    path = shell(az, h, off)
    a = np.radians(az)
    phi = np.clip(h, 0, 1) * np.pi / 2
    outward = np.stack([np.sin(a) * np.sin(phi), np.cos(phi), np.cos(a) * np.sin(phi)], -1)
    return path, outward, h


def blades(paths: Array, outward: Array, width: Array, thick: Array, blunt: float = 0.62) -> tuple[Array, Array]:
    """Return surfaces of blades: points (L, S, ROUND + 1, 3) and normals, from paths and outward directions (L, S, 3).

    width, thick: (L,) at the widest. A blade is flat inside, arched outside, and tapers to a point.
    """
    s = paths.shape[1]
    t = np.linspace(0, 1, s)
    taper = (0.40 + 0.60 * smoothstep(0, 0.4, t)) * np.clip(1 - t ** (1 / blunt * 1.9), 0, 1) ** 0.85 + 0.004
    tangent = unit(np.gradient(paths, axis=1))
    side = unit(np.cross(outward, tangent))
    out = np.cross(tangent, side)
    a = np.linspace(0, 2 * np.pi, ROUND + 1)
    c, up = np.cos(a), np.sin(a)
    up = np.where(up > 0, up, up * 0.35) + 0.25 * (1 - c * c) - 0.25
    points = (
        paths[:, :, None]
        + side[:, :, None] * (c * (width[:, None] * taper / 2)[..., None])[..., None]
        + out[:, :, None] * (up * (thick[:, None] * np.sqrt(taper))[..., None])[..., None]
    )
    return points, out


def lock_part(material: str, points: Array, weights: dict[str, Array], soft: float = 0.45) -> MeshPart:
    """Build one MeshPart from the points of all blades (L, S, ROUND + 1, 3); weights: joint → (L, S) or (L, S, 1)."""
    count, s, n = points.shape[:3]
    one = grid_triangles(s, n)
    triangles = (one[None] + (np.arange(count) * s * n)[:, None, None]).reshape(-1, 3)
    flat = points.reshape(-1, 3)
    u = np.linspace(0, 1, n)[None, None, :] + np.arange(count)[:, None, None] * 0.37
    v = np.linspace(0, 1, s)[None, :, None] * np.ones((count, 1, n))
    uv = np.stack([np.broadcast_to(u, v.shape), v], -1).reshape(-1, 2)
    q = flat[triangles]
    volume = np.einsum("ij,ij->i", q[:, 0] - flat.mean(0), np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]))
    if volume.reshape(count, -1).sum() < 0:
        triangles = triangles[:, ::-1].copy()
    normals = hair_normals(flat, smooth_normals(flat, triangles), soft)
    full = {j: np.broadcast_to(w.reshape(count, s, 1), (count, s, n)).reshape(-1) for j, w in weights.items()}
    return MeshPart(material, flat, triangles, uv, full, normals)


def shell_locks(material: str, locks: Sequence[Lock], chains: Sequence[SpringChain]) -> MeshPart:
    """Build one MeshPart of all locks on the shell, each weighted to its chain."""
    paths, outward, h = lock_paths(locks)
    points, _ = blades(paths, outward, np.array([k.width for k in locks]), np.array([k.thick for k in locks]))
    weights: dict[str, Array] = {"head": np.zeros(h.shape)}
    by_name = {c.name: c for c in chains}
    for i, lock in enumerate(locks):
        if not lock.chain:
            weights["head"][i] = 1.0
            continue
        c = by_name[lock.chain]
        joints = [("head", -9.0), *((f"{c.name}_{k}", s) for k, s in enumerate(c.starts))]
        for joint, w in chain_weights(h[i], joints, 0.16).items():
            weights.setdefault(joint, np.zeros(h.shape))[i] = w
    return lock_part(material, points, weights)


def tail(
    material: str,
    c: SpringChain,
    radius: Sequence[tuple[float, float]],
    count: int,
    width: float,
    seed_turn: float = 0.0,
) -> MeshPart:
    """Build a tail of locks around a chain's path. radius: (t, meters) rows along it; count locks and one core."""
    n = len(c.points)
    curve = CubicSpline(np.linspace(0, 1, n), c.points)
    t = np.linspace(0, 1, SAMPLES)
    r = PchipInterpolator(*np.array(radius).T)(t)
    center = curve(t)
    tangent = unit(np.gradient(center, axis=0))
    x = unit(np.cross(tangent, [0.0, 0.0, 1.0]))
    y = np.cross(tangent, x)
    k = np.arange(count)
    angle = (k * 2 * np.pi / count + seed_turn)[:, None] + 0.5 * t[None, :] * np.where(k % 2, 1, -1)[:, None]
    out = np.cos(angle)[..., None] * x + np.sin(angle)[..., None] * y
    spread = (r * (1.0 + 0.25 * t))[None, :, None] * np.where(k % 2, 1.0, 0.72)[:, None, None]
    # locks end at different lengths, so that the tail has a ragged, pointed end
    short = (1.0 - 0.16 * ((k * 0.381966) % 1))[:, None]
    paths = np.stack([curve(t * f) for f in short[:, 0]]) + out * spread
    points, _ = blades(paths, out, np.full(count, width), np.full(count, width * 0.42), 0.7)
    starts = [("head", -1.0), *((f"{c.name}_{j}", s) for j, s in enumerate(c.starts))]
    along = np.broadcast_to(t[None, :] * short, (count, SAMPLES))
    return lock_part(material, points, chain_weights(along, starts, 0.09), 0.2)
