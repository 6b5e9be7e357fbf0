"""Positions of the vertices of chosen bones at rest, for measurements on a file that is being loaded.

Positions are world meters in the axes of `avatar.nodes`. A vertex belongs to the node that moves it most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.humanoid import rest_world_matrix


@dataclass(frozen=True, eq=False)
class RestPart:
    """The K vertices of one primitive that belong to the chosen bones.

    Attributes:
        node: the node that has the mesh.
        primitive: the primitive of the vertices.
        rows: (K,) indices of the vertices in the primitive.
        positions: (K, 3) float64, world meters.
    """

    node: int
    primitive: Primitive
    rows: NDArray[np.intp]
    positions: Array


def nodes_below(avatar: Avatar, *bones: str) -> frozenset[int]:
    """Return the nodes of the named bones and all nodes below them except spring bones (hair, ribbons)."""
    swinging = {joint.node for spring in avatar.springs for joint in spring.joints}
    found: set[int] = set()
    stack = [avatar.humanoid[bone] for bone in bones if bone in avatar.humanoid]
    while stack:
        node = stack.pop()
        found.add(node)
        stack += [c for c in avatar.nodes[node].children if c not in swinging and c not in found]
    return frozenset(found)


def rest_parts(avatar: Avatar, nodes: frozenset[int]) -> Iterator[RestPart]:
    """Yield the vertices that `nodes` move most, for each primitive in the scene that has any."""
    cache: dict[int, Array] = {}
    for node in avatar.scene_nodes:
        mesh = avatar.nodes[node].mesh
        for primitive in avatar.meshes[mesh].primitives if mesh is not None else ():
            part = _part(avatar, node, primitive, nodes, cache)
            if part is not None:
                yield part


def _part(
    avatar: Avatar, node: int, primitive: Primitive, nodes: frozenset[int], cache: dict[int, Array]
) -> RestPart | None:
    skin = avatar.nodes[node].skin
    if skin is None or primitive.joints is None or primitive.weights is None:
        if node not in nodes:
            return None
        world = rest_world_matrix(avatar.nodes, node, cache)
        moved = primitive.positions.astype(np.float64) @ world[:3, :3].T + world[:3, 3]
        return RestPart(node, primitive, np.arange(len(moved)), moved)
    joints, inverse_bind = avatar.skins[skin].joints, avatar.skins[skin].inverse_bind
    chosen = np.isin(np.asarray(joints), list(nodes))
    most = np.take_along_axis(primitive.joints, primitive.weights.argmax(1)[:, None], 1)[:, 0]
    rows = np.flatnonzero(chosen[most])
    if not len(rows):
        return None
    used = np.unique(primitive.joints[rows])
    matrices = np.zeros((len(joints), 4, 4))
    for k in used:
        matrices[k] = rest_world_matrix(avatar.nodes, joints[k], cache) @ inverse_bind[k].astype(np.float64)
    blend = np.einsum("vj,vjab->vab", primitive.weights[rows].astype(np.float64), matrices[primitive.joints[rows]])
    moved = np.einsum("vab,vb->va", blend[:, :3, :3], primitive.positions[rows].astype(np.float64)) + blend[:, :3, 3]
    return RestPart(node, primitive, rows, moved)
