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

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.transforms import Array, decompose, quat_between, quat_inverse, quat_mul, quat_rotate
from vrm_synth.pose.node_tree import Index, LocalTransforms, NodeTree
from vrm_synth.vrm.avatar import Avatar, Constraint

KINDS = ("roll", "rotation", "aim")
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
class ConstraintBatch:
    """K constraints of one kind that don't depend on each other: node (K,), source (K,), weight (K,), axis (K, 3)."""

    kind: str
    node: Index
    source: Index
    weight: Array
    axis: Array


def build_constraints(avatar: Avatar, tree: NodeTree) -> tuple[ConstraintBatch, ...]:
    """Constraints in batches, in working order. Raises AvatarError, naming the nodes, where they form a ring."""
    kept = [c for c in avatar.constraints if tree.in_scene[c.node] and tree.in_scene[c.source]]
    by_node: dict[int, list[int]] = {}
    for i, c in enumerate(kept):
        by_node.setdefault(c.node, []).append(i)
    needs = [sorted({j for n in _reads(c, tree) for j in by_node.get(n, ())}) for c in kept]
    groups: dict[tuple[int, int], list[Constraint]] = {}
    for c, step in zip(kept, _steps(avatar, kept, needs), strict=True):
        groups.setdefault((step, KINDS.index(c.kind)), []).append(c)
    return tuple(_batch(KINDS[kind], groups[step, kind]) for step, kind in sorted(groups))


def apply_constraints(batches: tuple[ConstraintBatch, ...], tree: NodeTree, local: LocalTransforms) -> LocalTransforms:
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


def _roll(batch: ConstraintBatch, tree: NodeTree, local: LocalTransforms, rest: Array) -> Array:
    source_rest = tree.rest.rotation[batch.source]
    # The source's turn since rest, in its parent's frame, then in the destination's own frame at rest.
    delta = quat_mul(local.rotation[batch.source], quat_inverse(source_rest))
    delta = quat_mul(quat_mul(quat_inverse(rest), delta), rest)
    bend = quat_between(batch.axis, quat_rotate(delta, batch.axis))
    return quat_mul(rest, quat_mul(quat_inverse(bend), delta))


def _rotation(batch: ConstraintBatch, tree: NodeTree, local: LocalTransforms, rest: Array) -> Array:
    return quat_mul(rest, quat_mul(quat_inverse(tree.rest.rotation[batch.source]), local.rotation[batch.source]))


def _aim(batch: ConstraintBatch, tree: NodeTree, local: LocalTransforms, rest: Array) -> Array:
    # Only these nodes' paths, not the tree: in a long chain of aims that would be all nodes for each of them.
    above = np.array([tree.world_of(int(p), local) for p in tree.parent[batch.node]])
    place = (above[:, :3, :3] @ local.translation[batch.node][:, :, None])[:, :, 0] + above[:, :3, 3]
    target = np.array([tree.world_of(int(s), local)[:3, 3] for s in batch.source])
    parent = np.array([decompose(m)[1] for m in above])
    origin = quat_rotate(quat_mul(parent, rest), batch.axis)
    offset = target - place
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    # A source in the very place of its destination gives no direction: the rest direction stays.
    toward = np.where(distance > 0, offset / np.where(distance > 0, distance, 1.0), origin)
    turn = quat_between(origin, toward)
    return quat_mul(quat_mul(quat_mul(quat_inverse(parent), turn), parent), rest)


_TARGETS = {"roll": _roll, "rotation": _rotation, "aim": _aim}


def _reads(c: Constraint, tree: NodeTree) -> list[int]:
    """The nodes whose local rotation decides this constraint's result."""
    if c.kind == "aim":
        return [*tree.path(c.source), *tree.path(c.node)[:-1]]
    return [c.source]


def _steps(avatar: Avatar, constraints: Sequence[Constraint], needs: Sequence[Sequence[int]]) -> list[int]:
    """For each constraint the step at which all it needs is done (Kahn's algorithm)."""
    needed_by: list[list[int]] = [[] for _ in constraints]
    for i, needed in enumerate(needs):
        for j in needed:
            needed_by[j].append(i)
    missing = [len(needed) for needed in needs]
    step = [0] * len(constraints)
    ready = [i for i, count in enumerate(missing) if count == 0]
    for i in ready:  # grows on the way
        for k in needed_by[i]:
            step[k] = max(step[k], step[i] + 1)
            missing[k] -= 1
            if missing[k] == 0:
                ready.append(k)
    if len(ready) < len(constraints):
        stuck = [i for i, count in enumerate(missing) if count]
        names = ", ".join(_name(avatar, i) for i in _ring(stuck, needs, constraints))
        raise AvatarError("node constraints depend on each other in a ring", got=names, where=avatar.source)
    return step


def _ring(stuck: Sequence[int], needs: Sequence[Sequence[int]], constraints: Sequence[Constraint]) -> list[int]:
    """The destination nodes along one ring among the constraints that can never be ready."""
    pending = set(stuck)
    place: dict[int, int] = {}  # constraint → its place on the walk
    at = stuck[0]
    while at not in place:
        place[at] = len(place)
        at = next(j for j in needs[at] if j in pending)
    return [constraints[i].node for i in list(place)[place[at] :]]


def _name(avatar: Avatar, node: int) -> str:
    return avatar.nodes[node].name or f"nodes[{node}]"


def _batch(kind: str, group: Sequence[Constraint]) -> ConstraintBatch:
    return ConstraintBatch(
        kind,
        np.array([c.node for c in group], np.intp),
        np.array([c.source for c in group], np.intp),
        np.array([c.weight for c in group], np.float64),
        np.array([AXES[c.axis] if c.axis else (0.0, 0.0, 0.0) for c in group], np.float64),
    )
