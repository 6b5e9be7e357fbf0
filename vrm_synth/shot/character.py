"""What a caption may call an avatar: the user's words, what the built-in avatar was made with, or its own name."""

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
    """name: "" where there is none; noun: what it is, with its article ("a girl", "a 3D character").

    hair, eyes, outfit: what is known of its looks ("long pink hair"), "" where nothing is. tied_hair: what to call
    the hair where its tails are in sight ("a pink ponytail"); "" where it has none.
    """

    name: str
    noun: str
    hair: str = ""
    eyes: str = ""
    outfit: str = ""
    tied_hair: str = ""


def character(avatar: Avatar, source: str, words: Mapping[str, Words]) -> Character:
    """source: what the recipe calls the avatar; words: the recipe's own, by source or file name."""
    own = _built_in(source) or Character(clean_name(avatar.meta.name), _plain(avatar))
    given = words.get(source) or words.get(PurePath(source).name)
    if given is None:
        return own
    named = own if given.name is None else replace(own, name=given.name)
    return named if given.description is None else Character(named.name, given.description)


def clean_name(raw: str) -> str:
    """A stranger's title made fit for a sentence: letters, digits, spaces and - ' . only, one line, short; or ""."""
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
    from vrm_synth.demo_avatar import DemoParams
    from vrm_synth.demo_avatar import facts as demo_facts
    from vrm_synth.demo_avatar import variant as demo_variant

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
    """a or an before a noun phrase: colours and clothes are spelt as they sound."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
