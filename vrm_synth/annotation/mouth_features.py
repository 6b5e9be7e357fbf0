"""The mouth's contour on the mesh at rest, from what the vowels' shapes move."""

from __future__ import annotations

import numpy as np

from vrm_synth.annotation.face_landmarks import FaceLandmarks, around
from vrm_synth.annotation.face_mesh import MIN_MOVE, FaceMesh
from vrm_synth.annotation.face_motion import MOUTH_SHAPES
from vrm_synth.annotation.keypoint_names import INNER_LIPS, OUTER_LIPS
from vrm_synth.annotation.landmark import Outline, hull
from vrm_synth.core.transforms import Array

TOUCHING = 2e-3  # metres between lips that touch
LIPS_PART = 0.3  # of a vowel's largest movement: how far apart it moves lips that touched
PIECE_MOVE = 0.25  # of the same: what a mouth that is a piece of its own moves at least


def find_mouth(mesh: FaceMesh, eyes: Array, skin: int | None, face: FaceLandmarks) -> Outline | None:
    """Label the lips; their outline, None where they are not known. eyes: (2, 2) x, y of the eyes' middles.

    A mesh without lips of their own has one contour: the outer and the inner points lie on it.
    """
    outline = _outline(mesh, eyes, skin)
    if outline is None:
        face.missing["mouth"] = "no morph target of a vowel opens it, or the mesh has no opening there"
        return None
    face.label(OUTER_LIPS, around(outline, 5))
    face.label(INNER_LIPS, around(outline, 3))
    return outline


def _outline(mesh: FaceMesh, eyes: Array, skin: int | None) -> Outline | None:
    spacing = float(eyes[1, 0] - eyes[0, 0])
    below = mesh.points[:, 1] < eyes[:, 1].mean() - 0.2 * spacing
    shapes = [s for s in MOUTH_SHAPES if s in mesh.moves]
    if not shapes:
        return None
    widest = max(shapes, key=lambda s: float(np.where(below, mesh.moves[s], 0.0)[mesh.vertices].max()))
    moved = np.where(below, mesh.moved_by(*shapes), 0.0)
    least = float(moved[mesh.vertices].max())
    if least < MIN_MOVE:
        return None
    opened = (mesh.points + mesh.displacements[widest])[:, :2]
    own = [rim for rim in mesh.rims if mesh.piece[rim[0, 0]] == skin]
    lips = [rim for rim in own if _is_mouth(mesh.points[rim.ravel()], eyes, moved[rim], least)]
    if lips:
        return Outline(np.concatenate(lips), opened)
    parting = _parting_lips(mesh, skin, widest, least)
    if parting is not None and _is_mouth(mesh.points[np.unique(parting.edges)], eyes, moved, least):
        return parting
    used = mesh.vertices
    most = mesh.piece[used[int(moved[used].argmax())]]
    piece = used[mesh.piece[used] == most]
    if most not in mesh.wholly_moved(moved, PIECE_MOVE * least):
        return None
    return hull(mesh.points[:, :2], piece) if _is_mouth(mesh.points[piece], eyes, moved[piece], least) else None


def _parting_lips(mesh: FaceMesh, skin: int | None, shape: str, least: float) -> Outline | None:
    """The lips of a mouth whose skin goes on inside: vertices that touch at rest and part in a vowel's shape."""
    from scipy.spatial import KDTree

    own = mesh.vertices[mesh.piece[mesh.vertices] == skin]
    pairs = own[KDTree(mesh.points[own]).query_pairs(TOUCHING, output_type="ndarray")]
    if not len(pairs):
        return None
    up = mesh.displacements[shape][:, 1]
    gap = up[pairs[:, 0]] - up[pairs[:, 1]]
    parted = pairs[np.abs(gap) >= LIPS_PART * least]
    if len(parted) < 3:
        return None
    upward = up[parted[:, 0]] > up[parted[:, 1]]
    edges = []
    for lip in (np.where(upward, *parted.T), np.where(upward, *parted.T[::-1])):
        row = np.unique(lip)
        row = row[np.argsort(mesh.points[row, 0])]
        edges.append(np.stack([row[:-1], row[1:]], 1))
    top, bottom = edges
    if not len(top) or not len(bottom):
        return None
    corners = [[top[0, 0], bottom[0, 0]], [top[-1, 1], bottom[-1, 1]]]
    opened = (mesh.points + mesh.displacements[shape])[:, :2]
    return Outline(np.concatenate([top, bottom, corners]).astype(np.intp), opened)


def _is_mouth(points: Array, eyes: Array, moved: Array, least: float) -> bool:
    """True for a rim or piece that vowels move and that lies in the middle below the eyes, not wider than the face."""
    spacing = float(eyes[1, 0] - eyes[0, 0])
    low, high = points[:, 0].min(), points[:, 0].max()
    middle = abs((low + high) / 2 - eyes[:, 0].mean()) < 0.15 * spacing
    return bool(middle and 0.1 * spacing < high - low < 1.5 * spacing and float(moved.max()) >= 0.2 * least)
