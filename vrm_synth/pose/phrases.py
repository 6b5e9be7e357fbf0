"""Phrases of pose files: pieces of caption, and the tests that a picture must pass for one to be said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_serializer, model_validator

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.names import is_control_free
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.yaml_models.strict_yaml import RefusedError

REGIONS: Mapping[str, tuple[str, ...]] = {
    "torso": ("hips", "spine", "chest", "upperChest", "leftShoulder", "rightShoulder"),
    "legs": ("leftUpperLeg", "rightUpperLeg", "leftLowerLeg", "rightLowerLeg"),
    "leftPalm": ("leftHand",),  # without its fingers
    "rightPalm": ("rightHand",),
}
PLACES = ("mouth", "chin", "leftEar", "rightEar")  # points of the head, for `touch` alone
SIDED = {"left": "right", "right": "left"}
JA_SIDED = {"左": "右", "右": "左"}

Side = Literal["left", "right"]
Pair = tuple[str, str]
HandName = Literal["open", "fist", "peace", "point", "thumb_up"]
ArmName = Literal["down", "raised", "out", "forward", "crossed", "behind_back"]
PostureName = Literal["standing", "sitting", "kneeling", "crouching", "lying", "midair"]
TorsoName = Literal["upright", "bending_forward", "leaning_forward", "leaning_back", "leaning_sideways"]
LegsName = Literal["together", "apart", "crossed", "left_lifted", "right_lifted"]


@dataclass(frozen=True)
class Phrase:
    """A piece of caption, and what must be so in a picture for it to be said there; left and right are the avatar's.

    text: continues "a girl …" ("waving with the right hand"). ja: the same in Japanese, "" for none. tags: the same in
    the vocabulary of anime models.
    shows: bones that the picture must show.
    touch: pairs that must touch on this avatar, whose arms may be shorter than others': a bone, and a bone, "torso",
    "legs" or a place of the head; two hands touch when they hold each other, leftPalm and rightPalm when they face each
    other, too.
    above, front, behind: pairs of bones, the first of which is higher than the second, or farther forward or back as
    the chest faces. apart: pairs of bones that are at least a shoulder's width from each other.
    bent, straight: lower arms and lower legs, by the angle of their elbows and knees.
    hands, arms: (side, name) of the shape of a hand and of where an arm goes; "left" or "right".
    posture, torso, legs: names of PoseFacts; "" for any.
    turned: the side that the head is turned to, from the hips. looking_back: it is turned so to a camera that sees the
    back.
    """

    text: str
    ja: str = ""
    tags: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    touch: tuple[Pair, ...] = ()
    above: tuple[Pair, ...] = ()
    front: tuple[Pair, ...] = ()
    behind: tuple[Pair, ...] = ()
    apart: tuple[Pair, ...] = ()
    bent: tuple[str, ...] = ()
    straight: tuple[str, ...] = ()
    hands: tuple[tuple[Side, HandName], ...] = ()
    arms: tuple[tuple[Side, ArmName], ...] = ()
    posture: str = ""
    torso: str = ""
    legs: str = ""
    turned: str = ""
    looking_back: bool = False

    def mirror(self) -> Phrase:
        """Left and right change places, in the words, in the bones and in the tests."""
        return Phrase(**{f.name: _mirrored(f.name, getattr(self, f.name)) for f in fields(self)})


def other_side(name: str) -> str:
    """The bone or place of the same name on the other side; those of the middle are their own."""
    for side, other in SIDED.items():
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


def _mirrored(key: str, value: Any) -> Any:
    if key == "ja":
        return re.sub("[左右]", lambda m: JA_SIDED[m[0]], value)
    if key in ("text", "tags"):
        return _swap_words(value) if isinstance(value, str) else tuple(map(_swap_words, value))
    if isinstance(value, tuple):
        return tuple(_mirrored(key, v) for v in value)
    return other_side(value) if isinstance(value, str) else value


def _swap_words(text: str) -> str:
    return re.sub(r"(?<![A-Za-z])(left|right)(?![A-Za-z])", lambda m: SIDED[m[1]], text)


# ---------------------------------------------------------------- in the files

MOST_PHRASES = 64  # of phrases, tags, bones that a phrase is about


def one_line(text: str) -> str:
    """The text, of one line. Raises RefusedError."""
    if not is_control_free(text):
        raise RefusedError("not one line of text", "no control characters")
    return text


def _tag(text: str) -> str:
    if "," in text or text != text.strip():
        raise RefusedError(f"{text!r} is not one tag", "no comma, no space at its ends")
    return one_line(text)


Text = Annotated[str, AfterValidator(one_line)]
PhraseTag = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_tag)]
Bones = Annotated[tuple[str, ...], Field(max_length=MOST_PHRASES)]
Pairs = Annotated[tuple[Pair, ...], Field(max_length=MOST_PHRASES)]
BendingBone = Literal["leftLowerArm", "rightLowerArm", "leftLowerLeg", "rightLowerLeg"]


class PhraseFile(BaseModel):
    """One entry of `say` in a pose file: see Phrase. hands, arms: left, right or both → name."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    text: Text = Field(min_length=3, max_length=120)
    ja: Text = Field("", max_length=120)
    tags: tuple[PhraseTag, ...] = Field((), max_length=MOST_PHRASES)
    shows: Bones = ()
    touch: Pairs = ()
    above: Pairs = ()
    front: Pairs = ()
    behind: Pairs = ()
    apart: Pairs = ()
    bent: tuple[BendingBone, ...] = Field((), max_length=MOST_PHRASES)
    straight: tuple[BendingBone, ...] = Field((), max_length=MOST_PHRASES)
    hands: dict[Literal["left", "right", "both"], HandName] = {}
    arms: dict[Literal["left", "right", "both"], ArmName] = {}
    posture: PostureName | Literal[""] = ""
    torso: TorsoName | Literal[""] = ""
    legs: LegsName | Literal[""] = ""
    turned: Side | Literal[""] = ""
    looking_back: bool = False

    @model_validator(mode="after")
    def _known(self) -> PhraseFile:
        _check_names(self.shows, (*BONE_NAMES, *REGIONS))
        _check_names([b for pair in self.touch for b in pair], (*BONE_NAMES, *REGIONS, *PLACES))
        for pairs in (self.above, self.front, self.behind, self.apart):
            _check_names([b for pair in pairs for b in pair], BONE_NAMES)
        return self

    @model_serializer(mode="wrap")
    def _said(self, handler: Any) -> dict[str, Any]:
        # What is stored of a file is what it says, the same as before a key was added that it does not use.
        return {k: v for k, v in handler(self).items() if v or k in ("text", "shows", "touch")}

    def phrase(self) -> Phrase:
        """The phrase that the entry describes."""
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        return Phrase(**values | {"hands": _by_side(self.hands), "arms": _by_side(self.arms)})


def _check_names(names: tuple[str, ...] | list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            others = [n for n in known if n not in BONE_NAMES]
            what = f"{name} is not a bone{did_you_mean(name, known)}"
            raise RefusedError(what, ", ".join(["VRM 1.0's bones", *others]))


def _by_side(values: Mapping[Any, str]) -> tuple[tuple[str, str], ...]:
    both = values.get("both")
    return tuple((side, name) for side in SIDED if (name := values.get(side, both)) is not None)
