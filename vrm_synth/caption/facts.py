"""Facts of a picture, in fixed terms: the one input of every caption language."""

from __future__ import annotations

from dataclasses import dataclass

from vrm_synth.shot.choices import Choices
from vrm_synth.shot.observations import Observations

# Degrees around the avatar, from 0 in front: where one name ends and the next begins.
_AZIMUTH_LIMITS = ((22.0, "front"), (66.0, "three_quarter"), (114.0, "side"), (152.0, "behind"))
HIGH, LOW = 14.0, -10.0


@dataclass(frozen=True)
class Facts:
    """The statements of a caption. A text is "" where nothing is known or nothing can be seen.

    name: a proper name.
    noun: what the character is, with its article.
    hair, eyes, outfit: looks that this picture shows.
    phrases: about the pose.
    expression: a VRM name.
    gaze: viewer or away.
    framing: face, bust, cowboy or full.
    azimuth: front, three_quarter_left …, back: the avatar's own sides.
    elevation: high, low or level.
    background: a colour's name or "transparent".
    wording: seed of the choice among the ways to say each.
    """

    name: str
    noun: str
    hair: str
    eyes: str
    outfit: str
    phrases: tuple[str, ...]
    expression: str
    gaze: str
    framing: str
    azimuth: str
    elevation: str
    background: str
    wording: int


def facts(choices: Choices, observations: Observations) -> Facts:
    """The facts that a caption may state: chosen, and found to be in the picture where that can be checked."""
    o, framing = observations, observations.framing
    # In a close-up only the head shows from which side and height it is seen.
    close = framing == "face"
    azimuth = o.face_azimuth if close else o.azimuth
    elevation = o.face_elevation if close else o.elevation
    return Facts(
        name=choices.character,
        noun=choices.noun or "a character",
        hair=o.hair if framing else "",
        eyes=o.eyes if o.face_in_sight and framing in ("face", "bust") else "",
        outfit=_outfit(choices.outfit, framing),
        phrases=o.phrases,
        expression=o.expression,
        gaze=o.gaze,
        framing=framing,
        azimuth="" if azimuth is None else azimuth_name(azimuth),
        elevation="level" if elevation is None else elevation_name(elevation),
        background="" if choices.background.startswith("#") else choices.background,
        wording=choices.wording,
    )


def azimuth_name(degrees: float) -> str:
    """Name of the camera's azimuth, degrees; left and right are the avatar's own (+ is left)."""
    turned = (degrees + 180.0) % 360.0 - 180.0
    for limit, name in _AZIMUTH_LIMITS:
        if abs(turned) <= limit:
            return name if name == "front" else f"{name}_{'left' if turned > 0 else 'right'}"
    return "back"


def elevation_name(degrees: float) -> str:
    """Name of the camera's elevation, degrees: high, level or low."""
    return "high" if degrees >= HIGH else "low" if degrees <= LOW else "level"


def _outfit(outfit: str, framing: str) -> str:
    """The part of an outfit that a crop shows: none of it under a face, nothing below "and" in a bust."""
    if framing in ("cowboy", "full"):
        return outfit
    return outfit.partition(" and ")[0] if framing == "bust" else ""
