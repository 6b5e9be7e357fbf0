"""Spring-bone colliders (VRMC_springBone-1.0, VRMC_springBone_extended_collider-1.0): hits and what they push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array, normal_matrix
from vrm_synth.pose.node_tree import Index
from vrm_synth.vrm.avatar import Collider

_MAX_JOINT_ROUNDS = 8  # hits of one joint in one step that are answered by trying all its colliders at once
TINY = 1e-300  # keeps a vector of no length from dividing by zero


@dataclass(frozen=True, eq=False)
class ColliderRig:
    """C colliders.

    node: (C,) the node that a collider hangs on.
    driver: (C,) index of the spring joint that carries it, J for none.
    head, tail: (C, 3) metres in the node's frame; a sphere's tail is its head.
    normal: (C, 3) of a plane, in the node's frame.
    radius: (C,) metres; 0 for a plane.
    inside: (C,) true where ends are kept inside.
    plane: (C,) true for planes.
    """

    node: Index
    driver: Index
    head: Array
    tail: Array
    normal: Array
    radius: Array
    inside: NDArray[np.bool_]
    plane: NDArray[np.bool_]


def build_colliders(colliders: Sequence[Collider], driver: Index) -> ColliderRig:
    """The colliders, each with the joint that carries it."""
    tails = [c.tail if c.shape in ("capsule", "insideCapsule") else c.offset for c in colliders]
    return ColliderRig(
        node=np.array([c.node for c in colliders], np.intp),
        driver=driver,
        head=np.array([c.offset for c in colliders], np.float64).reshape(-1, 3),
        tail=np.array(tails, np.float64).reshape(-1, 3),
        normal=np.array([c.normal for c in colliders], np.float64).reshape(-1, 3),
        radius=np.array([0.0 if c.shape == "plane" else c.radius for c in colliders]),
        inside=np.array([c.shape in ("insideSphere", "insideCapsule") for c in colliders], bool),
        plane=np.array([c.shape == "plane" for c in colliders], bool),
    )


@dataclass(frozen=True, eq=False)
class ColliderShapes:
    """Colliders in the world, as J × S pairs of a joint and a collider.

    head: (J, S, 3) world metres.
    along: (J, S, 3) from head to tail.
    normal: (J, S, 3) unit normal of a plane.
    per_square: (J, S) 1 / |along|².
    """

    head: Array
    along: Array
    normal: Array
    per_square: Array

    @staticmethod
    def of(head: Array, along: Array, normal: Array) -> ColliderShapes:
        return ColliderShapes(head, along, normal, 1 / np.maximum(np.vecdot(along, along), TINY))


class Obstacles:
    """The colliders of every joint, as J × S pairs of a joint and one of its S places for a collider.

    A collider carried by a spring joint moves while the springs settle; all others are still.
    """

    def __init__(self, c: ColliderRig, hits: Index, lag: Index, hit_radius: Array, world: Array, driver_world: Array):
        """hits, lag (J, S) and hit_radius (J,): see SpringRig. world: world_from_node (N, 4, 4) with all springs
        at rest; driver_world (J + 1, 4, 4): the same of the joints, and identity for "no driver"."""
        count = len(driver_world) - 1
        carrier = np.linalg.inv(driver_world[c.driver]) @ world[c.node]  # driver_from_node
        linear = carrier[:, :3, :3]
        place = carrier[:, :3, 3]
        head = place + (linear @ c.head[:, :, None])[:, :, 0]
        tail = place + (linear @ c.tail[:, :, None])[:, :, 0]
        normal = (normal_matrix(linear) @ c.normal[:, :, None])[:, :, 0]
        normal /= norm(normal)[:, None]

        def pairs(values: NDArray[Any], filler: float = 0.0) -> NDArray[Any]:
            row = np.full((1, *values.shape[1:]), filler, values.dtype)
            return np.concatenate([values, row])[hits]

        self.still = ColliderShapes.of(pairs(head), pairs(tail - head), pairs(normal))
        self.plane = pairs(c.plane, False)
        self.sign = pairs(np.where(c.inside, -1.0, 1.0))
        # distance = sign · length − reach; an empty place is out of every reach
        self.reach = self.sign * pairs(c.radius) + hit_radius[:, None]
        self.reach[hits == len(c.node)] = -np.inf
        self.driver = pairs(c.driver, count)
        self.lag = lag
        self.moving = bool(np.any(c.driver != count))
        self.long = bool(np.any(c.tail != c.head))
        self.flat = bool(np.any(c.plane))
        self.slots = np.arange(hits.shape[1])

    def push_out(self, goal: Array, place: Array, length: Array, history: Array, tick: int) -> Array:
        """Ends (J, 3) of the bones after each joint was pushed out of its colliders, one after the other.

        A collider that isn't hit changes nothing, so all can be tried at once and only the first hit of
        each joint be answered, then those after it be tried again: the same result as one by one. A joint
        that is hit again and again goes on one by one, since trying all each time would cost S² for it.
        """
        shapes = self._at(history, tick) if self.moving else self.still
        distance, off, far = self._distance(goal, slice(None), shapes)
        hit = distance < 0
        if not hit.any():
            return goal
        goal = goal.copy()
        rows = np.arange(len(goal))
        for _ in range(_MAX_JOINT_ROUNDS):
            some = np.flatnonzero(hit.any(1))
            if not len(some):
                return goal
            rows, first = rows[some], hit[some].argmax(1)
            out = self._exit_directions(rows, first, off[some, first], far[some, first], shapes)
            pushed = goal[rows] - distance[some, first][:, None] * out
            goal[rows] = at_length(pushed, place[rows], length[rows])
            distance, off, far = self._distance(goal[rows], rows, shapes)
            hit = (distance < 0) & (self.slots > first[:, None])
        for slot in range(int(first.min()) + 1, len(self.slots)):
            distance, off, far = self._distance(goal[rows], (rows, slice(slot, slot + 1)), shapes)
            struck = np.flatnonzero((distance[:, 0] < 0) & (first < slot))
            which = rows[struck]
            out = self._exit_directions(which, slot, off[struck, 0], far[struck, 0], shapes)
            goal[which] = at_length(goal[which] - distance[struck] * out, place[which], length[which])
        return goal

    def _at(self, history: Array, tick: int) -> ColliderShapes:
        world = history[(tick - self.lag) % len(history), self.driver]
        linear, still = world[..., :3, :3], self.still
        head = (linear @ still.head[..., None])[..., 0] + world[..., :3, 3]
        along, normal = (linear @ still.along[..., None])[..., 0], (linear @ still.normal[..., None])[..., 0]
        return ColliderShapes.of(head, along, normal / norm(normal)[..., None])

    def _distance(
        self, goal: Array, rows: slice | Index | tuple[Index, slice], shapes: ColliderShapes
    ) -> tuple[Array, Array, Array]:
        """Signed distances (R, S) of the ends (R, 3), negative inside; what lies between each and the collider's middle
        (R, S, 3), and its length, along a plane's normal (R, S)."""
        off = goal[:, None, :] - shapes.head[rows]
        delta = off
        if self.long:
            shaft = shapes.along[rows]
            share = np.vecdot(shaft, delta) * shapes.per_square[rows]
            off = delta - shaft * np.minimum(np.maximum(share, 0.0), 1.0)[..., None]
        far = norm(off)
        if self.flat:
            far = np.where(self.plane[rows], np.vecdot(delta, shapes.normal[rows]), far)
        return self.sign[rows] * far - self.reach[rows], off, far

    def _exit_directions(
        self, rows: Index, slots: Index | int, off: Array, far: Array, shapes: ColliderShapes
    ) -> Array:
        """Directions (R, 3) out of one collider each, from what `_distance` found of them."""
        if not self.flat:
            return off * (self.sign[rows, slots] / far)[:, None]
        plane = self.plane[rows, slots]
        out = off * (self.sign[rows, slots] / np.where(plane, 1.0, far))[:, None]
        return np.where(plane[:, None], shapes.normal[rows, slots], out)


def norm(v: Array) -> Array:
    """Lengths (...,) of vectors (..., 3), never quite 0."""
    return np.maximum(np.sqrt(np.vecdot(v, v)), TINY)


def at_length(end: Array, place: Array, reach: Array) -> Array:
    """The end moved along its ray from `place` to the bone's length, `reach`."""
    bone = end - place
    return place + bone * (reach / norm(bone))[:, None]
