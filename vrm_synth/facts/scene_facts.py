"""What is around the figure of one picture: light and background."""

from __future__ import annotations

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import SceneFacts
from vrm_synth.shot.shot import Shot


def scene_facts(drawn: DrawnBody, shot: Shot) -> SceneFacts:
    """Light and background, as far as they show."""
    return SceneFacts()
