"""Node constraints (VRMC_node_constraint-1.0): roll, aim and rotation, in the order of their dependencies.

A roll or rotation constraint reads its source's local rotation; an aim constraint reads the world
places of its source and of itself. So a roll or rotation depends on the constraints that turn its
source, and an aim on those that turn its source, or anything above its source or itself. All
constraints of one step of that order, and of one kind, are worked out together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vrm_synth.avatar.model import Avatar, Constraint
from vrm_synth.core.errors import AvatarError
from vrm_synth.core.transforms import (
    Array,
    decompose,
    quat_between,
    quat_inverse,
    quat_mul,
    quat_rotate,
)
from vrm_synth.pose.tree import Index, Local, Tree

AXES = {
    "X": (1.0, 0.0, 0.0),
    "Y": (0.0, 1.0, 0.0),
    "Z": (0.0, 0.0, 1.0),
    "PositiveX": (1.0, 0.0, 0.0),
    "NegativeX": (-1.0, 0.0, 0.0),
    "PositiveY": (0.0, 1.0, 0.0),
    "NegativeY": (0.0, -1.0, 0.0),
    "PositiveZ": (0.0, 0.0, 1.0),
    "NegativeZ": (0.0, 0.0, -1.0),
}


@dataclass(frozen=True, eq=False)
class Batch:
    """K constraints of one kind that don't depend on each other: node (K,), source (K,), weight (K,), axis (K, 3)."""

    kind: str
    node: Index
    source: Index
    weight: Array
    axis: Array


def build_constraints(avatar: Avatar, tree: Tree) -> tuple[Batch, ...]:
    """Constraints in batches, in working order. Raises AvatarError, naming the nodes, where they form a ring."""
    kept = [c for c in avatar.constraints if tree.in_scene[c.node] and tree.in_scene[c.source]]
    by_node: dict[int, list[int]] = {}
    for i, c in enumerate(kept):
        by_node.setdefault(c.node, []).append(i)
    needs = [[j for n in _reads(c, tree) for j in by_node.get(n, ())] for c in kept]
    step = _steps(avatar, kept, needs)
    batches = []
    for level in range(max(step, default=-1) + 1):
        for kind in ("roll", "rotation", "aim"):
            group = [c for c, s in zip(kept, step, strict=True) if s == level and c.kind == kind]
            if group:
                batches.append(_batch(kind, group))
    return tuple(batches)


def apply_constraints(batches: tuple[Batch, ...], tree: Tree, local: Local) -> Local:
    """The local transforms after all constraints."""
    for batch in batches:
        rest = tree.rest.rotation[batch.node]
        target = _TARGETS[batch.kind](batch, tree, local, rest)
        local = local.turned(batch.node, slerp(rest, target, batch.weight))
    return local


def slerp(a: Array, b: Array, t: Array) -> Array:
    """Spherical interpolation along the shorter arc: unit quaternions (K, 4), t (K,) in 0..1."""
    cos = np.sum(a * b, -1, keepdims=True)
    b, cos = np.where(cos < 0, -b, b), np.minimum(np.abs(cos), 1.0)
    angle = np.arccos(cos)
    sin = np.sin(angle)
    near = sin < 1e-9
    safe = np.where(near, 1.0, sin)
    t = t[:, None]
    out = np.where(near, (1 - t) * a + t * b, (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / safe)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def _roll(batch: Batch, tree: Tree, local: Local, rest: Array) -> Array:
    source_rest = tree.rest.rotation[batch.source]
    # The source's turn since rest, in its parent's frame, then in the destination's own frame at rest.
    delta = quat_mul(local.rotation[batch.source], quat_inverse(source_rest))
    delta = quat_mul(quat_mul(quat_inverse(rest), delta), rest)
    bend = quat_between(batch.axis, quat_rotate(delta, batch.axis))
    return quat_mul(rest, quat_mul(quat_inverse(bend), delta))


def _rotation(batch: Batch, tree: Tree, local: Local, rest: Array) -> Array:
    return quat_mul(rest, quat_mul(quat_inverse(tree.rest.rotation[batch.source]), local.rotation[batch.source]))


def _aim(batch: Batch, tree: Tree, local: Local, rest: Array) -> Array:
    world = tree.world(local)
    parents = tree.parent[batch.node]
    parent = np.array([decompose(world[p])[1] if p >= 0 else (0.0, 0.0, 0.0, 1.0) for p in parents])
    origin = quat_rotate(quat_mul(parent, rest), batch.axis)
    offset = world[batch.source, :3, 3] - world[batch.node, :3, 3]
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    # A source in the very place of its destination gives no direction: the rest direction stays.
    toward = np.where(distance > 0, offset / np.where(distance > 0, distance, 1.0), origin)
    turn = quat_between(origin, toward)
    return quat_mul(quat_mul(quat_mul(quat_inverse(parent), turn), parent), rest)


_TARGETS = {"roll": _roll, "rotation": _rotation, "aim": _aim}


def _reads(c: Constraint, tree: Tree) -> list[int]:
    """The nodes whose local rotation decides this constraint's result."""
    if c.kind == "aim":
        return [*tree.path(c.source), *tree.path(c.node)[:-1]]
    return [c.source]


def _steps(avatar: Avatar, constraints: Sequence[Constraint], needs: Sequence[Sequence[int]]) -> list[int]:
    """For each constraint the step at which all it needs is done."""
    step: dict[int, int] = {}
    while len(step) < len(constraints):
        ready = [i for i in range(len(constraints)) if i not in step and all(j in step for j in needs[i])]
        if not ready:
            stuck = [i for i in range(len(constraints)) if i not in step]
            names = ", ".join(_name(avatar, i) for i in _ring(stuck, needs, constraints))
            raise AvatarError("node constraints depend on each other in a ring", got=names, where=avatar.source)
        step |= {i: max((step[j] + 1 for j in needs[i]), default=0) for i in ready}
    return [step[i] for i in range(len(constraints))]


def _ring(stuck: Sequence[int], needs: Sequence[Sequence[int]], constraints: Sequence[Constraint]) -> list[int]:
    """The destination nodes along one ring among the constraints that can never be ready."""
    pending = set(stuck)
    walk = [stuck[0]]
    while True:
        onward = next(j for j in needs[walk[-1]] if j in pending)
        if onward in walk:
            return [constraints[i].node for i in walk[walk.index(onward) :]]
        walk.append(onward)


def _name(avatar: Avatar, node: int) -> str:
    return avatar.nodes[node].name or f"nodes[{node}]"


def _batch(kind: str, group: Sequence[Constraint]) -> Batch:
    return Batch(
        kind,
        np.array([c.node for c in group], np.intp),
        np.array([c.source for c in group], np.intp),
        np.array([c.weight for c in group], np.float64),
        np.array([AXES[c.axis] if c.axis else (0.0, 0.0, 0.0) for c in group], np.float64),
    )
