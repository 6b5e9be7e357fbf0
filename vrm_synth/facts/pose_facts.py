"""How the body of one picture is posed: by the tests of its pose's phrases, and by geometry."""

from __future__ import annotations

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import PoseFacts
from vrm_synth.pose.pose_library import Pose


def pose_facts(drawn: DrawnBody, pose: Pose) -> PoseFacts:
    """The pose, as far as it shows."""
    return PoseFacts()
