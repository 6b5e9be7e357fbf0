"""Build spring-bone colliders, springs and node constraints of the built-in avatar."""

from __future__ import annotations

from collections.abc import Sequence

from vrm_synth.builtin_avatar.shapes.locks import SpringChain
from vrm_synth.builtin_avatar.shapes.skeleton import Skeleton
from vrm_synth.gltf.model import Vec3
from vrm_synth.vrm.avatar import Collider, Constraint, Spring, SpringJoint

# joint, offset, radius, and for a capsule its tail; meters, base proportions
_HEAD: list[tuple[str, Vec3, float, Vec3 | None]] = [
    ("head", (0.0, 0.108, -0.004), 0.082, None),
    ("head", (0.0, 0.045, 0.012), 0.056, None),
    ("neck", (0.0, 0.0, 0.0), 0.034, (0.0, 0.055, 0.006)),
]
_CHEST: list[tuple[str, Vec3, float, Vec3 | None]] = [
    ("upperChest", (0.052, -0.02, 0.0), 0.066, None),
    ("upperChest", (-0.052, -0.02, 0.0), 0.066, None),
    ("leftUpperArm", (0.0, -0.004, 0.0), 0.030, (0.20, 0.0, 0.0)),
    ("rightUpperArm", (0.0, -0.004, 0.0), 0.030, (-0.20, 0.0, 0.0)),
]
_LEGS: list[tuple[str, Vec3, float, Vec3 | None]] = [
    ("hips", (0.0, -0.01, 0.0), 0.082, None),
    ("leftUpperLeg", (0.0, -0.02, 0.0), 0.058, (0.0, -0.34, 0.0)),
    ("rightUpperLeg", (0.0, -0.02, 0.0), 0.058, (0.0, -0.34, 0.0)),
]
GROUPS = {"hair": (*_HEAD, *_CHEST), "skirt": (*_LEGS,)}


def build_colliders(skeleton: Skeleton, scale: float) -> tuple[tuple[Collider, ...], dict[str, tuple[int, ...]]]:
    """Build the colliders, and for each kind of chain the indices of those that it collides with."""
    rows = [*_HEAD, *_CHEST, *_LEGS]
    index = {id(r): i for i, r in enumerate(rows)}

    def scaled(v: Vec3) -> Vec3:
        return v[0] * scale, v[1] * scale, v[2] * scale

    colliders = tuple(
        Collider(skeleton.index(j), "sphere", scaled(o), r * scale)
        if tail is None
        else Collider(skeleton.index(j), "capsule", scaled(o), r * scale, scaled(tail))
        for j, o, r, tail in rows
    )
    return colliders, {kind: tuple(index[id(r)] for r in group) for kind, group in GROUPS.items()}


def build_springs(
    skeleton: Skeleton, chains: Sequence[SpringChain], groups: dict[str, tuple[int, ...]], scale: float
) -> tuple[Spring, ...]:
    """Build one spring per chain; long tails swing more than short locks, skirts keep their shape best."""
    return tuple(_spring(skeleton, c, groups[c.kind], scale) for c in chains)


def _spring(skeleton: Skeleton, c: SpringChain, colliders: tuple[int, ...], scale: float) -> Spring:
    nodes = [skeleton.index(f"{c.name}_{k}") for k in range(len(c.points))]
    long = len(nodes) > 4
    stiffness, gravity, drag = (
        (1.6, 0.10, 0.45) if c.kind == "skirt" else (0.7, 0.14, 0.42) if long else (1.3, 0.06, 0.5)
    )
    joints = tuple(
        SpringJoint(
            node,
            nodes[k + 1],
            hit_radius=(0.012 if c.kind == "skirt" else 0.010) * scale,
            stiffness=stiffness * (1.0 - 0.12 * k),
            gravity_power=gravity,
            drag_force=drag,
        )
        for k, node in enumerate(nodes[:-1])
    )
    return Spring(c.name, joints, colliders)


def build_constraints(skeleton: Skeleton) -> tuple[Constraint, ...]:
    """Build the constraints: the forearm takes half of the hand's roll, the knee helper half of the shin's rotation."""
    out = []
    for side in ("left", "right"):
        twist, hand = skeleton.index(f"{side}LowerArmTwist"), skeleton.index(f"{side}Hand")
        knee, shin = skeleton.index(f"{side}KneeHelper"), skeleton.index(f"{side}LowerLeg")
        out += [Constraint(twist, "roll", hand, 0.5, "X"), Constraint(knee, "rotation", shin, 0.5)]
    return tuple(out)
