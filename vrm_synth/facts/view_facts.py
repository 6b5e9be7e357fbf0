"""From where the figure of one picture is seen: by its hips and chest, and by its face."""

from __future__ import annotations

from vrm_synth.camera.framing import Aim
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import ViewFacts


def view_facts(drawn: DrawnBody, aim: Aim) -> ViewFacts:
    """Sides, height and roll of the camera."""
    return ViewFacts()
