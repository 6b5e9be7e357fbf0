"""The mesh of an avatar's head at rest, as the search for the face's landmarks reads it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.face_motion import BROW_MOODS, MOUTH_SHAPES, face_displacements
from vrm_synth.annotation.landmark import front_landmark
from vrm_synth.annotation.mesh_topology import pieces, rims, weld
from vrm_synth.annotation.surface import Surface
from vrm_synth.core.transforms import Array
from vrm_synth.shot.body_parts import HEAD
from vrm_synth.vrm.avatar import Avatar

Indices = NDArray[np.intp]
WHOLLY_MOVED = 0.75  # share of a piece's vertices from which on an expression moves the piece as a whole
MIN_MOVE = 2e-3  # metres that a feature moves at least in its expression


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A head at rest: V vertices of BodyParts, T triangles of the head, loose hair left out.

    points: (V, 3) float64, world metres; the face looks along +Z.
    welded: (V,) the vertex that stands for each: at seams of the texture several are one.
    triangles: (T, 3) welded vertices.
    body: (B, 3) vertices of everything that bones move directly, the head included.
    piece: (V,) number of each vertex's connected piece.
    rims: the edges (E, 2) of the openings.
    moves: expression → (V,) metres by which it moves each vertex.
    displacements: expression → (V, 3) the same as vectors.
    """

    points: Array
    welded: Indices
    triangles: Indices
    body: Indices
    piece: Indices
    rims: tuple[Indices, ...]
    moves: dict[str, Array]
    displacements: dict[str, Array]

    @cached_property
    def vertices(self) -> Indices:
        """The vertices of the head."""
        return np.unique(self.triangles)

    def moved_by(self, *expressions: str) -> Array:
        """(V,) the greatest distance by which any of some expressions moves each vertex, metres."""
        moves = [self.moves[e] for e in expressions if e in self.moves]
        return np.max(moves, axis=0) if moves else np.zeros(len(self.points))

    def wholly_moved(self, distance: Array, least: float) -> Indices:
        """The pieces of which `distance` (V,) is at least `least` nearly everywhere."""
        used = self.vertices
        moved = np.bincount(self.piece[used], distance[used] >= least, len(self.points))
        total = np.bincount(self.piece[used], minlength=len(self.points))
        return np.flatnonzero((total > 0) & (moved >= WHOLLY_MOVED * total))

    def of_pieces(self, chosen: Indices) -> Indices:
        """(n, 3) the triangles of some pieces."""
        return self.triangles[np.isin(self.piece[self.triangles[:, 0]], chosen)]


def face_mesh(avatar: Avatar, surface: Surface) -> FaceMesh:
    """Measure the head of an avatar at rest."""
    parts = surface.parts
    displacements = face_displacements(avatar, parts)
    head = parts.of_bones(*HEAD) & ~parts.spring_driven
    own = np.flatnonzero(head)
    # Primitives stay apart: where skin ends at lashes or at the white of an eye is what is looked for.
    primitive = np.repeat(np.arange(len(parts.used_vertices)), [len(u) for u in parts.used_vertices])[:, None]
    features = np.concatenate([primitive, parts.rest, *displacements.values()], 1)
    welded = np.arange(len(head))
    welded[own] = own[weld(features[own])]
    triangles = welded[parts.triangles[head[parts.triangles].all(1)]]
    return FaceMesh(
        points=parts.rest,
        welded=welded,
        triangles=triangles,
        body=parts.triangles[parts.direct[parts.triangles].all(1)],
        piece=pieces(triangles, len(parts.rest)),
        rims=tuple(rims(triangles, len(parts.rest))),
        moves={name: np.linalg.norm(d, axis=1) for name, d in displacements.items()},
        displacements=displacements,
    )


def moved_skin(mesh: FaceMesh) -> int | None:
    """The piece that is the face's skin: the largest that eyelids, lips or brows move in part; None without any."""
    moved = mesh.moved_by("blink", "blinkLeft", "blinkRight", *MOUTH_SHAPES, *BROW_MOODS)
    partly = np.setdiff1d(mesh.piece[mesh.vertices[moved[mesh.vertices] >= MIN_MOVE]], mesh.wholly_moved(moved, 1e-4))
    a, b, c = (mesh.points[mesh.triangles[:, k]] for k in range(3))
    area = np.bincount(mesh.piece[mesh.triangles[:, 0]], np.linalg.norm(np.cross(b - a, c - a), axis=1))
    return int(partly[area[partly].argmax()]) if len(partly) else None


def skin_piece(mesh: FaceMesh, eyes: Array) -> int | None:
    """The piece that is the face's skin; None where nothing is between the eyes.

    The one that moves, where it spans both eyes; else the one that is seen between them. eyes: (2, 2) x, y.
    """
    moved = moved_skin(mesh)
    if moved is not None:
        xy = mesh.points[mesh.vertices[mesh.piece[mesh.vertices] == moved], :2]
        if xy[:, 0].min() < eyes[0, 0] and xy[:, 0].max() > eyes[1, 0] and xy[:, 1].min() < eyes[:, 1].min():
            return moved
    seen = front_landmark(mesh.points, mesh.triangles, eyes.mean(0))
    return None if seen is None else int(mesh.piece[seen.vertices[0]])
