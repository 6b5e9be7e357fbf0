"""The body as rings of points: torso, neck, arms and legs, from which both skin and clothes are lofted.

A limb function takes a stretch of the limb and the distance from the skin (`inflate`, meters), so that
a sleeve is the arm's own loft, a little wider. Limbs are made for the left; `part.mirrored` makes the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vrm_synth.builtin_avatar.shapes.loft import keyed, ring_angles, smoothstep, superellipse, tube, unit
from vrm_synth.builtin_avatar.shapes.part import MeshPart, grid_part
from vrm_synth.builtin_avatar.shapes.skeleton import (
    ANKLE_Y,
    ELBOW_X,
    FINGERS,
    KNEE_Y,
    LEG_X,
    SHOULDER,
    WRIST_X,
    finger_path,
)
from vrm_synth.core.transforms import Array

Inflate = float | Callable[[Array], Array]

# y, center z, half width, front depth, back depth
_TORSO = keyed(
    [
        (0.760, 0.000, 0.016, 0.022, 0.030),
        (0.785, 0.000, 0.078, 0.062, 0.072),
        (0.825, -0.001, 0.116, 0.078, 0.090),
        (0.865, -0.001, 0.123, 0.080, 0.091),
        (0.910, 0.000, 0.109, 0.075, 0.077),
        (0.955, 0.000, 0.089, 0.068, 0.064),
        (1.000, -0.002, 0.087, 0.068, 0.062),
        (1.050, -0.006, 0.096, 0.076, 0.067),
        (1.095, -0.010, 0.105, 0.086, 0.072),
        (1.135, -0.013, 0.109, 0.080, 0.073),
        (1.165, -0.016, 0.112, 0.068, 0.070),
        (1.188, -0.018, 0.110, 0.056, 0.063),
        (1.206, -0.019, 0.098, 0.046, 0.054),
        (1.220, -0.020, 0.076, 0.039, 0.046),
        (1.232, -0.021, 0.053, 0.034, 0.040),
        (1.244, -0.021, 0.0385, 0.031, 0.036),
        (1.262, -0.019, 0.0325, 0.029, 0.032),
        (1.300, -0.014, 0.0300, 0.0275, 0.030),
        (1.350, -0.010, 0.0305, 0.028, 0.031),
    ]
)
# x, center y, center z, half height, half depth
_ARM = keyed(
    [
        (0.050, 1.178, -0.014, 0.022, 0.026),
        (0.080, 1.184, -0.013, 0.032, 0.036),
        (0.108, 1.188, -0.012, 0.036, 0.038),
        (0.140, 1.193, -0.012, 0.0335, 0.0355),
        (0.200, 1.195, -0.012, 0.0300, 0.0315),
        (0.290, 1.196, -0.013, 0.0250, 0.0262),
        (ELBOW_X, 1.196, -0.013, 0.0245, 0.0258),
        (0.350, 1.196, -0.011, 0.0262, 0.0260),
        (0.400, 1.196, -0.011, 0.0245, 0.0246),
        (0.470, 1.196, -0.012, 0.0185, 0.0205),
        (WRIST_X, 1.196, -0.012, 0.0150, 0.0190),
        (0.535, 1.196, -0.012, 0.0150, 0.0215),
    ]
)
# y, center x, center z, half width, half depth
_LEG = keyed(
    [
        (0.045, LEG_X, -0.014, 0.0245, 0.032),
        (0.090, LEG_X, -0.014, 0.0222, 0.027),
        (0.180, LEG_X, -0.012, 0.0282, 0.033),
        (0.270, LEG_X, -0.014, 0.0365, 0.0430),
        (0.345, LEG_X, -0.013, 0.0400, 0.0470),
        (0.400, LEG_X, -0.006, 0.0375, 0.0435),
        (KNEE_Y, LEG_X, 0.003, 0.0385, 0.0435),
        (0.490, LEG_X, 0.003, 0.0400, 0.0450),
        (0.560, LEG_X, 0.002, 0.0465, 0.0520),
        (0.650, LEG_X, 0.000, 0.0550, 0.0620),
        (0.740, 0.0715, -0.002, 0.0620, 0.0720),
        (0.800, 0.0670, -0.003, 0.0610, 0.0750),
        (0.862, 0.0580, -0.004, 0.0460, 0.0660),
    ]
)


def chain_weights(t: ArrayLike, joints: Sequence[tuple[str, float]], blend: float) -> dict[str, Array]:
    """Weights along a limb: joint k owns t from its own start, blended over ±blend around it.

    t grows from the first joint to the last; joints: (name, start) in order.
    """
    t = np.asarray(t, np.float64)
    steps = [smoothstep(start - blend, start + blend, t) for _, start in joints[1:]]
    above = [np.ones_like(t), *steps]
    below = [*steps, np.zeros_like(t)]
    return {name: a - b for (name, _), a, b in zip(joints, above, below, strict=True)}


def plain_skin(part: MeshPart, flush: ArrayLike = 0.0, shadow: ArrayLike = 0.25) -> MeshPart:
    """Set the UVs of a skin part: u from plain (0) to flushed (1), v above 0.5 in the painted shadow.

    Parts of other materials are returned unchanged.
    """
    if part.material != "Skin":
        return part
    u = np.broadcast_to(np.asarray(flush, np.float64), (len(part.positions),))
    v = np.broadcast_to(np.asarray(shadow, np.float64), (len(part.positions),))
    return replace(part, uvs=np.stack([u * 0.94 + 0.03, np.clip(v, 0.03, 0.97)], 1))


def torso_weights(y: ArrayLike) -> dict[str, Array]:
    """Spine weights at height y (meters)."""
    return chain_weights(
        y,
        [("hips", 0), ("spine", 0.925), ("chest", 1.02), ("upperChest", 1.115), ("neck", 1.240), ("head", 1.302)],
        0.03,
    )


def torso_rings(y: Array, angles: Array, inflate: ArrayLike = 0.0) -> Array:
    """Points (R, N, 3) of torso and neck at heights y (R,) or (R, N); inflate likewise.

    Angle 0 is the front, π/2 the left side.
    """
    y = np.broadcast_to(y[:, None] if y.ndim == 1 else y, (len(y), len(angles)))
    zc, rx, rf, rb = np.moveaxis(_TORSO(y), -1, 0)
    # chest and hips are boxier than an ellipse, the neck is round
    exponent = 2.0 + 0.35 * (smoothstep(1.235, 1.19, y) * smoothstep(0.78, 0.84, y))
    c, s = superellipse(angles[None, :], exponent)
    off = np.asarray(inflate, np.float64)
    off = off[:, None] if off.ndim == 1 else off
    x = (rx + off) * s
    z = zc + np.where(c >= 0, rf + off, rb + off) * c
    bust = np.exp(-(((np.abs(x) - 0.046) / 0.034) ** 2) - ((y - 1.088) / 0.034) ** 2) * (c > 0)
    seat = np.exp(-(((np.abs(x) - 0.055) / 0.045) ** 2) - ((y - 0.835) / 0.05) ** 2) * (c < 0)
    z = z + 0.014 * bust - 0.010 * seat
    # on the shoulders the surface lies flat: stand off upward there, too
    return np.stack([x, y + off * smoothstep(1.165, 1.205, y) * smoothstep(1.262, 1.235, y), z], -1)


def torso(
    material: str, y0: ArrayLike, y1: ArrayLike, rows: int, inflate: Inflate = 0.0, columns: int = 32, **grid: Any
) -> MeshPart:
    """The torso's skin or a garment over it, from height y0 to y1 (one number, or one a column)."""
    t = np.linspace(0, 1, rows)[:, None]
    angles = ring_angles(columns)
    y = np.asarray(y0) + (np.asarray(y1) - np.asarray(y0)) * t + 0 * angles
    return torso_sheet(material, y, angles, inflate(y) if callable(inflate) else inflate, **grid)


def torso_sheet(material: str, y: Array, angles: Array, inflate: ArrayLike, **grid: Any) -> MeshPart:
    """A sheet on the torso: y (R, N) at angles (N,), standing off by `inflate`."""
    points = torso_rings(y, angles, inflate)
    shoulder = smoothstep(0.070, 0.120, np.abs(points[..., 0])) * smoothstep(1.12, 1.185, points[..., 1])
    weights = {k: w * (1 - shoulder) for k, w in torso_weights(points[..., 1]).items()}
    for side, sign in (("left", 1), ("right", -1)):
        weights[f"{side}Shoulder"] = shoulder * (points[..., 0] * sign > 0)
    part = grid_part(material, points, weights, **grid)
    x, height, z = part.positions.T
    # the chin's shadow: its edge dips in front and rises to the sides
    edge = 1.258 + 6.0 * x**2 + 0.35 * np.clip(-z, 0, None)
    return plain_skin(part, shadow=0.5 + (height - edge) * 12.0)


def arm_rings(x: Array, angles: Array, inflate: ArrayLike = 0.0) -> Array:
    """Points (R, N, 3) of the left arm at x (R,); angle 0 is the front."""
    yc, zc, ry, rz = np.moveaxis(_ARM(x), -1, 0)
    off = np.broadcast_to(np.asarray(inflate, np.float64), x.shape)
    zero = np.zeros_like(x)
    centers = np.stack([x, yc, zc], -1)
    return tube(
        centers, np.stack([zero, ry + off, zero], -1), np.stack([zero, zero, rz + off], -1), superellipse(angles)
    )


def arm_weights(x: ArrayLike) -> dict[str, Array]:
    """Weights of the left arm along x; the forearm's twist joint takes over gradually toward the wrist."""
    joints = [
        ("leftShoulder", 0.0),
        ("leftUpperArm", SHOULDER[0] - 0.002),
        ("leftLowerArm", ELBOW_X),
        ("leftHand", WRIST_X),
    ]
    w = chain_weights(x, joints, 0.022)
    twist = w["leftLowerArm"] * smoothstep(ELBOW_X + 0.02, WRIST_X - 0.02, x)
    return w | {"leftLowerArm": w["leftLowerArm"] - twist, "leftLowerArmTwist": twist}


def arm(
    material: str, x0: float, x1: float, rows: int, inflate: Inflate = 0.0, columns: int = 18, **grid: Any
) -> MeshPart:
    """The left arm's skin or a sleeve over it, from x0 to x1."""
    x = np.linspace(x0, x1, rows)
    points = arm_rings(x, ring_angles(columns), inflate(x) if callable(inflate) else inflate)
    part = grid_part(material, points, arm_weights(points[..., 0]), flip=True, **grid)
    return plain_skin(part, 0.35 * np.exp(-(((part.positions[:, 0] - ELBOW_X) / 0.02) ** 2)) * (part.normals[:, 2] < 0))


def leg_rings(y: Array, angles: Array, inflate: ArrayLike = 0.0) -> Array:
    """Points (R, N, 3) of the left leg at heights y (R,); angle 0 is the front."""
    xc, zc, rx, rz = np.moveaxis(_LEG(y), -1, 0)
    off = np.broadcast_to(np.asarray(inflate, np.float64), y.shape)
    zero = np.zeros_like(y)
    centers = np.stack([xc, y, zc], -1)
    return tube(
        centers, np.stack([rx + off, zero, zero], -1), np.stack([zero, zero, rz + off], -1), superellipse(angles)
    )


def leg_weights(y: ArrayLike) -> dict[str, Array]:
    """Weights of the left leg along its height."""
    down = -np.asarray(y, np.float64)
    w = chain_weights(
        down, [("hips", -2), ("leftUpperLeg", -0.845), ("leftLowerLeg", -KNEE_Y), ("leftFoot", -ANKLE_Y)], 0.045
    )
    helped = 0.15 * np.exp(-(((down + KNEE_Y) / 0.03) ** 2))
    return {j: v * (1 - helped) for j, v in w.items()} | {"leftKneeHelper": helped}


def leg(
    material: str, y0: float, y1: float, rows: int, inflate: Inflate = 0.0, columns: int = 20, **grid: Any
) -> MeshPart:
    """The left leg's skin, or a sock or trouser leg over it, from height y0 up to y1."""
    y = np.linspace(y0, y1, rows)
    points = leg_rings(y, ring_angles(columns), inflate(y) if callable(inflate) else inflate)
    part = grid_part(material, points, leg_weights(points[..., 1]), **grid)
    return plain_skin(
        part, 0.6 * np.exp(-(((part.positions[:, 1] - KNEE_Y) / 0.028) ** 2)) * np.clip(part.normals[:, 2], 0, 1)
    )


# distance from the wrist, half thickness, half width, center z
_PALM = keyed(
    [
        (-0.012, 0.0150, 0.0190, -0.001),
        (0.006, 0.0148, 0.0205, 0.000),
        (0.024, 0.0140, 0.0270, 0.000),
        (0.048, 0.0125, 0.0320, -0.002),
        (0.068, 0.0108, 0.0345, -0.004),
        (0.081, 0.0080, 0.0335, -0.005),
        (0.087, 0.0030, 0.0300, -0.005),
    ]
)


def hand(material: str) -> list[MeshPart]:
    """The left hand: a palm and five fingers that run into it. UV u is how pink the skin is."""
    d = np.concatenate([np.linspace(-0.012, 0.075, 8), [0.081, 0.085, 0.087]])
    thick, width, zc = np.moveaxis(_PALM(d), -1, 0)
    zero = np.zeros_like(d)
    wrist = np.array([WRIST_X, SHOULDER[1], SHOULDER[2]])
    centers = np.stack([d, zero - 0.002 * smoothstep(0, 0.06, d), zc], -1) + wrist
    outline = superellipse(ring_angles(16), 2.7)
    points = tube(centers, np.stack([zero, thick, zero], -1), np.stack([zero, zero, width], -1), outline)
    t = points[..., 0] - WRIST_X
    palm = grid_part(
        material, points, chain_weights(t, [("leftLowerArmTwist", -1), ("leftHand", -0.004)], 0.014), flip=True
    )
    return [plain_skin(palm, 0.0), *(_finger(material, f) for f in ("Thumb", *FINGERS))]


def _finger(material: str, finger: str) -> MeshPart:
    path = np.array(finger_path(finger))
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    total = float(starts[-1])
    base = {"Thumb": 0.0120, "Index": 0.0085, "Middle": 0.0090, "Ring": 0.0085, "Little": 0.0074}[finger]
    root = -0.016 if finger == "Thumb" else -0.012
    t = np.concatenate([np.linspace(root, total * 0.84, 9), total * np.array([0.91, 0.965, 0.99, 1.0])])
    # full at the joints, a little slimmer between them, round at the tip
    slim = 1.0 - 0.25 * smoothstep(0, total, t) + 0.04 * np.cos(2 * np.pi * t / lengths[0])
    cap = np.sqrt(np.clip(1 - np.clip((t / total - 0.80) / 0.20, 0, 1) ** 2.6, 0.0004, 1))
    radius = base * slim * cap
    direction = unit(path[1] - path[0])
    centers = path[0] + direction * t[:, None]
    side = unit(np.cross(direction, [0.0, 1.0, 0.0]))
    up = np.cross(side, direction)
    points = tube(centers, radius[:, None] * up, radius[:, None] * side * 0.98, superellipse(ring_angles(8)))
    parts = ("Metacarpal", "Proximal", "Distal") if finger == "Thumb" else ("Proximal", "Intermediate", "Distal")
    joints = [("leftHand", -1.0), *((f"left{finger}{p}", s) for p, s in zip(parts, starts, strict=False))]
    along = np.broadcast_to(t[:, None], points.shape[:2])
    flip = bool(np.dot(np.cross(side, up), direction) < 0)
    part = grid_part(material, points, chain_weights(along, joints, 0.007), flip=flip)
    return plain_skin(part, 0.55 * smoothstep(total * 0.6, total, along).reshape(-1))
