"""Words for an avatar in captions: the user's, those of the built-in avatar's parameters, or the file's own name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Protocol

from vrm_synth.vrm.avatar import Avatar

LONGEST_NAME = 40
# What exporters and hurried authors leave in the title field.
_NO_NAMES = {"undefined", "null", "none", "nan", "untitled", "unnamed", "noname", "no", "name", "avatar", "model"}
_NO_NAMES |= {"vrm", "character", "test", "default", "new", "unknown", "title"}


class Words(Protocol):
    """A name and a noun phrase that the user gave, either of them None."""

    @property
    def name(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...


@dataclass(frozen=True)
class Character:
    """Words for an avatar; each is "" where nothing is known.

    name: a proper name.
    noun: what it is, with its article ("a girl", "a 3D character").
    hair: words for the hair ("long pink hair").
    eyes: words for the eyes.
    outfit: words for the clothes.
    tied_hair: words for the hair where its tails are in sight ("a pink ponytail").
    """

    name: str
    noun: str
    hair: str = ""
    eyes: str = ""
    outfit: str = ""
    tied_hair: str = ""


def character(avatar: Avatar, source: str, words: Mapping[str, Words]) -> Character:
    """The words for an avatar. source: as in the recipe; words: the user's own, by source or file name."""
    own = _built_in(source) or Character(clean_name(avatar.meta.name), _plain(avatar))
    custom = words.get(source) or words.get(PurePath(source).name)
    if custom is None:
        return own
    named = own if custom.name is None else replace(own, name=custom.name)
    return named if custom.description is None else Character(named.name, custom.description)


def clean_name(raw: str) -> str:
    """The title of an untrusted file made fit for a sentence: a short line of letters, digits and - ' . only; or ""."""
    text = unicodedata.normalize("NFKC", raw[:400])
    text = re.sub(r"\.(vrm|glb)$", "", text.strip(), flags=re.IGNORECASE).replace("_", " ")
    text = "".join(c if c.isalnum() or unicodedata.category(c) in ("Mn", "Mc") or c in " -'." else " " for c in text)
    text = " ".join(text.split()).strip("-'. ")
    named = any(c.isalpha() for c in text) and not set(text.lower().split()) <= _NO_NAMES
    return text if named and len(text) <= LONGEST_NAME else ""


def _plain(avatar: Avatar) -> str:
    toon = sum(m.kind == "mtoon" for m in avatar.materials)
    return "an anime-style 3D character" if 2 * toon > len(avatar.materials) else "a 3D character"


def _built_in(source: str) -> Character | None:
    if source != "demo" and not source.startswith("demo:"):
        return None
    # Imported late: the generator is heavy, and a folder of files never asks for it.
    from vrm_synth.builtin_avatar import DemoParams
    from vrm_synth.builtin_avatar import facts as demo_facts
    from vrm_synth.builtin_avatar import variant as demo_variant

    _, _, arguments = source.partition(":")
    if arguments.isdecimal():
        params = demo_variant(int(arguments))
    else:
        params = DemoParams.parse(arguments.split(",")) if arguments else DemoParams()
    known = demo_facts(params)
    hair, tied = known["hair"], ""
    if known["hair_style"] in ("ponytail", "twintails"):
        tied = with_article(hair) if known["hair_style"] == "ponytail" else hair  # the one that is counted
        hair = f"{hair.rpartition(' ')[0]} hair".strip()
    return Character(known["name"], "a girl", hair, known["eyes"], known["outfit"], tied)


def with_article(noun: str) -> str:
    """The noun phrase with a or an, by its first letter."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
