"""What the face of one picture shows: expression, eyes, mouth and gaze."""

from __future__ import annotations

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import FaceFacts, Gaze


def face_facts(drawn: DrawnBody, gaze: Gaze) -> FaceFacts:
    """What can be read on the face. gaze: viewer or away where the shot turns the eyes for its own camera, else ""."""
    return FaceFacts()
