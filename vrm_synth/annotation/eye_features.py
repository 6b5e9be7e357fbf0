"""The eyes' contours and middles on the mesh at rest, from what a blink moves."""

from __future__ import annotations

import numpy as np

from vrm_synth.annotation.face_landmarks import FaceLandmarks, around
from vrm_synth.annotation.face_mesh import MIN_MOVE, FaceMesh, Indices, moved_skin, skin_piece
from vrm_synth.annotation.keypoint_names import LEFT_EYE, RIGHT_EYE
from vrm_synth.annotation.landmark import (
    Landmark,
    Outline,
    crossing_column,
    front_landmark,
    landmark_positions,
    on_vertex,
)
from vrm_synth.annotation.surface import Surface
from vrm_synth.core.transforms import Array
from vrm_synth.vrm.avatar import Avatar

RIM_MOVE = 0.5  # of the blink's largest movement: what the rim of an eye's opening moves at least
PIECE_MOVES = (0.25, 0.15)  # the same for a piece that moves as a whole; the second where the first finds none
MIN_FILL = 0.4  # of the height that an eye's middle column takes
LOOKS = 48  # columns and rows of looks at an eye that is a piece in front of the skin


def find_eyes(avatar: Avatar, surface: Surface, mesh: FaceMesh, face: FaceLandmarks) -> Array | None:
    """Label the contours and the middles of both eyes; (2, 2) x, y of the right and the left eye's middle.

    None where one of them is not known. Where an eye is decides its side: files exist whose Blink_L closes the right
    eye. The middle is on the iris or on the painted eye, and moves with it.
    """
    moved = mesh.moved_by("blink", "blinkLeft", "blinkRight")
    middle = float(surface.parts.landmarks["head"][0])
    centers: dict[str, Array] = {}
    for side, rows in (("right", RIGHT_EYE), ("left", LEFT_EYE)):
        own = np.where((mesh.points[:, 0] > middle) == (side == "left"), moved, 0.0)
        contour = _contour(mesh, own, middle)
        bone = f"{side}Eye"
        if contour:
            face.label(rows, contour)
            ends = landmark_positions(contour, mesh.points)[:, :2]
            centers[side] = (ends.min(0) + ends.max(0)) / 2
        else:
            face.missing[f"{side}_eye contour"] = "no blink moves an eye there"
            if bone not in avatar.humanoid or not surface.parts.of_bones(bone).any():
                face.missing[f"{side}_eye"] = "neither a blink nor an eye bone with vertices"
                continue
            centers[side] = surface.parts.landmarks[bone][:2]
        eye = mesh.triangles[surface.parts.of_bones(bone)[mesh.triangles].all(1)]
        eye = eye if len(eye) else mesh.of_pieces(_eye_pieces(mesh, own))
        seen = front_landmark(mesh.points, eye, centers[side])
        seen = seen or front_landmark(mesh.points, mesh.triangles, centers[side])
        if seen is not None:
            face.points[f"{side}_eye"] = seen
    if len(centers) < 2 or centers["right"][0] >= centers["left"][0]:
        return None
    return np.array([centers["right"], centers["left"]])


def _contour(mesh: FaceMesh, moved: Array, middle: float) -> list[Landmark]:
    """The six points of an eye that a blink moves by `moved` (V,), the avatar's right corner first; [] for none.

    They are on the rim of the skin's opening, or else on the outline of what is seen of the eye's own pieces, or else
    on that of what the lids cover.
    """
    least = float(moved[mesh.vertices].max())
    if least < MIN_MOVE:
        return []
    skin = moved_skin(mesh)
    openings = [r for r in mesh.rims if mesh.piece[r[0, 0]] == skin and float(moved[r].max()) >= RIM_MOVE * least]
    closed = [r for r in openings if (np.unique(r, return_counts=True)[1] >= 2).all()]
    if closed:
        widest = max(closed, key=lambda r: float(np.prod(np.ptp(mesh.points[r.ravel(), :2], axis=0))))
        return around(Outline(widest, mesh.points[:, :2]), 2)
    pieces = _eye_pieces(mesh, moved)
    return (_seen_contour(mesh, pieces, middle) if len(pieces) else []) or _covered_contour(mesh, moved)


def _eye_pieces(mesh: FaceMesh, moved: Array) -> Indices:
    most = float(moved[mesh.vertices].max())
    for share in PIECE_MOVES:
        moving = mesh.wholly_moved(moved, max(share * most, MIN_MOVE))
        if len(moving):
            return moving
    return np.zeros(0, np.intp)


def _seen_contour(mesh: FaceMesh, pieces: Indices, middle: float) -> list[Landmark]:
    """The contour of what is seen of some pieces from the front, with the skin alone before them: glasses, hair and
    brows do not count. Found by LOOKS × LOOKS looks."""
    eye = mesh.of_pieces(pieces)
    xy = mesh.points[np.unique(eye), :2]
    low, high = xy.min(0), xy.max(0)
    both = np.array([[2 * middle - xy[:, 0].mean(), xy[:, 1].mean()], xy.mean(0)])
    skin = skin_piece(mesh, both[np.argsort(both[:, 0])])
    triangles = eye if skin is None else np.concatenate([eye, mesh.of_pieces(np.array([skin]))])
    corners = mesh.points[triangles, :2]
    triangles = triangles[((corners.max(1) >= low) & (corners.min(1) <= high)).all(1)]
    columns: list[list[Landmark]] = []
    for x in np.linspace(low[0], high[0], LOOKS + 2)[1:-1]:
        near = crossing_column(mesh.points, triangles, x)
        looks = (front_landmark(mesh.points, near, (x, y)) for y in np.linspace(low[1], high[1], LOOKS + 2)[1:-1])
        column = [m for m in looks if m and mesh.piece[m.vertices[0]] in pieces]
        if column:
            columns.append(column)
    if len(columns) < 4 or len(columns[len(columns) // 2]) < MIN_FILL * LOOKS:  # an arc of lashes is not an eye
        return []
    first, one, two, last = (columns[round(share * (len(columns) - 1))] for share in (0, 1 / 3, 2 / 3, 1))
    return [first[len(first) // 2], one[-1], two[-1], last[len(last) // 2], two[0], one[0]]


def _covered_contour(mesh: FaceMesh, moved: Array) -> list[Landmark]:
    """The contour of what the lids cover in a blink and leave open at rest; [] for none. Found by LOOKS × LOOKS looks.

    Lids are triangles that move in part of pieces that a blink moves (2 mm and more); the points lie on their edges.
    """
    lids = mesh.of_pieces(np.unique(mesh.piece[mesh.vertices[moved[mesh.vertices] >= MIN_MOVE]]))
    moving = lids[np.asarray(moved[lids]).max(1) >= MIN_MOVE]
    shut = np.where((moved > 0)[:, None], _shut(mesh), mesh.points)
    both = np.concatenate([mesh.points[moving, :2].reshape(-1, 2), shut[moving, :2].reshape(-1, 2)])
    low, high = both.min(0), both.max(0)
    columns: list[Array] = []
    for x in np.linspace(low[0], high[0], LOOKS + 2)[1:-1]:
        heights = np.linspace(low[1], high[1], LOOKS + 2)[1:-1]
        covering, open_ = crossing_column(shut, moving, x), crossing_column(mesh.points, moving, x)
        is_open = [
            front_landmark(shut, covering, (x, y)) is not None and front_landmark(mesh.points, open_, (x, y)) is None
            for y in heights
        ]
        if any(is_open):
            columns.append(np.array([[x, heights[is_open].min()], [x, heights[is_open].max()]]))
    if len(columns) < 4:
        return []
    first, one, two, last = (columns[round(share * (len(columns) - 1))] for share in (0, 1 / 3, 2 / 3, 1))
    targets = (first.mean(0), one[1], two[1], last.mean(0), two[0], one[0])
    around_eye = np.unique(lids)
    return [on_vertex(around_eye[_nearest(mesh.points[around_eye, :2], target)]) for target in targets]


def _nearest(xy: Array, target: Array) -> int:
    return int(np.linalg.norm(xy - target, axis=1).argmin())


def _shut(mesh: FaceMesh) -> Array:
    """(V, 3) the vertices with both eyes closed."""
    shapes = ["blink"] if "blink" in mesh.displacements else ["blinkLeft", "blinkRight"]
    return mesh.points + np.sum([mesh.displacements[s] for s in shapes if s in mesh.displacements], axis=0)
