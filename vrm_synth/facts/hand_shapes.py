"""Shapes of the hands of one picture, by the joints of their fingers."""

from __future__ import annotations

from typing import Literal

from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import HandShape


def hand_shape(drawn: DrawnBody, side: Literal["left", "right"]) -> HandShape:
    """The shape of one hand; "" where it does not show or is none of the known ones."""
    return ""
