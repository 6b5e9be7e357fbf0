"""How the body of one picture is posed: by the tests of its pose's phrases, and by geometry."""

from __future__ import annotations

from vrm_synth.facts.body_state import BodyState
from vrm_synth.facts.facts import PoseFacts
from vrm_synth.facts.phrase_tests import true_phrases
from vrm_synth.pose.pose_library import Pose


def pose_facts(state: BodyState, pose: Pose) -> PoseFacts:
    """The pose, as far as it shows. Of a body that is none of a person, nothing."""
    if not state.limbs.view.parts.is_person:
        return PoseFacts()
    return PoseFacts(
        phrases=true_phrases(state, pose.phrases),
        posture=state.posture,
        torso=state.torso,
        legs=state.legs,
        left_arm=state.left_arm,
        right_arm=state.right_arm,
        looking_back=state.looks_back,
    )
