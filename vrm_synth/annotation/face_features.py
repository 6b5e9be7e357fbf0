"""The 68 landmarks of the face, found on the mesh at rest: eyes, brows, nose, mouth, jaw.

A feature that the mesh does not tell of is left out, with the reason; nothing is guessed from proportions.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation import keypoint_names as names
from vrm_synth.annotation.eye_features import find_eyes
from vrm_synth.annotation.face_landmarks import FaceLandmarks
from vrm_synth.annotation.face_mesh import FaceMesh, Indices, face_mesh, skin_piece
from vrm_synth.annotation.face_motion import BROW_MOODS, MOUTH_SHAPES
from vrm_synth.annotation.landmark import (
    Landmark,
    Outline,
    front_landmark,
    hull,
    landmark_positions,
    on_edge,
    on_vertex,
)
from vrm_synth.annotation.mouth_features import find_mouth
from vrm_synth.annotation.surface import Surface
from vrm_synth.core.transforms import Array
from vrm_synth.vrm.avatar import Avatar

MIN_RELIEF = 3e-4  # metres by which a nose stands out at least
NOSE_RANGE = (0.1, 0.8)  # of the way from the mouth to the eyes: where a nose's tip is
JAW_REACH = 0.95  # of the way to the outline seen from afar: what lies there is seen from near, too
CHIN_FALL = 4.0  # slope of the profile's fall from the chin to the throat


def find_face(avatar: Avatar, surface: Surface) -> tuple[FaceLandmarks, FaceMesh | None]:
    """Find the landmarks of an avatar's face; with the mesh they were found on, None where there is no head."""
    face = FaceLandmarks()
    if not avatar.front_known:
        face.missing["face"] = "it is not known where the avatar's front is"
        return face, None
    mesh = face_mesh(avatar, surface)
    if not len(mesh.triangles):
        face.missing["face"] = "nothing of the mesh belongs to the head"
        return face, None
    eyes = find_eyes(avatar, surface, mesh, face)
    if eyes is None:
        face.missing["face"] = "brows, nose, mouth and jaw are looked for from the eyes, which are not known"
        return face, mesh
    skin = face.skin = skin_piece(mesh, eyes)
    _brows(avatar, surface, mesh, eyes, face)
    mouth = find_mouth(mesh, eyes, skin, face)
    if skin is None:
        face.missing["nose and jaw"] = "no skin is found between the eyes"
        return face, mesh
    _nose(mesh, eyes, mouth, skin, face)
    _jaw(mesh, eyes, mouth, skin, face)
    return face, mesh


# ---------------------------------------------------------------- brows


def _brows(avatar: Avatar, surface: Surface, mesh: FaceMesh, eyes: Array, face: FaceLandmarks) -> None:
    spacing = float(eyes[1, 0] - eyes[0, 0])
    middle = eyes.mean(0)
    used = mesh.vertices
    chosen = _named_vertices(avatar, surface, r"brow|mayu|まゆ|眉")
    if not chosen[used].any():
        moods = mesh.moved_by(*BROW_MOODS, "brows")
        still = mesh.moved_by("blink", "blinkLeft", "blinkRight", *MOUTH_SHAPES) < 1e-4
        whole = mesh.wholly_moved(np.where(still, moods, 0.0), 1e-4)
        chosen = np.isin(mesh.piece, whole) & (moods >= 1e-4)
    height = mesh.points[:, 1]
    for side, rows in (("right", names.RIGHT_BROW), ("left", names.LEFT_BROW)):
        on_side = (mesh.points[:, 0] > middle[0]) == (side == "left")
        near = (height > middle[1]) & (height < middle[1] + 1.5 * spacing)
        brow = used[(chosen & on_side & near)[used]]
        outline = hull(mesh.points[:, :2], brow) if len(brow) >= 4 else None
        width = float(np.ptp(mesh.points[brow, 0])) if len(brow) else 0.0
        if outline is None or not 0.15 * spacing < width < spacing:
            face.missing[f"{side}_brow"] = "no mesh or material is named after it, and no mood moves a piece of it"
            continue
        triangles = mesh.triangles[np.isin(mesh.triangles, brow).all(1)]
        face.label(rows, [_midline(mesh, outline, triangles, share) for share in np.linspace(0, 1, 5)])


def _midline(mesh: FaceMesh, outline: Outline, triangles: Indices, share: float) -> Landmark:
    """The middle between the upper and lower edge of a piece, on its surface; its corners at shares 0 and 1."""
    if share in (0, 1):
        return on_vertex(outline.ends[int(share)])
    both = [outline.at(share, upper=upper) for upper in (True, False)]
    middle = landmark_positions(both, mesh.points).mean(0)
    return front_landmark(mesh.points, triangles, middle[:2]) or both[0]


def _named_vertices(avatar: Avatar, surface: Surface, pattern: str) -> NDArray[np.bool_]:
    """(V,) True for the vertices whose node, mesh or material has a name that `pattern` is found in."""
    chosen = []
    parts = surface.parts
    rows = [(n, p) for n in avatar.drawn_nodes for p in avatar.primitives_of(n)]
    for (node, primitive), used in zip(rows, parts.used_vertices, strict=True):
        mesh = avatar.meshes[avatar.nodes[node].mesh or 0].name
        text = " ".join((avatar.nodes[node].name, mesh, avatar.materials[primitive.material].name))
        chosen.append(np.full(len(used), re.search(pattern, text.lower()) is not None))
    return np.concatenate(chosen)


# ---------------------------------------------------------------- nose and jaw


def _nose(mesh: FaceMesh, eyes: Array, mouth: Outline | None, skin: int, face: FaceLandmarks) -> None:
    """The tip is what stands out most of the skin's profile between eyes and mouth, with a hollow to either side."""
    if mouth is None:
        face.missing["nose"] = "it is looked for between eyes and mouth, and the mouth is not known"
        return
    triangles = mesh.of_pieces(np.array([skin]))
    (x, top), spacing = eyes.mean(0), float(eyes[1, 0] - eyes[0, 0])
    low = float(mesh.points[np.unique(mouth.edges), 1].max())
    heights = np.linspace(low, top, 62)[1:-1]
    profile = [front_landmark(mesh.points, triangles, (x, y)) for y in heights]
    if not all(profile):
        face.missing["nose"] = "the skin has no whole profile between eyes and mouth"
        return
    z = landmark_positions([m for m in profile if m], mesh.points)[:, 2]
    tip = int((z - np.interp(heights, heights[[0, -1]], z[[0, -1]])).argmax())
    if not NOSE_RANGE[0] * len(z) <= tip <= NOSE_RANGE[1] * len(z):
        face.missing["nose"] = "nothing stands out between eyes and mouth"
        return
    base = int((np.interp(heights[: tip + 1], heights[[0, tip]], z[[0, tip]]) - z[: tip + 1]).argmax())
    wing_y = (heights[base] + heights[tip]) / 2
    right, left = (_wing(mesh, triangles, (x, wing_y), sign * 0.4 * spacing) for sign in (-1, 1))
    if right is None or left is None:
        face.missing["nose"] = "nothing stands out of the face in the middle"
        return
    middle_y = (wing_y + heights[base]) / 2
    row = ((right, wing_y), (right / 2, middle_y), (0, heights[base]), (left / 2, middle_y), (left, wing_y))
    bridge = [front_landmark(mesh.points, triangles, (x, y)) for y in np.linspace(top, heights[tip], 4)]
    face.label(names.NOSE_BRIDGE, [*bridge[:3], profile[tip]])
    face.label(names.NOSE_BASE, [front_landmark(mesh.points, triangles, (x + dx, y)) for dx, y in row])
    face.points["nose"] = face.points["face-30"]


def _wing(mesh: FaceMesh, triangles: Indices, middle: tuple[float, float], reach: float) -> float | None:
    """How far to a side (metres, with its sign) the cross-section is hollowest; None where it is not hollow."""
    across = np.linspace(0, reach, 40)
    cut = [front_landmark(mesh.points, triangles, (middle[0] + dx, middle[1])) for dx in across]
    if not all(cut):
        return None
    z = landmark_positions([m for m in cut if m], mesh.points)[:, 2]
    hollow = np.linspace(z[0], z[-1], len(z)) - z
    return float(across[int(hollow.argmax())]) if hollow.max() >= MIN_RELIEF else None


def _jaw(mesh: FaceMesh, eyes: Array, mouth: Outline | None, skin: int, face: FaceLandmarks) -> None:
    """17 points of the skin's outline below the eyes, seen from the front, at even angles around the eyes' middle."""
    if mouth is None:
        face.missing["jaw"] = "the chin is looked for below the mouth, which is not known"
        return
    triangles = mesh.of_pieces(np.array([skin]))
    center = eyes.mean(0)
    low = float(mesh.points[np.unique(mouth.edges), 1].min())
    chin = _chin(mesh, triangles, (center[0], low), float(eyes[1, 0] - eyes[0, 0]))
    if chin is None:
        face.missing["jaw"] = "the face has no chin: its skin goes on into the neck, or ends above"
        return
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[(mesh.points[edges, 1] >= chin - 1e-3).all(1)]
    if not len(edges):
        face.missing["jaw"] = "the skin of the face is too coarse"
        return
    outline = Outline(edges, mesh.points[:, :2])
    for row, angle in zip(names.JAW, np.linspace(np.pi, 2 * np.pi, 17), strict=True):
        if end := _outward(outline, center, angle):
            xy = center + JAW_REACH * (landmark_positions([end], mesh.points)[0, :2] - center)
            face.label([row], [front_landmark(mesh.points, triangles, xy)])


def _chin(mesh: FaceMesh, skin: Indices, below: tuple[float, float], spacing: float) -> float | None:
    """Height of the chin, metres: where the skin's profile below `below` (x, y) falls back to the throat, or ends."""
    step = spacing / 60
    z = None
    for i in range(1, 180):
        y = below[1] - i * step
        own = front_landmark(mesh.points, skin, (below[0], y))
        at = landmark_positions([own], mesh.points)[0, 2] if own else -np.inf
        if z is not None and at < z - CHIN_FALL * step:
            under = front_landmark(mesh.points, mesh.body, (below[0], y))
            goes_on = under is not None and landmark_positions([under], mesh.points)[0, 2] >= z - CHIN_FALL * step
            return None if goes_on else y + step
        if own is None:
            return None
        z = at
    return None


def _outward(outline: Outline, center: Array, angle: float) -> Landmark | None:
    """Where a ray from `center` (2,) leaves an outline."""
    d = np.array([np.cos(angle), np.sin(angle)])
    a, b = (outline.xy[outline.edges[:, k]] - center for k in range(2))
    side_a, side_b = (p[:, 0] * d[1] - p[:, 1] * d[0] for p in (a, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = side_a / (side_a - side_b)
        reach = np.where((t >= 0) & (t <= 1), ((1 - t)[:, None] * a + t[:, None] * b) @ d, -np.inf)
    best = int(reach.argmax())
    first, second = outline.edges[best]
    return on_edge(first, second, float(t[best])) if reach[best] > 0 else None
