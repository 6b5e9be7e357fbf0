"""Looking back: a head that is turned toward a camera which the back is turned to."""

from __future__ import annotations

from vrm_synth.facts.limbs import Limbs, between

MIN_LOOK_BACK = 40.0  # degrees that the head is turned from the hips
MIN_BACK_AZIMUTH = 125.0  # degrees from the front of chest or hips from which the camera sees the back
MAX_FACE_AZIMUTH = 76.0  # degrees from the face's front up to which the camera sees it


def looks_back(limbs: Limbs) -> bool:
    """True where the head is turned toward a camera that the back is turned to, and both are seen."""
    turn = limbs.head_turn
    if abs(turn) < MIN_LOOK_BACK or not limbs.visible.shows("head") or not limbs.visible.shows("torso"):
        return False
    to_camera = limbs.to_camera(limbs.joints["head"]) * (1.0, 0.0, 1.0)
    of_back, of_face = (between(axes[2] * (1.0, 0.0, 1.0), to_camera) for axes in (limbs.chest, limbs.head))
    of_hips = between(limbs.hips[2] * (1.0, 0.0, 1.0), to_camera)
    return max(of_back, of_hips) >= MIN_BACK_AZIMUTH and of_face <= MAX_FACE_AZIMUTH and of_face < of_back
