"""Captions of facts, for programs: one caption of one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vrm_synth.caption.captioner import caption
from vrm_synth.caption.clip_tokens import BUDGET
from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.facts.facts import Facts
from vrm_synth.yaml_models.strict_yaml import check


def describe(
    facts: Facts,
    style: str | Sequence[str] | Mapping[str, float] = "en",
    *,
    seed: int = 0,
    trigger: str = "",
    prefix: str = "",
    suffix: str = "",
    drop: Mapping[str, float] | None = None,
    max_tokens: int | None = BUDGET,
) -> str:
    """One caption of a picture, of its facts alone; equal arguments give an equal caption.

    style: "en", "en_short", "en_long", "ja" or "tags"; of several the seed chooses one. seed: of the choice among ways
    to say the same. The others are as in a recipe's `captions`. Raises RecipeError for a setting that is none.
    """
    settings = {
        "style": dict(style) if isinstance(style, Mapping) else style,
        "trigger": trigger,
        "prefix": prefix,
        "suffix": suffix,
        "drop": dict(drop or {}),
        "max_tokens": max_tokens,
    }
    return caption(facts, check(settings, CaptionSettings, "describe"), seed)
