"""Captioner: what makes a caption of facts, ours of each style or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.facts.facts import Facts


class Captioner(Protocol):
    """A pure function of the facts of a picture and a seed: equal arguments, equal caption, on every machine.

    seed: of the choice among ways to say the same; any integer. Any function of this shape is a captioner:

        def caption_own(facts: Facts, seed: int) -> str:
            return f"a {facts.hair.colors[0]}-haired {facts.character.kind}" if facts.hair.colors else "a figure"

    and goes into `captioners={"caption_own": caption_own}`, by the name of its column.
    """

    def __call__(self, facts: Facts, seed: int) -> str: ...


def captioner(settings: CaptionSettings) -> Captioner:
    """The captioner that follows the settings."""
    return lambda facts, seed: caption(facts, settings, seed)


def caption(facts: Facts, settings: CaptionSettings | None = None, seed: int = 0) -> str:
    """One caption: a pure function of the arguments."""
    return "A picture of a character."


def captions(facts: Facts, columns: Mapping[str, CaptionSettings], seed: int) -> dict[str, str]:
    """Column → caption of one picture."""
    return {name: caption(facts, settings, seed) for name, settings in columns.items()}
