"""How the body of one picture is posed: by the tests of its pose's phrases, and by geometry."""

from __future__ import annotations

import numpy as np

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import Arm, Legs, PoseFacts, Posture, Torso
from vrm_synth.facts.limbs import DOWN, Limbs, between, limbs_of
from vrm_synth.facts.phrase_tests import BodyState, true_phrases
from vrm_synth.pose.pose_library import Pose

SIDES = ("left", "right")
MIN_SEEN_LEAN = 0.6  # of a lean's degrees: what the picture shows of it


def pose_facts(drawn: DrawnBody, pose: Pose) -> PoseFacts:
    """The pose, as far as it shows. Of a body that is none of a person, nothing."""
    if not drawn.view.parts.is_person:
        return PoseFacts()
    limbs = limbs_of(drawn)
    state = BodyState(limbs)
    return PoseFacts(
        phrases=true_phrases(state, pose.phrases),
        posture=_seen_posture(state),
        torso=_seen_torso(state),
        legs=_seen_legs(state),
        left_arm=_seen_arm(limbs, "left", state.left_arm),
        right_arm=_seen_arm(limbs, "right", state.right_arm),
        looking_back=state.looks_back,
    )


def _seen_posture(state: BodyState) -> Posture:
    shows = state.limbs.visible.shows
    shins = [shows(f"{s}LowerLeg") or shows(f"{s}Foot") for s in SIDES]
    thighs = [shows(f"{s}UpperLeg") for s in SIDES]
    if not (shows("torso") or shows("hips") or any(thighs)):
        return ""
    # Who sits on the heels hides the shins.
    legs = any(shins) if state.posture == "standing" else all(shins) or (state.posture == "kneeling" and all(thighs))
    return state.posture if legs else ""


def _seen_torso(state: BodyState) -> Torso:
    limbs, lean = state.limbs, state.torso
    if not lean or not limbs.visible.shows("torso") or not (limbs.visible.shows("hips") or limbs.visible.shows("legs")):
        return ""
    if lean in ("upright", "bending_forward"):
        return lean
    # A lean toward the camera or away from it is not seen.
    up = limbs.joints["leftUpperArm"] + limbs.joints["rightUpperArm"]
    up = up - limbs.joints["leftUpperLeg"] - limbs.joints["rightUpperLeg"]
    back = limbs.to_camera(limbs.joints["hips"])
    seen = [v - (v @ back) * back for v in (up, -DOWN)]
    return lean if between(*seen) >= MIN_SEEN_LEAN * float(np.max(np.abs(limbs.torso_tilt))) else ""


def _seen_legs(state: BodyState) -> Legs:
    shows = state.limbs.visible.shows
    return state.legs if all(shows(f"{s}LowerLeg") for s in SIDES) else ""


def _seen_arm(limbs: Limbs, side: str, name: Arm) -> Arm:
    shows = limbs.visible.shows
    if name == "behind_back":
        return name if shows(f"{side}UpperArm") and shows("torso") else ""
    return name if shows(f"{side}LowerArm") and (shows(f"{side}Hand") or shows(f"{side}UpperArm")) else ""
