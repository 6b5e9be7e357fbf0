"""How the head is turned where it is turned another way than the body."""

from __future__ import annotations

from vrm_synth.facts.facts import Azimuth

# Middles of the names, in degrees around the figure, + to its left.
_DEGREES: dict[str, float] = {
    "front": 0.0, "three_quarter_left": 45.0, "three_quarter_right": -45.0, "side_left": 90.0, "side_right": -90.0,
    "behind_left": 135.0, "behind_right": -135.0, "back": 180.0,
}  # fmt: skip
_LEAST_TURN = 60.0  # degrees; names that lie beside each other differ by less


def head_turn(body: Azimuth, face: Azimuth) -> str:
    """How the camera sees the face of a turned head: front, three_quarter, side or behind; "" where none is turned."""
    if not body or not face:
        return ""
    turn = abs((_DEGREES[body] - _DEGREES[face] + 180.0) % 360.0 - 180.0)
    if turn < _LEAST_TURN:
        return ""
    name = face.removesuffix("_left").removesuffix("_right")
    return "behind" if name == "back" else name
