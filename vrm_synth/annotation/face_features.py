"""The 68 landmarks of the face, found on the mesh at rest: eyes, brows, nose, mouth, jaw.

A feature that the mesh does not tell of is left out, with the reason; nothing is guessed from proportions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from vrm_synth.annotation import keypoint_names as names
from vrm_synth.annotation.drawn_depth import SURFACE_TOLERANCE
from vrm_synth.annotation.face_mesh import MIN_MOVE, FaceMesh, Indices, face_mesh, moved_skin, skin_piece
from vrm_synth.annotation.face_motion import BROW_MOODS, MOUTH_SHAPES
from vrm_synth.annotation.landmark import Landmark, Outline, front_landmark, hull, on_edge, on_vertex, place
from vrm_synth.annotation.surface import Surface
from vrm_synth.core.transforms import Array
from vrm_synth.vrm.avatar import Avatar

RIM_MOVE = 0.5  # of an expression's largest movement: what an opening's rim moves at least
TOUCHING = 2e-3  # metres between lips that touch
LIPS_PART = 0.3  # of a vowel's largest movement: how far apart it moves lips that touched
PIECE_MOVE = 0.25  # the same for a piece that moves as a whole
MIN_RELIEF = 3e-4  # metres by which a nose stands out at least
NOSE_RANGE = (0.1, 0.8)  # of the way from the mouth to the eyes: where a nose's tip is
CHIN_FALL = 4.0  # slope of the profile's fall from the chin to the throat


@dataclass
class FaceLandmarks:
    """Landmarks of the face, as they are found.

    points: keypoint's name ("face-0", "nose", "left_eye", "left_ear") → landmark.
    missing: feature ("mouth") → why its points are unlabeled.
    skin: the piece of the mesh that is the face's skin; None where it is not known.
    """

    points: dict[str, Landmark] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skin: int | None = None


def find_face(avatar: Avatar, surface: Surface) -> tuple[FaceLandmarks, FaceMesh | None]:
    """Find the landmarks of an avatar's face; with the mesh they were found on, None where there is no head."""
    found = FaceLandmarks()
    if not avatar.front_known:
        found.missing["face"] = "it is not known where the avatar's front is"
        return found, None
    mesh = face_mesh(avatar, surface)
    if not len(mesh.triangles):
        found.missing["face"] = "nothing of the mesh belongs to the head"
        return found, None
    outlines = _eyes(mesh, found)
    centers = _eye_centers(avatar, surface, mesh, outlines, found)
    if len(centers) < 2:
        found.missing["face"] = "brows, nose, mouth and jaw are looked for from the eyes, which are not known"
        return found, mesh
    eyes = np.array([centers["right"], centers["left"]])
    skin = found.skin = skin_piece(mesh, eyes)
    _brows(avatar, surface, mesh, eyes, found)
    mouth = _mouth(mesh, eyes, skin, found)
    if skin is None:
        found.missing["nose and jaw"] = "no skin is found between the eyes"
        return found, mesh
    _nose(mesh, eyes, mouth, skin, found)
    _jaw(mesh, eyes, mouth, skin, found)
    return found, mesh


# ---------------------------------------------------------------- eyes


def _eyes(mesh: FaceMesh, found: FaceLandmarks) -> dict[str, Outline]:
    # Where an eye is decides its side: files exist whose Blink_L closes the right eye.
    moved = mesh.moved_by("blink", "blinkLeft", "blinkRight")
    middle = float(np.median(mesh.points[mesh.vertices, 0]))
    outlines = {}
    for side, rows in (("right", names.RIGHT_EYE), ("left", names.LEFT_EYE)):
        on_side = (mesh.points[:, 0] > middle) == (side == "left")
        outline = _eye_outline(mesh, np.where(on_side, moved, 0.0))
        if outline is None:
            found.missing[f"{side}_eye contour"] = "no blink moves anything there"
            continue
        outlines[side] = outline
        _label(found, rows, _around(outline, 2))
    return outlines


def _eye_outline(mesh: FaceMesh, moved: Array) -> Outline | None:
    """The outline of an eye that a blink moves by `moved` (V,): the skin's opening, else a piece that is seen."""
    least = float(moved[mesh.vertices].max())
    if least < MIN_MOVE:
        return None
    xy = mesh.points[:, :2]
    skin = moved_skin(mesh)
    openings = [rim for rim in mesh.rims if float(moved[rim].max()) >= RIM_MOVE * least and _is_closed(rim)]
    of_skin = [rim for rim in openings if mesh.piece[rim[0, 0]] == skin]
    if of_skin:
        return Outline(max(of_skin, key=lambda rim: _extent(xy[rim.ravel()])), xy)
    whole = [_piece_outline(mesh, piece) for piece in mesh.wholly_moved(moved, PIECE_MOVE * least)]
    outlines = [o for o in (*(Outline(rim, xy) for rim in openings), *whole) if o]
    # Lids wait behind the skin, the white lies in front of it: the largest of those that are seen most.
    return max(outlines, key=lambda o: (round(4 * _seen(mesh, o)), _extent(xy[o.edges.ravel()])), default=None)


def _piece_outline(mesh: FaceMesh, piece: int) -> Outline | None:
    return hull(mesh.points[:, :2], mesh.vertices[mesh.piece[mesh.vertices] == piece])


def _seen(mesh: FaceMesh, outline: Outline) -> float:
    """Share of an outline's vertices that nothing of the head hides from the front."""
    points = mesh.points[np.unique(outline.edges)]
    front = [front_landmark(mesh.points, mesh.triangles, p) for p in points]
    ahead = place([m for m in front if m], mesh.points)[:, 2] - points[[m is not None for m in front], 2]
    return 1.0 - float(np.count_nonzero(ahead > SURFACE_TOLERANCE)) / len(points)


def _is_closed(rim: Indices) -> bool:
    return bool((np.unique(rim, return_counts=True)[1] >= 2).all())


def _extent(xy: Array) -> float:
    return float(np.prod(np.ptp(xy, axis=0)))


def _eye_centers(
    avatar: Avatar, surface: Surface, mesh: FaceMesh, outlines: dict[str, Outline], found: FaceLandmarks
) -> dict[str, Array]:
    """Side → (2,) x, y of the eye's middle; also labels left_eye and right_eye on the surface there."""
    out: dict[str, Array] = {}
    for side in ("right", "left"):
        bone = f"{side}Eye"
        if side in outlines:
            ends = mesh.points[np.unique(outlines[side].edges), :2]
            out[side] = (ends.min(0) + ends.max(0)) / 2
        elif bone in avatar.humanoid and surface.parts.of_bones(bone).any():
            out[side] = surface.parts.landmarks[bone][:2]
        else:
            found.missing[f"{side}_eye"] = "neither a blink nor an eye bone with vertices"
            continue
        seen = front_landmark(mesh.points, _eye_triangles(mesh, side, surface), out[side])
        seen = seen or front_landmark(mesh.points, mesh.triangles, out[side])
        if seen is not None:
            found.points[f"{side}_eye"] = seen
    if len(out) == 2 and out["right"][0] >= out["left"][0]:
        found.missing["eyes"] = "they are not on their sides of the face"
        return {}
    return out


def _eye_triangles(mesh: FaceMesh, side: str, surface: Surface) -> Indices:
    """The triangles that an eye's bone, or a blink, moves as whole pieces: iris and eye white, or painted eyes."""
    bone = surface.parts.of_bones(f"{side}Eye")
    if bone[mesh.vertices].any():
        return mesh.triangles[bone[mesh.triangles].all(1)]
    moved = mesh.moved_by("blink", f"blink{side.capitalize()}")
    least = PIECE_MOVE * float(moved[mesh.vertices].max())
    return mesh.of_pieces(mesh.wholly_moved(moved, max(least, MIN_MOVE)))


# ---------------------------------------------------------------- brows


def _brows(avatar: Avatar, surface: Surface, mesh: FaceMesh, eyes: Array, found: FaceLandmarks) -> None:
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
            found.missing[f"{side}_brow"] = "no mesh or material is named after it, and no mood moves a piece of it"
            continue
        triangles = mesh.triangles[np.isin(mesh.triangles, brow).all(1)]
        _label(found, rows, [_midline(mesh, outline, triangles, share) for share in np.linspace(0, 1, 5)])


def _midline(mesh: FaceMesh, outline: Outline, triangles: Indices, share: float) -> Landmark:
    """The middle between the upper and lower edge of a piece, on its surface; its corners at shares 0 and 1."""
    if share in (0, 1):
        return on_vertex(outline.ends[int(share)])
    both = [outline.at(share, upper=upper) for upper in (True, False)]
    middle = place(both, mesh.points).mean(0)
    return front_landmark(mesh.points, triangles, middle[:2]) or both[0]


def _named_vertices(avatar: Avatar, surface: Surface, pattern: str) -> Array:
    """(V,) True for the vertices whose node, mesh or material has a name that `pattern` is found in."""
    chosen = []
    parts = surface.parts
    rows = [(n, p) for n in avatar.drawn_nodes for p in avatar.primitives_of(n)]
    for (node, primitive), used in zip(rows, parts.used_vertices, strict=True):
        mesh = avatar.meshes[avatar.nodes[node].mesh or 0].name
        text = " ".join((avatar.nodes[node].name, mesh, avatar.materials[primitive.material].name))
        chosen.append(np.full(len(used), re.search(pattern, text.lower()) is not None))
    return np.concatenate(chosen)


# ---------------------------------------------------------------- mouth


def _mouth(mesh: FaceMesh, eyes: Array, skin: int | None, found: FaceLandmarks) -> Outline | None:
    outline = _mouth_outline(mesh, eyes, skin)
    if outline is None:
        found.missing["mouth"] = "no morph target of a vowel opens it, or the mesh has no opening there"
        return None
    _label(found, names.OUTER_LIPS, _around(outline, 5))
    _label(found, names.INNER_LIPS, _around(outline, 3))
    return outline


def _mouth_outline(mesh: FaceMesh, eyes: Array, skin: int | None) -> Outline | None:
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
    lips = [r for r in mesh.rims if skin == mesh.piece[r[0, 0]] and _is_mouth(mesh.points[r.ravel()], eyes, moved[r], least)]
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
    corners = [[edges[0][0, 0], edges[1][0, 0]], [edges[0][-1, 1], edges[1][-1, 1]]] if len(edges[0]) and len(edges[1]) else []
    opened = (mesh.points + mesh.displacements[shape])[:, :2]
    return Outline(np.concatenate([*edges, corners]).astype(np.intp), opened) if corners else None


def _is_mouth(points: Array, eyes: Array, moved: Array, least: float) -> bool:
    """True for a rim or piece that vowels move and that lies in the middle below the eyes, not wider than the face."""
    spacing = float(eyes[1, 0] - eyes[0, 0])
    low, high = points[:, 0].min(), points[:, 0].max()
    middle = abs((low + high) / 2 - eyes[:, 0].mean()) < 0.15 * spacing
    return bool(middle and 0.1 * spacing < high - low < 1.5 * spacing and float(moved.max()) >= 0.2 * least)


# ---------------------------------------------------------------- nose and jaw


def _nose(mesh: FaceMesh, eyes: Array, mouth: Outline | None, skin: int, found: FaceLandmarks) -> None:
    """The tip is what stands out most of the skin's profile between eyes and mouth, with a hollow to either side."""
    if mouth is None:
        found.missing["nose"] = "it is looked for between eyes and mouth, and the mouth is not known"
        return
    triangles = mesh.of_pieces(np.array([skin]))
    (x, top), spacing = eyes.mean(0), float(eyes[1, 0] - eyes[0, 0])
    low = float(mesh.points[np.unique(mouth.edges), 1].max())
    heights = np.linspace(low, top, 62)[1:-1]
    profile = [front_landmark(mesh.points, triangles, (x, y)) for y in heights]
    if not all(profile):
        found.missing["nose"] = "the skin has no whole profile between eyes and mouth"
        return
    z = place([m for m in profile if m], mesh.points)[:, 2]
    tip = int((z - np.interp(heights, heights[[0, -1]], z[[0, -1]])).argmax())
    if not NOSE_RANGE[0] * len(z) <= tip <= NOSE_RANGE[1] * len(z):
        found.missing["nose"] = "nothing stands out between eyes and mouth"
        return
    base = int((np.interp(heights[: tip + 1], heights[[0, tip]], z[[0, tip]]) - z[: tip + 1]).argmax())
    wing_y = (heights[base] + heights[tip]) / 2
    wings = [_wing(mesh, triangles, (x, wing_y), sign * 0.4 * spacing) for sign in (-1, 1)]
    if wings[0] is None or wings[1] is None:
        found.missing["nose"] = "nothing stands out of the face in the middle"
        return
    middle_y = (wing_y + heights[base]) / 2
    row = ((wings[0], wing_y), (wings[0] / 2, middle_y), (0, heights[base]), (wings[1] / 2, middle_y), (wings[1], wing_y))
    bridge = [front_landmark(mesh.points, triangles, (x, y)) for y in np.linspace(top, heights[tip], 4)]
    _label(found, names.NOSE_BRIDGE, [*bridge[:3], profile[tip]])
    _label(found, names.NOSE_BASE, [front_landmark(mesh.points, triangles, (x + dx, y)) for dx, y in row])
    found.points["nose"] = found.points["face-30"]


def _wing(mesh: FaceMesh, triangles: Indices, middle: tuple[float, float], reach: float) -> float | None:
    """How far to a side (metres, with its sign) the cross-section is hollowest; None where it is not hollow."""
    across = np.linspace(0, reach, 40)
    cut = [front_landmark(mesh.points, triangles, (middle[0] + dx, middle[1])) for dx in across]
    if not all(cut):
        return None
    z = place([m for m in cut if m], mesh.points)[:, 2]
    hollow = np.linspace(z[0], z[-1], len(z)) - z
    return float(across[int(hollow.argmax())]) if hollow.max() >= MIN_RELIEF else None


def _jaw(mesh: FaceMesh, eyes: Array, mouth: Outline | None, skin: int, found: FaceLandmarks) -> None:
    """17 points of the skin's outline below the eyes, seen from the front, at even angles around the eyes' middle."""
    if mouth is None:
        found.missing["jaw"] = "the chin is looked for below the mouth, which is not known"
        return
    triangles = mesh.of_pieces(np.array([skin]))
    center = eyes.mean(0)
    low = float(mesh.points[np.unique(mouth.edges), 1].min())
    chin = _chin(mesh, triangles, (center[0], low), float(eyes[1, 0] - eyes[0, 0]))
    if chin is None:
        found.missing["jaw"] = "the face has no chin: its skin goes on into the neck, or ends above"
        return
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[(mesh.points[edges, 1] >= chin - 1e-3).all(1)]
    if not len(edges):
        found.missing["jaw"] = "the skin of the face is too coarse"
        return
    outline = Outline(edges, mesh.points[:, :2])
    _label(found, names.JAW, [_outward(outline, center, angle) for angle in np.linspace(np.pi, 2 * np.pi, 17)])


def _chin(mesh: FaceMesh, skin: Indices, below: tuple[float, float], spacing: float) -> float | None:
    """Height of the chin, metres: where the skin's profile below `below` (x, y) falls back to the throat, or ends."""
    step = spacing / 60
    z = None
    for i in range(1, 180):
        y = below[1] - i * step
        own = front_landmark(mesh.points, skin, (below[0], y))
        at = place([own], mesh.points)[0, 2] if own else -np.inf
        if z is not None and at < z - CHIN_FALL * step:
            under = front_landmark(mesh.points, mesh.body, (below[0], y))
            goes_on = under is not None and place([under], mesh.points)[0, 2] >= z - CHIN_FALL * step
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
    return on_edge(*outline.edges[best], float(t[best])) if reach[best] > 0 else None


# ---------------------------------------------------------------- labels


def _around(outline: Outline, count: int) -> list[Landmark | None]:
    """Right corner, `count` points of the upper edge, left corner, `count` points of the lower edge on the way back."""
    first, last = outline.ends
    shares = np.arange(1, count + 1) / (count + 1)
    upper: list[Landmark | None] = [outline.at(s, upper=True) for s in shares]
    lower: list[Landmark | None] = [outline.at(s, upper=False) for s in shares[::-1]]
    return [on_vertex(first), *upper, on_vertex(last), *lower]


def _label(found: FaceLandmarks, rows: tuple[int, ...], landmarks: list[Landmark | None]) -> None:
    for row, landmark in zip(rows, landmarks, strict=True):
        if landmark is not None:
            found.points[f"face-{row}"] = landmark
