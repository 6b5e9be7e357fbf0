"""The wording files: en.yaml, ja.yaml and tags.yaml, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from vrm_synth.caption.groups import GROUPS
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.yaml_models.strict_yaml import RefusedError, load

FOLDER = Path(__file__).with_name("wording")
COVERABLE = ("posture", "torso", "legs", "arms", "hands", "gaze")


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _order(groups: tuple[str, ...]) -> tuple[str, ...]:
    for group in groups:
        if group not in GROUPS:
            raise RefusedError(f"no such group of facts{did_you_mean(group, GROUPS)}", ", ".join(GROUPS))
    missing = [g for g in GROUPS if g not in groups]
    if missing or len(groups) > len(GROUPS):
        raise RefusedError(f"each group once; missing: {', '.join(missing) or 'none'}", ", ".join(GROUPS))
    return groups


def _covers(groups: tuple[str, ...]) -> tuple[str, ...]:
    for group in groups:
        if group not in COVERABLE:
            raise RefusedError(f"nothing that a phrase covers{did_you_mean(group, COVERABLE)}", ", ".join(COVERABLE))
    return groups


Alternatives = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Tags = Annotated[tuple[str, ...], BeforeValidator(_listed)]
ByName = dict[str, Alternatives]
Order = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_order)]


class _Wording(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    drop_first: Order


class LongEnglish(BaseModel):
    """Of en.yaml what the longest style has for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wears: Alternatives
    carries: Alternatives
    has: Alternatives
    background: Alternatives
    transparent: Alternatives
    light: dict[str, str]


class _Sentences(_Wording):
    """The keys that en.yaml and ja.yaml share: fact → ways to say it."""

    framing: ByName
    unknown_kind: str
    style: dict[str, str]
    nobody: str
    several: str
    bald: str
    hair_length: dict[str, str]
    hair_style: dict[str, str]
    skin: dict[str, str]
    posture: ByName
    torso: ByName
    legs: ByName
    both_arms: ByName
    one_arm: ByName
    both_hands: ByName
    one_hand: ByName
    expression: ByName
    eyelids: ByName
    wink: Alternatives
    mouth: ByName
    gaze: ByName
    looking_back: ByName
    view: ByName
    face_view: ByName
    head_turned: ByName
    light: ByName
    background: ByName
    background_colors: dict[str, str]


class English(_Sentences):
    """en.yaml: fact → ways to say it."""

    named: Alternatives
    wearing: Alternatives
    carrying: Alternatives
    not_worn: Tags
    on_garment: Tags
    her: dict[str, str]
    facing_and_looking: str
    height: ByName
    roll: ByName
    long: LongEnglish
    covers: dict[str, Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_covers)]]


class Verb(BaseModel):
    """A Japanese verb of wearing: `joined` before another ("着て"), `last` at the end ("着ている").

    before: what stands before the things ("首に"). particle: what stands after them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    joined: str
    last: str
    before: str = ""
    particle: str = "を"
    parts: Tags = ()
    items: Tags = ()


class Place(BaseModel):
    """Where a thing is worn: 胸元. noun: what it is called there; alone: what it is called without the place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    noun: str
    alone: str = ""


class Japanese(_Sentences):
    """ja.yaml: fact → ways to say it."""

    styled_length: dict[str, str]
    named: str
    body: dict[str, str]
    pupils: Tags
    grown: dict[str, str]
    verbs: dict[str, Verb]
    at: dict[str, Place]
    moves: Tags
    still: dict[str, str]
    stems: dict[str, str]
    before_noun: dict[str, str]
    reach: dict[str, str]
    reach_ends: str
    laughs: str
    sides: dict[str, str]
    seen: dict[str, str]
    seen_in_front: dict[str, str]
    seen_alone: dict[str, str]
    roll: dict[str, str]


class TagWording(_Wording):
    """tags.yaml: fact → tags, in the order of the file."""

    solo: Tags
    several: dict[str, Tags]
    nobody: Tags
    hair_length: dict[str, Tags]
    hair_style: dict[str, Tags]
    two_hair_colors: Tags
    two_eye_colors: Tags
    skin: dict[str, Tags]
    dark_skin: dict[str, str]
    skin_color: Tags
    expression: dict[str, Tags]
    eyelids: dict[str, Tags]
    mouth: dict[str, Tags]
    gaze: dict[str, Tags]
    looking_back: Tags
    posture: dict[str, Tags]
    torso: dict[str, Tags]
    legs: dict[str, Tags]
    one_arm: dict[str, Tags]
    both_arms: dict[str, Tags]
    one_hand: dict[str, Tags]
    both_hands: dict[str, Tags]
    view: dict[str, Tags]
    face_view: dict[str, Tags]
    height: dict[str, Tags]
    roll: dict[str, Tags]
    framing: dict[str, Tags]
    light: dict[str, Tags]
    background: dict[str, Tags]
    background_colors: dict[str, str]
    any_background: Tags


@cache
def english_wording() -> English:
    """The wordings of en.yaml. Raises RecipeError where the file is broken."""
    return load(FOLDER / "en.yaml", English)


@cache
def japanese_wording() -> Japanese:
    """The wordings of ja.yaml. Raises RecipeError where the file is broken."""
    return load(FOLDER / "ja.yaml", Japanese)


@cache
def tag_wording() -> TagWording:
    """The tags of tags.yaml. Raises RecipeError where the file is broken."""
    return load(FOLDER / "tags.yaml", TagWording)
