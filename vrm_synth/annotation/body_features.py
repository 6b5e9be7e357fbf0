"""Landmarks of the body's surface, found on the mesh at rest: ears, fingertips, toes, heels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vrm_synth.annotation.face_landmarks import FaceLandmarks
from vrm_synth.annotation.face_mesh import FaceMesh
from vrm_synth.annotation.keypoint_names import FINGERS
from vrm_synth.annotation.landmark import Landmark, landmark_positions, on_vertex
from vrm_synth.annotation.surface import Surface
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.vrm.avatar import Avatar

MIN_VERTICES = 3  # of a finger's last bone, or a foot, for its ends to be known
EAR_SYMMETRY = 0.05  # of the head's width: by how much two ears may miss mirroring each other

_BONES = {"thumb": "Thumb", "forefinger": "Index", "middle_finger": "Middle", "ring_finger": "Ring",
          "pinky_finger": "Little"}  # fmt: skip


def find_fingertips(avatar: Avatar, surface: Surface, missing: dict[str, str]) -> dict[str, Landmark]:
    """Keypoint ("left_forefinger4") → the vertex farthest along the finger's last bone; puts reasons into `missing`."""
    out = {}
    for side in ("left", "right"):
        for finger in FINGERS:
            name = f"{side}_{finger}4"
            bones = [b for b in BONE_NAMES if b.startswith(side + _BONES[finger]) and b in avatar.humanoid]
            if len(bones) < 2:
                missing[name] = "the avatar has no bones of this finger"
                continue
            own = np.flatnonzero(surface.parts.of_bones(bones[-1]) & surface.parts.direct)
            if len(own) < MIN_VERTICES:
                missing[name] = "its last bone moves no vertices"
                continue
            marks = surface.parts.landmarks
            along = marks[bones[-1]] - marks[bones[-2]]
            out[name] = on_vertex(own[int((surface.parts.rest[own] @ along).argmax())])
    return out


def find_feet(avatar: Avatar, surface: Surface, missing: dict[str, str]) -> dict[str, Landmark]:
    """Keypoint ("left_big_toe") → vertex of the foot or shoe; puts reasons into `missing`.

    The big toe is the foremost vertex of the foot's inner half, the small toe of its outer quarter, the heel the
    hindmost of its lower half. Forward is from the foot's bone to the toes', else the way the avatar faces.
    """
    out = {}
    parts = surface.parts
    for side, sign in (("left", 1.0), ("right", -1.0)):
        own = np.flatnonzero(parts.of_bones(f"{side}Foot", f"{side}Toes") & parts.direct)
        if len(own) < MIN_VERTICES or not avatar.front_known:
            reason = "no vertices of the foot" if avatar.front_known else "the front is not known"
            missing |= {f"{side}_{name}": reason for name in ("big_toe", "small_toe", "heel")}
            continue
        points = parts.rest[own]
        forward = _forward(parts.landmarks, side)
        ahead, height = points @ forward, points[:, 1]
        outward = points @ (np.cross([0.0, 1.0, 0.0], forward) * sign)  # for the left foot +X is outward
        across = (outward - outward.min()) / max(float(np.ptp(outward)), 1e-9)
        low = height <= (height.min() + height.max()) / 2
        for name, chosen, score in (
            ("big_toe", (across <= 0.5) & low, ahead),
            ("small_toe", (across >= 0.75) & low, ahead),
            ("heel", low, -ahead),
        ):
            if chosen.any():
                out[f"{side}_{name}"] = on_vertex(own[int(np.where(chosen, score, -np.inf).argmax())])
            else:
                missing[f"{side}_{name}"] = "the foot has too few vertices"
    return out


def _forward(marks: Mapping[str, Array], side: str) -> Array:
    foot, toes = marks.get(f"{side}Foot"), marks.get(f"{side}Toes")
    if foot is not None and toes is not None:
        flat = (toes - foot) * [1.0, 0.0, 1.0]
        length = float(np.linalg.norm(flat))
        if length > 1e-3:
            return np.asarray(flat / length, np.float64)
    return np.array([0.0, 0.0, 1.0])


def find_ears(mesh: FaceMesh | None, face: FaceLandmarks, missing: dict[str, str]) -> dict[str, Landmark]:
    """Keypoint ("left_ear") → the middle of an ear that is a piece of its own, on its outer side.

    Ears are pieces beside the face's skin between the heights of brows and chin, one on either side and mirroring each
    other. Where the skin has ears in one piece with it, its outermost vertices at the eyes' height are theirs when they
    stand out of the jaw's line.
    """
    known = {n for n in ("left_eye", "right_eye", "face-8") if n in face.points}
    if mesh is None or len(known) < 3 or face.skin is None:
        return _none(missing, "it is looked for beside eyes and chin, which are not known")
    left, right, chin = landmark_positions([face.points[n] for n in ("left_eye", "right_eye", "face-8")], mesh.points)
    own = mesh.vertices[mesh.piece[mesh.vertices] == face.skin]
    middle, eye_y = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    tall = eye_y - chin[1]
    pairs = _ear_pieces(mesh, face.skin, own, middle, (chin[1], eye_y + tall))
    if pairs:
        return {f"{side}_ear": on_vertex(_outermost(mesh.points, pairs[side], middle)) for side in ("left", "right")}
    band = own[(mesh.points[own, 1] > eye_y - 0.5 * tall) & (mesh.points[own, 1] < eye_y + 0.2 * tall)]
    cheek = [face.points[n] for n in ("face-2", "face-14") if n in face.points]
    if len(band) < MIN_VERTICES or len(cheek) < 2:
        return _none(missing, "the skin has no vertices at the ears' height")
    width = float(np.ptp(landmark_positions(cheek, mesh.points)[:, 0])) / 2
    ends = {s: band[int((sign * mesh.points[band, 0]).argmax())] for s, sign in (("left", 1.0), ("right", -1.0))}
    out = {s: abs(float(mesh.points[v, 0]) - middle) for s, v in ends.items()}
    symmetric = abs(out["left"] - out["right"]) < EAR_SYMMETRY * 2 * width
    if not symmetric or min(out.values()) < 1.05 * width:
        return _none(missing, "the mesh has no ears beside the face")
    return {f"{side}_ear": on_vertex(v) for side, v in ends.items()}


def _ear_pieces(mesh: FaceMesh, skin: int, own: Array, middle: float, heights: tuple[float, float]) -> dict[str, Array]:
    """Side → vertices of the ear's pieces: between two heights, beside the skin, and as wide as a quarter of it."""
    skin_points = mesh.points[own]
    width, depth = float(np.ptp(skin_points[:, 0])), float(np.ptp(skin_points[:, 2]))
    low_z = skin_points[:, 2].min()
    sides: dict[str, list[Array]] = {"left": [], "right": []}
    for piece in np.unique(mesh.piece[mesh.vertices]):
        vertices = mesh.vertices[mesh.piece[mesh.vertices] == piece]
        points = mesh.points[vertices]
        low, high = points.min(0), points.max(0)
        side = "left" if low[0] > middle else "right"
        beside = min(abs(low[0] - middle), abs(high[0] - middle)) > 0.3 * width
        at_height = low[1] > heights[0] and high[1] < heights[1]
        small = high[1] - low[1] > 0.1 * (heights[1] - heights[0]) and high[2] - low[2] < 0.5 * depth
        central = low_z + 0.2 * depth < (low[2] + high[2]) / 2 < low_z + 0.8 * depth
        if piece != skin and beside and at_height and small and central:
            sides[side].append(vertices)
    joined = {side: np.concatenate(v) for side, v in sides.items() if v}
    if len(joined) < 2:
        return {}
    left, right = (mesh.points[joined[s]].mean(0) for s in ("left", "right"))
    mirrored = np.linalg.norm(left - [2 * middle - right[0], right[1], right[2]]) < EAR_SYMMETRY * width * 2
    return joined if mirrored else {}


def _outermost(points: Array, vertices: Array, middle: float) -> int:
    """The vertex farthest out of those around the middle height of an ear."""
    height = points[vertices, 1]
    center = (height.min() + height.max()) / 2
    around = vertices[np.abs(height - center) <= 0.25 * np.ptp(height)]
    chosen = around if len(around) else vertices
    return int(chosen[int(np.abs(points[chosen, 0] - middle).argmax())])


def _none(missing: dict[str, str], reason: str) -> dict[str, Landmark]:
    missing.update({"left_ear": reason, "right_ear": reason})
    return {}
