"""Regions of a picture: tight boxes of the figure and its parts, and which share of each body part is seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.cameras import project_points
from vrm_synth.annotation.drawn_depth import SURFACE_TOLERANCE, DrawnDepth
from vrm_synth.annotation.landmarks import AvatarLandmarks
from vrm_synth.annotation.surface import Surface
from vrm_synth.camera.camera import Camera
from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.shot.body_parts import HEAD, MIN_BONE_VERTICES, TORSO

Box = tuple[float, float, float, float]  # COCO's x, y, width, height, pixels


def _below(bone: str) -> tuple[str, ...]:
    names = [bone]
    for b in BONE_NAMES:  # parents come before their children
        if PARENT[b] in names:
            names.append(b)
    return tuple(names)


_LIMBS = ("UpperArm", "LowerArm", "UpperLeg", "LowerLeg")
BODY_PARTS: Mapping[str, tuple[str, ...]] = {
    "head": HEAD,
    "torso": TORSO,
    **{f"{side}{limb}": (f"{side}{limb}",) for side in ("left", "right") for limb in _LIMBS},
    **{f"{side}{end}": _below(f"{side}{end}") for side in ("left", "right") for end in ("Hand", "Foot")},
}

# (56,) index into BODY_PARTS by bone; the last one is for no bone (−1).
_PART_OF_BONE = np.array(
    [next(i for i, bones in enumerate(BODY_PARTS.values()) if name in bones) for name in BONE_NAMES] + [-1], np.intp
)


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """The tight box of a mask (H, W); None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    x, y = float(columns[0]), float(rows[0])
    return x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y


def boxes(landmarks: AvatarLandmarks, drawn: DrawnDepth) -> dict[str, Box | None]:
    """Tight boxes of what is seen of figure, head, face, left_hand, right_hand; None where nothing of it is.

    A pixel belongs to the bone that moves its triangle most. The head has the hair on it, not the hair that hangs
    below; the face is skin, eyes, brows and mouth between the jaw's outline and the brows.
    """
    surface = landmarks.surface
    chosen = {
        "figure": np.ones(len(surface.bone), np.bool_),
        "head": landmarks.head_triangles,
        "face": landmarks.face_triangles,
        "left_hand": np.isin(surface.bone, [BONE_NAMES.index(b) for b in BODY_PARTS["leftHand"]]),
        "right_hand": np.isin(surface.bone, [BONE_NAMES.index(b) for b in BODY_PARTS["rightHand"]]),
    }
    return {name: box_of(_pixels(triangles, drawn)) for name, triangles in chosen.items()}


def visible_shares(
    surface: Surface, vertices: Array, camera: Camera, size: tuple[int, int], drawn: DrawnDepth
) -> dict[str, float | None]:
    """Body part → share of its vertices in sight; None where it has hardly any.

    A vertex that the part's bones move directly is in sight where it is in the picture and its pixel shows the part
    itself (its far side counts with its near side), or nothing is drawn more than 1 cm in front of it. vertices: (V, 3)
    of BodyParts in the pose, world metres.
    """
    parts = surface.parts
    own = np.flatnonzero(parts.direct)
    part = _PART_OF_BONE[parts.bone[own]]
    pixels, points = project_points(camera, size, vertices[own])
    depth, triangle = drawn.at(pixels)
    shows_part = (triangle >= 0) & (_PART_OF_BONE[surface.bone[triangle]] == part)
    unhidden = depth >= points[:, 2] - SURFACE_TOLERANCE
    in_sight = drawn.inside(pixels, points[:, 2]) & (shows_part | unhidden)
    total = np.bincount(part, minlength=len(BODY_PARTS))
    seen = np.bincount(part, in_sight, minlength=len(BODY_PARTS))
    return {
        name: float(seen[i] / total[i]) if total[i] >= MIN_BONE_VERTICES else None for i, name in enumerate(BODY_PARTS)
    }


def _pixels(triangles: NDArray[np.bool_], drawn: DrawnDepth) -> NDArray[np.bool_]:
    """(H, W) mask of the pixels that show the chosen triangles (T,)."""
    return np.append(triangles, False)[drawn.triangle]  # the background is triangle −1: the last one
