"""Hair, eyes, skin, garments and accessories of one picture: what is known of the avatar, where enough of it shows."""

from __future__ import annotations

from vrm_synth.appearance.appearance import Appearance
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import HairFacts, Item, SkinFacts


def hair_facts(drawn: DrawnBody, appearance: Appearance) -> HairFacts:
    """Colors, length and style of the hair, each where it shows."""
    return HairFacts()


def eye_colors(drawn: DrawnBody, appearance: Appearance) -> tuple[str, ...]:
    """Colors of the eyes, where enough of an iris shows."""
    return ()


def skin_facts(drawn: DrawnBody, appearance: Appearance) -> SkinFacts:
    """Tone or color of the skin, where enough of it shows."""
    return SkinFacts()


def garments(drawn: DrawnBody, appearance: Appearance) -> tuple[Item, ...]:
    """The garments in sight, outermost first, legwear, shoes and gloves last."""
    return ()


def accessories(drawn: DrawnBody, appearance: Appearance) -> tuple[Item, ...]:
    """Hats, glasses, ornaments, animal ears, tails, wings and held things in sight."""
    return ()
