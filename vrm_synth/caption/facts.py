"""What a shot's labels say that a picture shows, in fixed terms: the one input of every caption language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Degrees around the avatar, from 0 in front: where one name ends and the next begins.
_AROUND = ((22.0, "front"), (66.0, "three_quarter"), (114.0, "side"), (152.0, "behind"))
HIGH, LOW = 14.0, -10.0


@dataclass(frozen=True)
class Facts:
    """Every text is "" where nothing is known or nothing can be seen.

    name: a proper name. noun: what the character is, with its article. hair, eyes, outfit: looks that this picture
    shows. says: phrases about the pose. expression: a VRM name. gaze: viewer or away.
    framing: face, bust, cowboy, full. azimuth: front, three_quarter_left …, back, the avatar's own sides.
    elevation: high, low or level. background: a colour's name, "transparent", or "". wording: which way to say it.
    """

    name: str
    noun: str
    hair: str
    eyes: str
    outfit: str
    says: tuple[str, ...]
    expression: str
    gaze: str
    framing: str
    azimuth: str
    elevation: str
    background: str
    wording: int


def facts(labels: Mapping[str, Any]) -> Facts:
    """From `Shot.labels` as `shot_at` writes them; a label that is not there claims nothing."""

    def text(key: str) -> str:
        return str(labels.get(key) or "")

    framing, face = text("framing"), bool(labels.get("face"))
    background = text("background")
    # In a close-up there is only the head to tell the side and the height by.
    of_what = "face_" if framing == "face" else ""
    around, height = labels.get(f"{of_what}azimuth"), labels.get(f"{of_what}elevation")
    return Facts(
        name=text("character"),
        noun=text("noun") or "a character",
        hair=text("hair") if framing else "",
        eyes=text("eyes") if face and framing in ("face", "bust") else "",
        outfit=_outfit(text("outfit"), framing),
        says=tuple(labels.get("says") or ()),
        expression=text("expression"),
        gaze=text("gaze"),
        framing=framing,
        azimuth="" if around is None else azimuth_name(float(around)),
        elevation="level" if height is None else elevation_name(float(height)),
        background="" if background.startswith("#") else background,
        wording=int(labels.get("wording") or 0),
    )


def azimuth_name(degrees: float) -> str:
    """Where the camera stands around the avatar; left and right are the avatar's own (+ is left)."""
    turned = (degrees + 180.0) % 360.0 - 180.0
    for limit, name in _AROUND:
        if abs(turned) <= limit:
            return name if name == "front" else f"{name}_{'left' if turned > 0 else 'right'}"
    return "back"


def elevation_name(degrees: float) -> str:
    """high, level or low."""
    return "high" if degrees >= HIGH else "low" if degrees <= LOW else "level"


def _outfit(outfit: str, framing: str) -> str:
    """The part of an outfit that a crop shows: none of it under a face, nothing below "and" in a bust."""
    if framing in ("cowboy", "full"):
        return outfit
    return outfit.partition(" and ")[0] if framing == "bust" else ""
