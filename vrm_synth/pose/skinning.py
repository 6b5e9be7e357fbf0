"""Skinning and morphs on the CPU: where every drawn vertex is. For framing and for renderers without shaders.

The GPU renderer does the same in its vertex shader; this is the plain statement of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from vrm_synth.core.transforms import Array, normal_matrix
from vrm_synth.gltf.model import Primitive
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.vrm.avatar import Avatar

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PosedPrimitive = tuple[int, Primitive, Array, Array | None]

_BLENDS: WeakKeyDictionary[Avatar, dict[tuple[int, int, int], csr_array]] = WeakKeyDictionary()


def posed_primitives(posed: PosedAvatar, *, with_normals: bool = True) -> list[PosedPrimitive]:
    """Morph and skin every drawn primitive: (node, primitive, positions (V, 3), normals (V, 3) or None).

    World frame, metres, float64; normals are unit vectors. A skinned primitive follows its joints alone
    (glTF 3.7.3.3: its node's own transform does not count), an unskinned one follows its node. with_normals: False
    leaves them None, for callers that need only positions. Order: that of Avatar.drawn_nodes.
    """
    return [
        (node, primitive, *_posed(posed, node, primitive_index, primitive, with_normals))
        for node, primitive_index, primitive in drawn_primitives(posed.avatar)
    ]


def drawn_primitives(avatar: Avatar) -> Iterator[tuple[int, int, Primitive]]:
    """(node, index of the primitive in its mesh, primitive) of everything that is drawn, in posed_primitives' order."""
    for node in avatar.drawn_nodes:
        yield from ((node, primitive_index, p) for primitive_index, p in enumerate(avatar.primitives_of(node)))


def _posed(
    posed: PosedAvatar, node: int, primitive_index: int, primitive: Primitive, with_normals: bool
) -> tuple[Array, Array | None]:
    weights = posed.morph_weights.get(node)
    positions = _morphed(primitive.positions, primitive.morph_positions, weights)
    normals = None
    if with_normals and primitive.normals is not None:
        normals = _morphed(primitive.normals, primitive.morph_normals, weights)
    skin = posed.avatar.skin_of(node, primitive)
    if skin is None:
        world = posed.world_from_node[node]
        moved = positions @ world[:3, :3].T + world[:3, 3]
        return moved, None if normals is None else _unit(normals, normal_matrix(world[:3, :3]))
    world_from_mesh = posed.world_from_node[list(skin.joints)] @ skin.inverse_bind.astype(np.float64)
    blend = _blend(posed.avatar, node, primitive_index, primitive, len(skin.joints))
    per_vertex = (blend @ world_from_mesh[:, :3, :].reshape(-1, 12)).reshape(-1, 3, 4)
    linear = per_vertex[:, :, :3]
    moved = np.einsum("vab,vb->va", linear, positions) + per_vertex[:, :, 3]
    if normals is None:
        return moved, None
    return moved, _unit(np.einsum("vab,vb->va", linear, normals), None)


def _morphed(base: np.ndarray, deltas: np.ndarray | None, weights: Array | None) -> Array:
    out = base.astype(np.float64)
    if weights is not None and deltas is not None:
        for i in np.flatnonzero(weights[: len(deltas)]):
            out += weights[i] * deltas[i]
    return out


def _blend(avatar: Avatar, node: int, primitive_index: int, primitive: Primitive, joints: int) -> csr_array:
    """(V, J) weights of a primitive, built once: a vertex's matrix is its row times the joints' matrices."""
    from scipy.sparse import csr_array  # imported late: takes 0.1 s, and drawing does not need it

    known = _BLENDS.setdefault(avatar, {})
    key = (node, primitive_index, joints)
    if key not in known:
        assert primitive.joints is not None and primitive.weights is not None
        count = len(primitive.positions)
        rows = np.repeat(np.arange(count), 4)
        data = primitive.weights.astype(np.float64).ravel()
        known[key] = csr_array((data, (rows, primitive.joints.ravel().astype(np.intp))), shape=(count, joints))
    return known[key]


def _unit(normals: Array, linear: Array | None) -> Array:
    turned = normals if linear is None else normals @ linear.T
    length = np.sqrt(np.einsum("va,va->v", turned, turned))[:, None]
    return turned / np.where(length > 0, length, 1.0)
