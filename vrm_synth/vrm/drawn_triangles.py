"""The numbering of the triangles and vertices that an avatar draws, which id buffers and their legends share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True, eq=False)
class DrawnTriangles:
    """The triangles of an avatar in one sequence: P primitives, T triangles.

    Triangle t of primitive p has the number first[p] + t, its vertex v the number first_vertex[p] + v. Primitives come
    in the order of Avatar.drawn_nodes, those of one node in the order of its mesh (as in
    pose.skinning.drawn_primitives).

    nodes: (P,) intp, the node that draws each primitive.
    primitive_indices: (P,) intp, index of each primitive in its mesh.
    primitives: of length P.
    first: (P + 1,) intp, number of each primitive's first triangle; T at the end.
    first_vertex: (P + 1,) intp, number of each primitive's first vertex, used or not; their count at the end.
    """

    nodes: NDArray[np.intp]
    primitive_indices: NDArray[np.intp]
    primitives: tuple[Primitive, ...]
    first: NDArray[np.intp]
    first_vertex: NDArray[np.intp]

    def __len__(self) -> int:
        return int(self.first[-1])

    @cached_property
    def primitive_of(self) -> NDArray[np.int32]:
        """(T,) index of the primitive that each triangle belongs to."""
        return np.repeat(np.arange(len(self.primitives), dtype=np.int32), np.diff(self.first))

    @cached_property
    def node_of(self) -> NDArray[np.int32]:
        """(T,) index of the node that draws each triangle."""
        return self.nodes.astype(np.int32)[self.primitive_of]

    @cached_property
    def material_of(self) -> NDArray[np.int32]:
        """(T,) index of each triangle's material."""
        return np.array([p.material for p in self.primitives], np.int32)[self.primitive_of]

    @cached_property
    def vertices_of(self) -> NDArray[np.int32]:
        """(T, 3) numbers of each triangle's vertices."""
        rows = [
            p.indices.astype(np.int32) + first
            for p, first in zip(self.primitives, self.first_vertex.tolist(), strict=False)
        ]
        return np.concatenate(rows).astype(np.int32) if rows else np.zeros((0, 3), np.int32)


_NUMBERED: WeakKeyDictionary[Avatar, DrawnTriangles] = WeakKeyDictionary()


def drawn_triangles(avatar: Avatar) -> DrawnTriangles:
    """Number the triangles that `avatar` draws; computed once an avatar."""
    if avatar not in _NUMBERED:
        rows = [(node, k, p) for node in avatar.drawn_nodes for k, p in enumerate(avatar.primitives_of(node))]
        _NUMBERED[avatar] = DrawnTriangles(
            nodes=np.array([node for node, _, _ in rows], np.intp),
            primitive_indices=np.array([k for _, k, _ in rows], np.intp),
            primitives=tuple(p for _, _, p in rows),
            first=np.cumsum([0, *(len(p.indices) for _, _, p in rows)], dtype=np.intp),
            first_vertex=np.cumsum([0, *(len(p.positions) for _, _, p in rows)], dtype=np.intp),
        )
    return _NUMBERED[avatar]
