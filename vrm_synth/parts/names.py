"""The part that a name stands for, by the words in it (name_words.py)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from vrm_synth.parts.name_words import HINTS, JAPANESE, LATIN, Hint
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.parts.word_table import WordTable


@dataclass(frozen=True)
class NameSense:
    """The meaning of a name.

    part: the part that it names, "" where it names none or several.
    hints: what else it says (name_words.Hint).
    """

    part: str = ""
    hints: frozenset[Hint] = frozenset()


@cache
def read_name(name: str) -> NameSense:
    """Read a name of a material, texture, mesh or node."""
    senses = set(_table().meanings(name))
    hints: frozenset[Hint] = frozenset(h for h in HINTS if h in senses)
    return NameSense(_one_part({s for s in senses if s in PART_NAMES}, hints), hints)


def _one_part(parts: set[str], hints: frozenset[Hint]) -> str:
    if "ornament" in parts:  # a hair ribbon, a shoe's bow
        return "ornament"
    if "tail" in parts and any(p.startswith("hair") for p in parts):
        parts = (parts - {"tail"}) | {"hair_tail"}
    special = {p for p in parts if p.startswith("hair_")}
    if special and "hair" in parts:
        parts = parts - {"hair"}
    if "detail" in hints and len(parts) > 1:
        return ""
    if not parts and "skin" in hints and len(hints & {"face", "head", "body"}) == 1:
        return "body_skin" if "body" in hints else "face_skin"
    return next(iter(parts)) if len(parts) == 1 else ""


@cache
def _table() -> WordTable:
    latin = [(phrase, sense) for sense, phrases in LATIN.items() for phrase in phrases.split(", ")]
    return WordTable.of(latin, [(word, sense) for sense, words in JAPANESE.items() for word in words.split()])
