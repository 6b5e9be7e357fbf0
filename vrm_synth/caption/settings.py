"""Settings of captions: the recipe's key `captions`, one entry a column of the dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from vrm_synth.caption.clip_tokens import BUDGET, count_tokens
from vrm_synth.caption.groups import GROUPS
from vrm_synth.core.names import is_control_free, is_whole_line
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.yaml_models.strict_yaml import RefusedError

# English short, medium and long; Japanese; the tags of anime models.
STYLES: tuple[str, ...] = ("en_short", "en", "en_long", "ja", "tags")
MOST_COLUMNS = 8
LEAST_TOKENS = 24  # what a caption without facts may need in any style
LONGEST_TEXT = 300
COLUMN_NAMES = "caption, tags, or these with _ and a-z, 0-9 after them"
LONGEST_COLUMN = 40
_COLUMN = re.compile(r"(caption|tags)(_[a-z0-9]+)*")


def _style(value: Any) -> Any:
    """Style → weight, of one name, a list of names or a mapping."""
    entries = {value: 1.0} if isinstance(value, str) else value
    if isinstance(entries, list | tuple):
        entries = {name: 1.0 for name in entries if isinstance(name, str)}
    if not isinstance(entries, dict) or not entries:
        raise RefusedError("not a style", ", ".join(STYLES))
    for name in entries:
        if name not in STYLES:
            raise RefusedError(f"no such style{did_you_mean(str(name), STYLES)}", ", ".join(STYLES))
    return dict(entries)


def _drop(value: Any) -> Any:
    for group in value if isinstance(value, dict) else ():
        if group not in GROUPS:
            raise RefusedError(f"no such group of facts{did_you_mean(str(group), GROUPS)}", ", ".join(GROUPS))
    return value


def _line(text: str) -> str:
    if text and not is_control_free(text, LONGEST_TEXT):
        raise RefusedError("not one line of text", f"up to {LONGEST_TEXT} characters, no control characters")
    if text and not is_whole_line(text, LONGEST_TEXT):
        raise RefusedError("half of a character", "whole characters")
    return " ".join(text.split())


Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, AfterValidator(_line)]


class CaptionSettings(BaseModel):
    """How the captions of one column are written.

    Whole captions are dropped out by trainers, not here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # One style, a list, or style → weight: each shot then has one of them, by its seed.
    style: Annotated[dict[str, Weight], BeforeValidator(_style)] = Field(default="en", validate_default=True)
    # A word that stands for the character, at the beginning of each caption.
    trigger: Line = ""
    # Text before and after each caption, as it is. A suffix that begins with a comma takes the period's place.
    prefix: Line = ""
    suffix: Line = ""
    # Group of facts → probability that a caption leaves it out: {background: 0.1, hair: 0.05}.
    drop: Annotated[dict[str, Share], BeforeValidator(_drop)] = {}
    # Most tokens that CLIP may find in a caption, without its two marks of beginning and end; null for no limit.
    max_tokens: Annotated[int, Field(ge=LEAST_TOKENS, le=10_000, strict=True)] | None = BUDGET

    @model_validator(mode="after")
    def _fits(self) -> CaptionSettings:
        own = sum(count_tokens(text) + 1 for text in (self.prefix, self.trigger, self.suffix) if text)  # 1: a comma
        if self.max_tokens is not None and own > self.max_tokens - LEAST_TOKENS:
            what = f"trigger, prefix and suffix may be {own} tokens, which leaves no place for a caption"
            raise RefusedError(what, f"up to {self.max_tokens - LEAST_TOKENS} tokens, or a greater max_tokens")
        return self


def is_column(name: object) -> bool:
    """True for the name of a column of captions."""
    return isinstance(name, str) and len(name) <= LONGEST_COLUMN and _COLUMN.fullmatch(name) is not None


def _columns(value: Any) -> Any:
    for name in value if isinstance(value, dict) else ():
        if not is_column(name):
            raise RefusedError("not a column for captions", COLUMN_NAMES, (str(name),))
    return value


# Column → settings, as the recipe has it: {caption: {style: en}, tags: {style: tags}}.
CaptionColumns = Annotated[
    dict[str, CaptionSettings], BeforeValidator(_columns), Field(min_length=1, max_length=MOST_COLUMNS)
]
DEFAULT_COLUMNS: Mapping[str, CaptionSettings] = {"caption": CaptionSettings()}
