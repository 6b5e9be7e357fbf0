"""Reference implementation of spring bones: VRMC_springBone-1.0's pseudo-code, joint by joint.

It shares nothing with vrm_synth.pose: transforms are scipy's rotations and plain products up the tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vrm_synth.vrm.avatar import Avatar, Collider, SpringJoint


@dataclass
class State:
    joint: SpringJoint
    colliders: tuple[Collider, ...]
    center: int | None
    initial: Rotation
    bone_axis: np.ndarray
    bone_length: float
    current: np.ndarray  # in center space
    previous: np.ndarray
    local_tail: np.ndarray
    tip: np.ndarray  # where the end was when the joint was last updated, world


class SlowSprings:
    """Springs of an avatar whose other nodes stand still with the local `rotations` (node → quaternion).

    breathing: three-vrm's habit of measuring a bone anew at each step, to where its end was a step ago.
    """

    def __init__(self, avatar: Avatar, rotations: dict[int, tuple[float, ...]], *, breathing: bool = False):
        self.avatar, self.breathing = avatar, breathing
        self.rotation = {i: Rotation.from_quat(n.rotation) for i, n in enumerate(avatar.nodes)}
        rest = {i: self.world(i) for i in range(len(avatar.nodes))}
        self.rotation |= {i: Rotation.from_quat(q) for i, q in rotations.items()}
        owners = {j.node: (j, s) for s in avatar.springs for j in s.joints}
        for node in owners:
            self.rotation[node] = Rotation.from_quat(avatar.nodes[node].rotation)
        self.states = []
        for joint, spring in owners.values():
            world = self.world(joint.node)
            local = np.linalg.inv(rest[joint.node]) @ [*self._end(joint, rest), 1]
            tail = (world @ local)[:3]
            center = self._center(spring.center)
            in_center = (np.linalg.inv(center) @ [*tail, 1])[:3]
            self.states.append(
                State(
                    joint,
                    tuple(avatar.colliders[c] for c in spring.colliders),
                    spring.center,
                    self.rotation[joint.node],
                    local[:3] / np.linalg.norm(local[:3]),
                    float(np.linalg.norm(tail - world[:3, 3])),
                    in_center,
                    in_center,
                    local,
                    tail,
                )
            )
        self.order = self._sorted()

    def world(self, node: int) -> np.ndarray:
        """world_from_node, recomputed from the root."""
        if node < 0:
            return np.eye(4)
        n = self.avatar.nodes[node]
        local = np.eye(4)
        local[:3, :3] = self.rotation[node].as_matrix() @ np.diag(n.scale)
        local[:3, 3] = n.translation
        return self.world(n.parent) @ local

    def step(self, dt: float = 1 / 60) -> None:
        """One update of every joint, ancestors first."""
        for s in self.order:
            self._update(s, dt)

    def _update(self, s: State, dt: float) -> None:
        j, n = s.joint, self.avatar.nodes[s.joint.node]
        parent = self.world(n.parent)
        initial = np.eye(4)
        initial[:3, :3] = s.initial.as_matrix() @ np.diag(n.scale)
        initial[:3, 3] = n.translation
        space = parent @ initial
        position = space[:3, 3]
        if self.breathing and j.tail is not None:
            s.bone_length = float(np.linalg.norm(s.tip - position))
        center = self._center(s.center)
        inertia = s.current + (s.current - s.previous) * (1 - j.drag_force)
        world_axis = space[:3, :3] @ s.bone_axis
        world_axis /= np.linalg.norm(world_axis)
        following = (center @ [*inertia, 1])[:3]
        following = following + dt * j.stiffness * world_axis + dt * np.array(j.gravity_dir) * j.gravity_power
        following = position + _unit(following - position) * s.bone_length
        for c in s.colliders:
            direction, distance = self._collide(c, following, j.hit_radius)
            if distance < 0:
                following = following - direction * distance
                following = position + _unit(following - position) * s.bone_length
        s.previous, s.current = s.current, (np.linalg.inv(center) @ [*following, 1])[:3]
        to = _unit((np.linalg.inv(space) @ [*following, 1])[:3])
        self.rotation[j.node] = s.initial * _from_to(s.bone_axis, to)
        s.tip = (self.world(j.node) @ s.local_tail)[:3]

    def _collide(self, c: Collider, point: np.ndarray, joint_radius: float) -> tuple[np.ndarray, float]:
        world = self.world(c.node)
        delta = point - (world @ [*c.offset, 1])[:3]
        if c.shape == "plane":
            normal = _unit(np.linalg.inv(world[:3, :3]).T @ c.normal)
            return normal, float(delta @ normal) - joint_radius
        if c.shape in ("capsule", "insideCapsule"):
            along = (world @ [*c.tail, 1])[:3] - (world @ [*c.offset, 1])[:3]
            dot = along @ delta
            if dot > along @ along:
                delta = delta - along
            elif dot >= 0:
                delta = delta - along * (dot / (along @ along))
        far = float(np.linalg.norm(delta))
        if c.shape.startswith("inside"):
            return -delta / far, c.radius - joint_radius - far
        return delta / far, far - c.radius - joint_radius

    def _end(self, j: SpringJoint, rest: dict[int, np.ndarray]) -> np.ndarray:
        if j.tail is not None:
            return rest[j.tail][:3, 3]
        origin, parent = rest[j.node][:3, 3], self.avatar.nodes[j.node].parent
        return origin + 0.07 * _unit(origin - (rest[parent][:3, 3] if parent >= 0 else np.zeros(3)))

    def _center(self, node: int | None) -> np.ndarray:
        return np.eye(4) if node is None else self.world(node)

    def _sorted(self) -> list[State]:
        """Ancestors, and joints that carry a joint's colliders, before the joint."""
        by_node = {s.joint.node: s for s in self.states}
        order: list[State] = []

        def visit(s: State) -> None:
            if s in order:
                return
            for start in (self.avatar.nodes[s.joint.node].parent, *(c.node for c in s.colliders)):
                at = start
                while at >= 0:
                    if at in by_node:
                        visit(by_node[at])
                    at = self.avatar.nodes[at].parent
            order.append(s)

        for s in self.states:
            visit(s)
        return order


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def _from_to(a: np.ndarray, b: np.ndarray) -> Rotation:
    axis = np.cross(a, b)
    sin = np.linalg.norm(axis)
    if sin == 0:
        return Rotation.identity()
    return Rotation.from_rotvec(axis / sin * np.arctan2(sin, a @ b))
