"""How much of the figure one picture shows."""

from __future__ import annotations

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import Framing


def framing(drawn: DrawnBody) -> Framing:
    """The framing by what is in sight, whatever crop was chosen."""
    return ""
