"""The node tree of an avatar: local transforms in, world transforms out, one matrix product a depth level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array, compose
from vrm_synth.vrm.avatar import Avatar

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class LocalTransforms:
    """LocalTransforms transforms of all N nodes at one moment: rotation (N, 4), translation (N, 3) metres, float64.

    Nothing in VRM changes a node's scale, so scale belongs to the tree.
    """

    rotation: Array
    translation: Array

    def turned(self, nodes: Index, rotation: Array) -> LocalTransforms:
        """A copy in which `nodes` (K,) have the local `rotation` (K, 4)."""
        out = self.rotation.copy()
        out[nodes] = rotation
        return replace(self, rotation=out)

    def moved(self, node: int, translation: Array) -> LocalTransforms:
        """A copy in which `node` has the local `translation` (3,)."""
        out = self.translation.copy()
        out[node] = translation
        return replace(self, translation=out)


@dataclass(frozen=True, eq=False)
class NodeTree:
    """The nodes of an avatar, N of them.

    parent: (N,) index of the parent, −1 at the top.
    in_scene: (N,) true for nodes of the scene.
    scale: (N, 3) local scale.
    rest: the file's own local transforms.
    rest_world: (N, 4, 4) world_from_node at rest.
    order: nodes of the scene by depth.
    above: above[i] is the index in `order` of the parent of order[i].
    bounds: level l is order[bounds[l]:bounds[l+1]].
    """

    parent: Index
    in_scene: NDArray[np.bool_]
    scale: Array
    rest: LocalTransforms
    rest_world: Array
    order: Index
    above: Index
    bounds: tuple[int, ...]

    def world(self, local: LocalTransforms) -> Array:
        """world_from_node (N, 4, 4); identity for nodes outside the scene."""
        return _world(local, self.scale, self.order, self.above, self.bounds)

    def world_of(self, node: int, local: LocalTransforms) -> Array:
        """world_from_node (4, 4) of one node."""
        path = self.path(node)
        m = np.eye(4)
        for step in compose(local.translation[path], local.rotation[path], self.scale[path]):
            m = m @ step
        return m

    def path(self, node: int) -> list[int]:
        """The nodes from the top down to `node`, itself included."""
        out = []
        while node >= 0:
            out.append(node)
            node = int(self.parent[node])
        return out[::-1]


def build_tree(avatar: Avatar) -> NodeTree:
    """The tree of an avatar (its loader has made sure that it is one, without cycles)."""
    nodes = avatar.nodes
    parent = np.array([n.parent for n in nodes], np.intp)
    depth: dict[int, int] = {}
    for i in avatar.scene_nodes:  # parents before children
        depth[i] = depth.get(nodes[i].parent, -1) + 1
    order = np.array(sorted(depth, key=lambda i: (depth[i], i)), np.intp)
    counts = np.bincount([depth[i] for i in order], minlength=1)
    bounds = (0, *(int(b) for b in np.cumsum(counts)))
    place = {int(n): k for k, n in enumerate(order)}
    above = np.array([place.get(nodes[i].parent, 0) for i in order], np.intp)
    in_scene = np.zeros(len(nodes), bool)
    in_scene[order] = True
    rest = LocalTransforms(
        np.array([n.rotation for n in nodes], np.float64).reshape(-1, 4),
        np.array([n.translation for n in nodes], np.float64).reshape(-1, 3),
    )
    scale = np.array([n.scale for n in nodes], np.float64).reshape(-1, 3)
    return NodeTree(parent, in_scene, scale, rest, _world(rest, scale, order, above, bounds), order, above, bounds)


def _world(local: LocalTransforms, scale: Array, order: Index, above: Index, bounds: tuple[int, ...]) -> Array:
    world = compose(local.translation[order], local.rotation[order], scale[order])
    for lo, hi in pairwise(bounds[1:]):
        world[lo:hi] = world[above[lo:hi]] @ world[lo:hi]
    out = np.tile(np.eye(4), (len(scale), 1, 1))
    out[order] = world
    return out
