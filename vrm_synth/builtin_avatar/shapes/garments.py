"""Pieces of clothing as lofts over the body: shirts, collars, skirts, sleeves, socks, shoes, bows, hoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vrm_synth.builtin_avatar.shapes.body import arm, chain_weights, leg, torso, torso_rings, torso_sheet, torso_weights
from vrm_synth.builtin_avatar.shapes.locks import SpringChain
from vrm_synth.builtin_avatar.shapes.loft import (
    grid_triangles,
    keyed,
    ring_angles,
    smooth_normals,
    smoothstep,
    superellipse,
    tube,
    unit,
)
from vrm_synth.builtin_avatar.shapes.part import MeshPart, grid_part, mirrored
from vrm_synth.builtin_avatar.shapes.skeleton import ANKLE_Y, LEG_X
from vrm_synth.core.transforms import Array


def both(*parts: MeshPart) -> list[MeshPart]:
    """Each part, and its mirror image on the right."""
    return [*parts, *(mirrored(p) for p in parts)]


def shirt(
    material: str, low: float, inflate: float, v_neck: float = 0.0, flare: float = 0.0, columns: int = 40
) -> MeshPart:
    """A top from height `low` to the neck, `inflate` off the skin; flare adds width at the hem."""
    angles = ring_angles(columns)
    front = np.exp(-((_wrapped(angles) / 0.42) ** 2))
    top = 1.222 - v_neck * front
    return torso(
        material,
        low,
        top,
        18,
        lambda y: (
            inflate + flare * np.exp(-(((y - low - 0.042) / 0.026) ** 2)) - 0.5 * inflate * smoothstep(1.16, 1.21, y)
        ),
        columns,
    )


def _wrapped(angles: Array) -> Array:
    return np.asarray((angles + np.pi) % (2 * np.pi) - np.pi)


def sailor_collar(material: str, inflate: float = 0.012) -> MeshPart:
    """A square flap behind, lapels that meet in a V before: v runs from the hem (1) to the neck (0)."""
    a = np.linspace(0.06, 2 * np.pi - 0.06, 61)
    w = np.abs(_wrapped(a))
    low_front = np.interp(w, [0.0, 0.35, 0.8, 1.25, 1.57], [1.100, 1.118, 1.152, 1.184, 1.196])
    low = np.where(w < 1.57, low_front, 1.196 - 0.117 * smoothstep(1.86, 1.93, w))
    top = np.interp(w, [0.0, 0.30, 0.7, 1.2, 1.57, np.pi], [1.108, 1.150, 1.205, 1.230, 1.236, 1.238])
    t = np.linspace(0, 1, 8)[:, None]
    lift = inflate + 0.003 * (1 - t) - 0.002 * t
    return torso_sheet(material, low + (top - low) * t, a, lift + 0 * a)


def round_collar(material: str, inflate: float = 0.013) -> MeshPart:
    """A small round collar, parted in front and behind."""
    a = np.linspace(0.05, 2 * np.pi - 0.05, 61)
    w = np.abs(_wrapped(a))
    part = np.minimum(w / 0.5, (np.pi - w) / 0.5)
    low = 1.232 - np.interp(w, [0, 0.3, 1.2, 1.57, 2.2, np.pi], [0.052, 0.060, 0.031, 0.021, 0.036, 0.044]) * np.sqrt(
        np.clip(part, 0.15, 1)
    )
    t = np.linspace(0, 1, 6)[:, None]
    return torso_sheet(material, low + (1.239 - low) * t, a, inflate + 0.002 * (1 - t) - 0.004 * t + 0 * a)


def skirt(
    material: str,
    rings: Sequence[Sequence[float]],
    pleats: int,
    depth: float,
    chains: Sequence[SpringChain],
    *,
    sharp: bool,
    rows: int = 10,
) -> MeshPart:
    """A skirt through rings (y, half width, half depth): pleats of `depth` meters at the hem, sharp or wavy.

    UV: u counts once round, v from waist (0) to hem (1).
    """
    curve = keyed(rings)
    table = np.array(rings)
    y = np.linspace(table[-1, 0], table[0, 0], rows)  # hem first: rows go up
    per = 5
    angle = ring_angles(pleats * per)
    rx, rz = np.moveaxis(curve(y), -1, 0)
    phase = np.linspace(0, pleats, pleats * per + 1)
    wave = (
        np.array([0.0, 0.95, 1.0, 0.25, -0.35])[np.arange(pleats * per + 1) % per]
        if sharp
        else np.sin(2 * np.pi * phase)
    )
    fall = ((table[0, 0] - y) / (table[0, 0] - table[-1, 0])) ** 0.8
    off = depth * fall[:, None] * wave[None, :]
    c, s = superellipse(angle, 2.3)
    x = (rx[:, None] + off) * s
    # behind it falls straighter, so that little of it hangs below a seat
    z = (rz[:, None] * np.where(c < 0, 1 - 0.12 * fall[:, None], 1.0) + off) * c - 0.004 * fall[:, None]
    points = np.stack([x, np.broadcast_to(y[:, None], x.shape), z], -1)
    part = grid_part(material, points, skirt_weights(points, chains), box=(0, 0, 1, 1))
    return part


def skirt_chains(rings: Sequence[Sequence[float]], count: int = 10, joints: int = 3) -> list[SpringChain]:
    """Spring chains that hang round a skirt, their roots on the hips."""
    curve = keyed(rings)
    top, hem = rings[0][0] - 0.055, rings[-1][0]
    y = np.linspace(top, hem, joints + 1)
    rx, rz = np.moveaxis(curve(y), -1, 0)
    out = []
    for k in range(count):
        a = 2 * np.pi * (k + 0.5) / count
        points = np.stack([rx * np.sin(a), y, rz * np.cos(a) - 0.004], -1)
        out.append(SpringChain(f"skirt{k}", tuple(float(-v) for v in y[:-1]), points, "hips", "skirt"))
    return out


def skirt_weights(points: Array, chains: Sequence[SpringChain]) -> dict[str, Array]:
    """Weights (R, C) of a skirt: hips at the waist, then the two nearest chains, shared with the thighs."""
    y = points[..., 1]
    count = len(chains)
    place = (np.arctan2(points[..., 0], points[..., 2]) / (2 * np.pi) % 1.0) * count - 0.5
    out: dict[str, Array] = {}
    # thighs carry much of the cloth: before and beside, it lies on a raised leg from the hip joint on, and sinks
    # between two; behind, it stays on the seat, and its hem comes along under a sitter
    ahead = smoothstep(-0.105, -0.015, points[..., 2])
    between = np.exp(-((points[..., 0] / 0.055) ** 2)) * smoothstep(0.830, 0.700, y)
    before = (0.93 - 0.27 * between) * smoothstep(0.900, 0.800, y)
    behind = 0.66 * smoothstep(0.815, 0.685, y)
    share = behind + (before - behind) * ahead
    for side, sign in (("left", 1), ("right", -1)):
        out[f"{side}UpperLeg"] = share * smoothstep(-0.055, 0.055, sign * points[..., 0])
    for k, c in enumerate(chains):
        distance = np.abs((place - k + count / 2) % count - count / 2)
        near = np.clip(1 - distance, 0, 1)
        joints = [("hips", -9.0), *((f"{c.name}_{j}", s) for j, s in enumerate(c.starts))]
        for joint, w in chain_weights(-y, joints, 0.035).items():
            out[joint] = out.get(joint, 0) + w * near * (1 - share)
    return out


def sleeve(material: str, x0: float, x1: float, inflate: float, puff: float = 0.0, rows: int = 12) -> MeshPart:
    """A sleeve of the left arm; puff swells its middle. One that starts in the torso starts narrow."""

    def root(x: Array) -> Array:
        return smoothstep(x0 - 0.02, x0 + 0.055, x) if x0 < 0.1 else np.ones_like(x)

    return arm(
        material,
        x0,
        x1,
        rows,
        lambda x: inflate * root(x) + puff * np.sin(np.pi * np.clip((x - x0) / (x1 - x0), 0, 1)),
        18,
        box=(0, 1, 1, 0) if x1 > 0.3 else (0, 0, 1, 1),  # cloth gathers at the wrist, or at a short sleeve's shoulder
    )


def sock(material: str, top: float, inflate: float = 0.0022, rows: int = 13) -> MeshPart:
    """A sock of the left leg up to height `top`, with a thicker band at its edge."""
    return leg(material, 0.05, top, rows, lambda y: inflate + 0.0018 * smoothstep(top - 0.03, top - 0.012, y))


# z, half width, top y
_SHOE = keyed(
    [
        (-0.058, 0.010, 0.040),
        (-0.054, 0.0225, 0.056),
        (-0.035, 0.0300, 0.072),
        (-0.010, 0.0320, 0.074),
        (0.020, 0.0325, 0.062),
        (0.050, 0.0350, 0.049),
        (0.080, 0.0370, 0.041),
        (0.105, 0.0345, 0.035),
        (0.122, 0.0255, 0.028),
        (0.131, 0.0100, 0.020),
    ]
)


def shoe(material: str, sole: str, scale: float = 1.0, ankle: float = 0.0) -> list[MeshPart]:
    """The left shoe and its sole. ankle raises its back, for boots and sneakers (meters)."""
    z = np.concatenate([[-0.058, -0.056], np.linspace(-0.048, 0.116, 11), [0.125, 0.129, 0.131]])
    w, top = np.moveaxis(_SHOE(z), -1, 0)
    top = top + ankle * smoothstep(0.03, -0.02, z)
    zero = np.zeros_like(z)

    def loft(material: str, low: Array, high: Array, width: Array, exponent: float) -> MeshPart:
        centers = np.stack([zero + LEG_X, (low + high) / 2, z * scale], -1)
        outline = superellipse(ring_angles(14), exponent)
        points = tube(centers, np.stack([width, zero, zero], -1), np.stack([zero, (high - low) / 2, zero], -1), outline)
        toes = smoothstep(0.060, 0.095, points[..., 2])
        shin = smoothstep(ANKLE_Y + 0.0, ANKLE_Y + 0.05, points[..., 1])
        weights = {"leftFoot": (1 - toes) * (1 - shin), "leftToes": toes, "leftLowerLeg": (1 - toes) * shin}
        return grid_part(material, points, weights, flip=True)

    body = loft(material, zero + 0.006, top, w * scale, 2.5)
    under = loft(sole, zero + 0.0, zero + 0.015, (w + 0.0022) * scale, 5.0)
    return [body, under]


def bow(
    material: str, center: Sequence[float] | Array, size: float, joint: str, *, tails: float = 1.0, facing: float = 0.0
) -> list[MeshPart]:
    """A ribbon bow: two loops, a knot and two tails. size: half its width, meters; facing: yaw, degrees."""
    c, s = np.cos(np.radians(facing)), np.sin(np.radians(facing))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    parts = []

    def place(points: Array, flip: bool = False, knot_uv: bool = False) -> None:
        p = points @ turn.T + np.asarray(center)
        t = grid_triangles(points.shape[0], points.shape[1], flip=flip)
        flat = p.reshape(-1, 3)
        u = np.broadcast_to(np.linspace(0, 1, points.shape[0])[:, None], points.shape[:2])
        v = np.broadcast_to(np.linspace(0, 1, points.shape[1])[None, :], points.shape[:2])
        uv = np.stack([0.9 + 0 * u if knot_uv else u * 0.8, v], -1).reshape(-1, 2)
        parts.append(MeshPart(material, flat, t, uv, {joint: np.ones(len(flat))}, smooth_normals(flat, t)))

    t = np.linspace(0.0, 1, 10)[:, None]
    a = ring_angles(12)[None, :]
    # a loop opens like a fan from the knot and closes in a soft, dented edge
    end = np.sqrt(np.clip(1 - np.clip((t - 0.70) / 0.30, 0, 1) ** 2, 0, 1))
    height = (0.10 + 0.42 * t**0.9) * end * size
    depth = (0.07 + 0.20 * np.sin(np.pi * t**0.8)) * end * size
    for m in (1, -1):
        x = m * t * size * (1.0 - 0.10 * (np.abs(np.cos(a)) * t**3)) + m * 0.05 * size
        y = height * np.sin(a) + 0.16 * size * t**1.3
        z = depth * np.cos(a) + 0.05 * size * t
        place(np.stack([x, y, z], -1), flip=m > 0)
    r = np.linspace(0, np.pi, 8)[:, None]
    knot = np.stack([np.sin(r) * np.sin(a) * 0.15, -np.cos(r) * 0.19 + 0 * a, np.sin(r) * np.cos(a) * 0.20 + 0.07], -1)
    place(knot * size, knot_uv=True)
    if tails:
        s1 = np.linspace(0, 1, 8)[:, None]
        across = np.linspace(-1, 1, 5)[None, :]
        for m in (1, -1):
            half = (0.09 + 0.13 * s1) * size
            x = m * (0.06 + 0.42 * s1) * size + across * half
            y = -(0.08 + 1.05 * tails * s1) * size - 0.10 * size * np.abs(across) * s1**6 * -1
            z = (0.04 + 0.10 * np.sin(s1 * 2.2)) * size - 0.03 * size * across**2
            place(np.stack(np.broadcast_arrays(x, y, z), -1)[::-1])
    return parts


def hood(material: str) -> MeshPart:
    """A hood let down: a thick roll round the neck, widest behind."""
    a = np.linspace(-2.62, 2.62, 33)  # from the front on the right, round the back, to the front on the left
    back = (1 + np.cos(a)) / 2
    center = np.stack(
        [
            0.078 * np.sin(a),
            1.226 - 0.045 * (1 - back) ** 2 - 0.018 * back,
            -0.022 - 0.082 * np.cos(a) * (0.8 + 0.2 * back),
        ],
        -1,
    )
    thick = 0.013 + 0.026 * back
    tangent = unit(np.gradient(center, axis=0))
    side = unit(np.cross(tangent, [0.0, 1.0, 0.0]))
    up = np.cross(side, tangent)
    points = tube(center, side * thick[:, None], up * (thick * 1.05)[:, None], superellipse(ring_angles(14)))
    weights = {"upperChest": 0.8 + 0 * points[..., 0], "neck": 0.2 + 0 * points[..., 0]}
    return grid_part(material, points, weights)


def cord(material: str, side: float) -> MeshPart:
    """One drawstring that hangs from the hood."""
    y = np.linspace(1.172, 1.092, 9)
    x = side * (0.030 + 0.004 * np.sin(np.linspace(0, 3, 9)))
    front = torso_front(y, x) + 0.026
    center = np.stack([x, y, front], -1)
    r = np.full(9, 0.0032) + 0.0018 * (np.arange(9) >= 7)
    zero = np.zeros(9)
    points = tube(center, np.stack([r, zero, zero], -1), np.stack([zero, zero, r], -1), superellipse(ring_angles(8)))
    return grid_part(material, points, torso_weights(points[..., 1]), flip=True)


def torso_front(y: Array, x: Array) -> Array:
    """z of the torso's skin in front, at height y and offset x."""
    angles = np.linspace(-1.3, 1.3, 61)
    rings = torso_rings(y, angles)
    return np.array([np.interp(xx, r[:, 0], r[:, 2]) for xx, r in zip(np.broadcast_to(x, y.shape), rings, strict=True)])


def shorts(material: str, low: float, inflate: float, flare: float = 0.0, rows: int = 9) -> list[MeshPart]:
    """Shorts: hips and two legs down to height `low`, `flare` wider there."""
    hips = torso(material, 0.762, 0.945, 9, inflate, 24)
    legs = leg(material, low, 0.855, rows, lambda y: inflate + flare * smoothstep(0.80, low, y))
    return [hips, *both(legs)]


def belt(material: str, y0: float, y1: float, inflate: float) -> MeshPart:
    """A band round the torso."""
    return torso(material, y0, y1, 3, inflate, 40)


def patch(material: str, y0: float, y1: float, half_angle: float, inflate: float) -> MeshPart:
    """A rectangle on the front of the torso: a pocket or a print."""
    angles = np.linspace(-half_angle, half_angle, 17)
    y = np.linspace(y0, y1, 7)[:, None] + 0 * angles
    return torso_sheet(material, y, angles, inflate + 0 * y)
