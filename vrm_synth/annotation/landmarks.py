"""The keypoints of an avatar: which are joints, which lie on the surface and where, which the mesh does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.body_features import find_ears, find_feet, find_fingertips
from vrm_synth.annotation.face_features import find_face
from vrm_synth.annotation.face_mesh import FaceMesh
from vrm_synth.annotation.keypoint_names import BONE_OF_KEYPOINT, WHOLEBODY
from vrm_synth.annotation.landmark import Landmark, landmark_positions
from vrm_synth.annotation.surface import Surface, surface_of
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.shot.body_parts import HEAD
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True, eq=False)
class AvatarLandmarks:
    """Where the keypoints of an avatar are: T drawn triangles.

    surface: its surface at rest.
    joints: COCO-WholeBody's name → humanoid bone, for keypoints inside the body.
    points: COCO-WholeBody's name → landmark, for keypoints on the surface.
    missing: feature → why its keypoints are unlabeled.
    face_triangles: (T,) bool, True for the triangles that the face's box counts: skin, eyes, brows and mouth.
    head_triangles: (T,) bool, the same for the head: with the hair on it, without the hair that hangs below.
    """

    surface: Surface
    joints: dict[str, str]
    points: dict[str, Landmark]
    missing: dict[str, str]
    face_triangles: NDArray[np.bool_]
    head_triangles: NDArray[np.bool_]


_LANDMARKS: WeakKeyDictionary[Avatar, AvatarLandmarks] = WeakKeyDictionary()


def landmarks_of(avatar: Avatar) -> AvatarLandmarks:
    """The avatar's landmarks, measured at the first call. Raises ShotError where nothing is drawn."""
    landmarks = _LANDMARKS.get(avatar)
    if landmarks is None:
        landmarks = _LANDMARKS[avatar] = _measure(avatar)
    return landmarks


def _measure(avatar: Avatar) -> AvatarLandmarks:
    surface = surface_of(avatar)
    face, mesh = find_face(avatar, surface)
    missing = dict(face.missing)
    points = {
        **{n: p for n, p in face.points.items() if n in WHOLEBODY},
        **find_ears(mesh, face, missing),
        **find_feet(avatar, surface, missing),
        **find_fingertips(avatar, surface, missing),
    }
    joints = {name: bone for name, bone in BONE_OF_KEYPOINT.items() if bone in avatar.humanoid}
    for name in (n for n in BONE_OF_KEYPOINT if n not in joints):  # in order, so that rows have the same bytes
        missing[name] = f"the avatar has no {BONE_OF_KEYPOINT[name]}"
    head = _head_triangles(surface)
    return AvatarLandmarks(surface, joints, points, missing, _face_triangles(surface, mesh, face.skin, points), head)


def _centers(surface: Surface) -> NDArray[np.float64]:
    """(T, 3) the middle of each triangle at rest; NaN for hidden ones."""
    corners = surface.corners
    middle = surface.parts.rest[corners].mean(1)
    return np.where(corners.min(1, keepdims=True) >= 0, middle, np.nan)


def _head_triangles(surface: Surface) -> NDArray[np.bool_]:
    parts = surface.parts
    own = parts.of_bones(*HEAD) & ~parts.spring_driven
    joint = parts.landmarks["head"]
    if not own.any():
        return np.zeros(len(surface.corners), np.bool_)
    reach = 1.25 * float(np.abs(parts.rest[own, 0] - joint[0]).max())
    x, y, _ = _centers(surface).T
    with np.errstate(invalid="ignore"):
        on_top = (y >= joint[1]) & (np.abs(x - joint[0]) <= reach)
    loose = (surface.corners[:, 0] >= 0) & (parts.spring_driven[surface.corners].sum(1) > 0)
    return np.isin(surface.bone, [BONE_NAMES.index(b) for b in HEAD]) & (~loose | on_top)


def _face_triangles(
    surface: Surface, mesh: FaceMesh | None, skin: int | None, points: dict[str, Landmark]
) -> NDArray[np.bool_]:
    """Triangles of the skin and of what the face's expressions move, within the landmarks' extent from the front."""
    known = [m for n, m in points.items() if n.startswith("face-")]
    nothing = np.zeros(len(surface.corners), np.bool_)
    if mesh is None or skin is None or "face-8" not in points:
        return nothing
    low, high = (f(landmark_positions(known, mesh.points), axis=0) for f in (np.min, np.max))
    moved = mesh.moved_by(*mesh.moves)
    of_face = (moved > 1e-4) | surface.parts.of_bones("leftEye", "rightEye")
    of_face[mesh.vertices[mesh.piece[mesh.vertices] == skin]] = True
    of_face |= of_face[mesh.welded]
    center = _centers(surface)
    slack = 0.02 * (high - low)
    with np.errstate(invalid="ignore"):
        inside = ((center >= low - slack) & (center <= high + slack))[:, :2].all(1) & (center[:, 2] >= low[2])
    return of_face[surface.corners].all(1) & inside & (surface.corners >= 0).all(1)
