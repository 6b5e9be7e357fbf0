"""Spring bones (VRMC_springBone-1.0 and its extended colliders): settled under a posed skeleton.

Every step of 1/60 s visits a joint after the joints above it, so a chain of K joints looks as if it
needed K rounds of small numpy calls a step. But a joint at level k of step s needs only level k−1 of
step s, so all levels run in ONE round: at tick t level k works on step t − k (a wavefront). Two seconds
cost 120 + K rounds whatever the chains' length. `lag` says how many ticks ago a joint's driver was at
the joint's own step; `History` remembers that far.

What the specification leaves to the reader, and what we do:
- The center space changes inertia only where its node moves between steps. Here the skeleton stands
  still while the springs settle, and a center must not hang on another spring, so it has no effect.
- Radii are metres in the world: the pseudo-code does not scale them by the nodes.
- A joint that two springs share (prohibited) belongs to the last one that names it.
- A collider may hang on a spring joint that itself waits for it: then it is read one step late.
- VRM 0.x leaf: the end lies 7 cm further along the world direction from parent to joint (UniVRM).
  three-vrm uses the joint's own translation as if it were a direction in the joint's own frame:
  `reference_quirks` does so too. They agree wherever bones are not rotated or scaled at rest.
- A bone keeps its length. three-vrm measures it anew at every step, from the joint's place now to its
  child node's place a step ago, so that it breathes while the chain moves; `reference_quirks` does so too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError, ShotError
from vrm_synth.core.transforms import Array, quat_between, quat_matrix, quat_mul
from vrm_synth.pose.colliders import TINY, ColliderRig, Obstacles, at_length, build_colliders, norm
from vrm_synth.pose.node_tree import Index, LocalTransforms, NodeTree
from vrm_synth.vrm.avatar import Avatar, SpringJoint

STEP = 1 / 60
MAX_SETTLE_SECONDS = 60.0
# Pairs of a joint and a collider that one simulated second may visit; a joint itself counts for 10, a place for a
# collider for 500 and a round for 1000: some seconds of work. 200 joints with 100 colliders each need 5 million.
MAX_WORK = 30_000_000
LEAF_LENGTH = 0.07
MIN_BONE_LENGTH = 1e-9  # metres of a bone: of less, positions have too few digits to tell where it points
NO_WIND = (0.0, 0.0, 0.0)
_EYE = np.eye(3)
SettleInputs = tuple[bytes, bytes, bytes, int, bool]


@dataclass(frozen=True, eq=False)
class SpringRig:
    """The spring joints of an avatar; J of them can swing.

    spring_nodes: nodes of all spring joints, able to swing or not; all are put to rest before settling.
    node: (J,) the joint's node.
    driver: (J,) index of the nearest joint above; J for none.
    level: (J,) number of joints above that the joint waits for.
    tail: (J, 3) end of the bone at rest, metres in the joint's frame.
    quirk_tail: (J, 3) the same as three-vrm has it.
    leaf: (J,) true where no node is at the end.
    inertia, stiffness, hit_radius: (J,) 1 − dragForce; stiffness; metres.
    gravity: (J, 3) direction times power, world axes.
    colliders: all colliders that a joint may hit, C of them.
    hits: (J, S) indices of the colliders of each joint in order, C where there are fewer.
    lag: (J,) ticks back to the driver's state.
    hit_lag: (J, S) the same for what carries each collider.
    stride: ticks a step.
    """

    spring_nodes: Index
    node: Index
    driver: Index
    level: Index
    tail: Array
    quirk_tail: Array
    leaf: NDArray[np.bool_]
    inertia: Array
    stiffness: Array
    hit_radius: Array
    gravity: Array
    colliders: ColliderRig
    hits: Index
    lag: Index
    hit_lag: Index
    stride: int


# rig → the inputs of the last settling, and its result
_LAST_SETTLED: WeakKeyDictionary[SpringRig, tuple[SettleInputs, Array]] = WeakKeyDictionary()


# ---------------------------------------------------------------- once an avatar


def build_springs(avatar: Avatar, tree: NodeTree) -> SpringRig:
    """The springs of an avatar. Joints outside the scene, without length, or scaled to nothing stay still."""
    chosen: dict[int, tuple[SpringJoint, tuple[int, ...]]] = {}
    for spring in avatar.springs:
        for joint in spring.joints:
            if tree.in_scene[joint.node]:
                chosen[joint.node] = (joint, spring.colliders)
    tails = {n: (_tail(tree, j), _quirk_tail(tree, j)) for n, (j, _) in chosen.items()}
    nodes = [n for n in chosen if _invertible(tree.rest_world[n]) and _length(tree, n, tails[n][0]) > MIN_BONE_LENGTH]
    joints = [chosen[n][0] for n in nodes]
    row = {n: i for i, n in enumerate(nodes)}

    carrier = _carriers(avatar, tree, row)
    driver = np.array([carrier[tree.parent[n]] for n in nodes], np.intp)
    used = sorted({c for n in nodes for c in chosen[n][1] if tree.in_scene[avatar.colliders[c].node]})
    colliders = build_colliders(
        [avatar.colliders[c] for c in used],
        np.array([carrier[avatar.colliders[c].node] for c in used], np.intp),
    )
    slot = {c: i for i, c in enumerate(used)}
    lists = [[slot[c] for c in chosen[n][1] if c in slot] for n in nodes]
    hits = np.full((len(nodes), max(map(len, lists), default=0)), len(used), np.intp)
    for i, members in enumerate(lists):
        hits[i, : len(members)] = members

    level, stride = _levels(driver, hits, colliders.driver)
    _check_cost(avatar, hits, int(level.max(initial=0)), stride)
    level_of = np.append(level, -1)  # the last row stands for "no driver"
    hit_lag = level[:, None] - level_of[np.append(colliders.driver, len(nodes))[hits]]
    return SpringRig(
        spring_nodes=np.array(list(chosen), np.intp),
        node=np.array(nodes, np.intp),
        driver=driver,
        level=level,
        tail=np.array([tails[n][0] for n in nodes]).reshape(-1, 3),
        quirk_tail=np.array([tails[n][1] for n in nodes]).reshape(-1, 3),
        leaf=np.array([j.tail is None for j in joints], bool),
        inertia=np.array([1 - j.drag_force for j in joints]),
        stiffness=np.array([j.stiffness for j in joints]),
        hit_radius=np.array([j.hit_radius for j in joints]),
        gravity=np.array([np.multiply(j.gravity_dir, j.gravity_power) for j in joints]).reshape(-1, 3),
        colliders=colliders,
        hits=hits,
        lag=level - level_of[driver],
        hit_lag=np.where(hit_lag >= 1, hit_lag, hit_lag + stride),
        stride=stride,
    )


def _check_cost(avatar: Avatar, hits: Index, levels: int, stride: int) -> None:
    """Raise AvatarError for springs that wait for each other in so long a row that a second would take many."""
    ticks = round(1 / STEP) * stride + levels
    work = ticks * (hits.size + 10 * len(hits) + 500 * hits.shape[1] + 1000)
    if work > MAX_WORK:
        raise AvatarError(
            "springs have too many colliders, or wait for each other's in too long a row",
            got=f"{len(hits)} joints, {hits.shape[1]} colliders each, {ticks} rounds a second",
            allowed=f"{MAX_WORK:.0e} pairs of joint and collider a second",
            where=avatar.source,
        )


def _tail(tree: NodeTree, joint: SpringJoint) -> Array:
    world = tree.rest_world[joint.node]
    if not _invertible(world):
        return np.zeros(3)
    if joint.tail is not None:
        end = tree.rest_world[joint.tail][:3, 3]
    else:
        parent = int(tree.parent[joint.node])
        along = world[:3, 3] - (tree.rest_world[parent][:3, 3] if parent >= 0 else 0.0)
        end = world[:3, 3] + LEAF_LENGTH * along / max(float(np.linalg.norm(along)), TINY)
    return np.asarray(np.linalg.solve(world[:3, :3], end - world[:3, 3]), np.float64)


def _quirk_tail(tree: NodeTree, joint: SpringJoint) -> Array:
    if joint.tail is not None:
        return tree.rest.translation[joint.tail]
    own = tree.rest.translation[joint.node]
    return LEAF_LENGTH * own / max(float(np.linalg.norm(own)), TINY)


def _length(tree: NodeTree, node: int, tail: Array) -> float:
    return float(np.linalg.norm(tree.rest_world[node][:3, :3] @ tail))


def _invertible(world: Array) -> bool:
    return bool(abs(np.linalg.det(world[:3, :3])) > 1e-18)


def _carriers(avatar: Avatar, tree: NodeTree, row: dict[int, int]) -> Index:
    """(N + 1,): the nearest joint at or above each node, or J; the last row stands for "no node"."""
    out = np.full(len(avatar.nodes) + 1, len(row), np.intp)
    for n in avatar.scene_nodes:  # parents before children
        out[n] = row.get(n, int(out[tree.parent[n]]))
    return out


def _levels(driver: Index, hits: Index, carried_by: Index) -> tuple[Index, int]:
    """Level of each joint, and ticks a step: 1, or as many as there are levels where joints and the colliders
    they carry wait for each other in a ring."""
    count = len(driver)
    needs = np.append(carried_by, count)[hits]
    level = _relax(driver[:, None])
    both = _relax(np.concatenate([driver[:, None], needs], 1))
    if both is not None:
        return both, 1
    assert level is not None  # a tree has no rings
    return level, int(level.max()) + 1


def _relax(needs: Index) -> Index | None:
    """0 for joints that need none, else one more than the highest they need; None where they form a ring."""
    count = len(needs)
    level = np.zeros(count + 1, np.intp)
    level[count] = -1
    for _ in range(count + 1):
        new = level[needs].max(1) + 1
        if np.array_equal(new, level[:count]):
            return new
        level[:count] = new
    return None


# ---------------------------------------------------------------- once a pose


def settle(
    rig: SpringRig,
    tree: NodeTree,
    local: LocalTransforms,
    seconds: float | None,
    *,
    wind: Sequence[float] = NO_WIND,
    reference_quirks: bool = False,
) -> LocalTransforms:
    """The local transforms after `seconds` (0..60) of swinging, in round(seconds·60) steps; None: at rest.

    Springs start at rest, tails still, under the skeleton as posed. wind: a steady push (3,) in world axes that
    is added to every joint's gravity, in gravityPower's unit (UniVRM's external force). Raises ShotError.
    """
    if seconds is not None and not (isinstance(seconds, Real) and 0 <= seconds <= MAX_SETTLE_SECONDS):
        raise ShotError("bad settle_seconds", got=seconds, allowed=f"0..{MAX_SETTLE_SECONDS:g}")
    if len(rig.spring_nodes) == 0:
        return local
    local = local.turned(rig.spring_nodes, tree.rest.rotation[rig.spring_nodes])
    steps = math.floor((seconds or 0.0) * 60 + 0.5)
    if steps == 0 or len(rig.node) == 0:
        return local
    tail = rig.quirk_tail if reference_quirks else rig.tail
    axis = tail / np.maximum(np.linalg.norm(tail, axis=-1, keepdims=True), TINY)
    outer = (rig.gravity + np.asarray(wind, np.float64)) * STEP
    world = tree.world(local)
    # A shot is settled to plan its camera and again to be drawn, when only its eyes may have moved since. The same
    # inputs give the same result.
    inputs = (world[rig.node].tobytes(), world[rig.colliders.node].tobytes(), outer.tobytes(), steps, reference_quirks)
    known = _LAST_SETTLED.get(rig)
    if known is None or known[0] != inputs:
        known = _LAST_SETTLED[rig] = (inputs, _swing(rig, tree, world, tail, axis, steps, outer, reference_quirks))
    toward = known[1]
    return local.turned(rig.node, quat_mul(tree.rest.rotation[rig.node], quat_between(axis, toward)))


def _swing(
    rig: SpringRig,
    tree: NodeTree,
    world: Array,
    tail: Array,
    axis: Array,
    steps: int,
    outer: Array,
    reference_quirks: bool,
) -> Array:
    """Directions (J, 3), in each joint's resting frame, that the bones point in after `steps` steps.

    outer: (J, 3) metres that gravity and wind push a tail in one step.
    """
    count, stride, last = len(rig.node), rig.stride, int(rig.level.max())
    resting = world[rig.node]
    driver_world = np.concatenate([resting, np.eye(4)[None]])
    driver_from_joint = np.linalg.inv(driver_world[rig.driver]) @ resting
    scale = tree.scale[rig.node]
    size = _even_size(resting) if np.all(scale == scale[:, :1]) else None
    lever = (resting[:, :3, :3] @ tail[:, :, None])[:, :, 0]
    length = np.sqrt(np.vecdot(lever, lever))
    push, inertia = rig.stiffness * STEP, rig.inertia[:, None]
    # Where scales are even, a joint's frame makes all that is turned as much longer, at every step.
    gain = None if size is None else (push / size)[:, None]
    reach = None if size is None else np.maximum(length * size, TINY)[:, None]
    colliders = None
    if rig.hits.size:
        colliders = Obstacles(rig.colliders, rig.hits, rig.hit_lag, rig.hit_radius, world, driver_world)

    depth = int(max(rig.lag.max(), rig.hit_lag.max(initial=1))) + 1
    history = np.tile(driver_world, (depth, 1, 1, 1))  # (tick modulo depth, joint, 4, 4)
    now = before = resting[:, :3, 3] + lever
    toward, posed = axis, resting
    for tick in range((steps - 1) * stride + last + 1):
        frame = history[(tick - rig.lag) % depth, rig.driver] @ driver_from_joint
        place, linear = frame[:, :3, 3], frame[:, :3, :3]
        stiff = (linear @ axis[:, :, None])[:, :, 0]
        stiff *= (push / norm(stiff))[:, None] if gain is None else gain
        if reference_quirks:
            measured = norm(place - posed[:, :3, 3] - (posed[:, :3, :3] @ tail[:, :, None])[:, :, 0])
            length = np.where(rig.leaf, length, measured)
            reach = None if size is None else np.maximum(length * size, TINY)[:, None]
        goal = at_length(now + (now - before) * inertia + stiff + outer, place, length)
        if colliders is not None:
            goal = colliders.push_out(goal, place, length, history, tick)
        back = np.linalg.inv(linear) if size is None else linear.swapaxes(1, 2)
        to = (back @ (goal - place)[:, :, None])[:, :, 0]
        to /= norm(to)[:, None] if reach is None else reach
        turned = _turn(frame, axis, to, scale if size is None else None)

        if stride == 1 and last <= tick < steps:  # every level is at work
            before, now, toward, posed = now, goal, to, turned
        else:
            step, phase = np.divmod(tick - rig.level, stride)
            on = ((phase == 0) & (step >= 0) & (step < steps))[:, None]
            before, now = np.where(on, now, before), np.where(on, goal, now)
            toward, posed = np.where(on, to, toward), np.where(on[:, :, None], turned, posed)
        history[tick % depth, :count] = posed
    return toward


def _turn(frame: Array, axis: Array, to: Array, scale: Array | None) -> Array:
    """World transforms (J, 4, 4): the resting `frame` turned by the shortest way from `axis` to `to` (J, 3).

    `scale` (J, 3), where it is not even: the node's own scale, which the turn comes before.
    """
    half = axis + to
    square = np.vecdot(half, half)
    if square.min() > 1e-9:
        # Two mirrorings: I + 2 b aᵀ − 2 h hᵀ / h·h takes a to b and leaves what is square to both.
        pull = half * (-2 / square)[:, None]
        turn = to[:, :, None] * (axis + axis)[:, None, :]
        turn += half[:, :, None] * pull[:, None, :]
        turn += _EYE
    else:
        turn = quat_matrix(quat_between(axis, to))
    if scale is not None:
        turn = turn * (scale[:, None, :] / scale[:, :, None])
    out = frame.copy()
    out[:, :3, :3] = frame[:, :3, :3] @ turn
    return out


def _even_size(world: Array) -> Array | None:
    """(J,) the scales of linear parts that are turns times one scale each; None where one is not."""
    linear = world[:, :3, :3]
    gram = linear.swapaxes(1, 2) @ linear
    square = np.trace(gram, axis1=1, axis2=2) / 3
    even = np.all(np.abs(gram - square[:, None, None] * _EYE) <= 1e-9 * square[:, None, None])
    return np.sqrt(square) if even else None
