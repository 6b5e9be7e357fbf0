"""The part that a name stands for, by the words in it (name_words.py)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from vrm_synth.parts.name_words import HINTS, JAPANESE, LATIN, Hint
from vrm_synth.parts.part_names import PART_NAMES

LONGEST_NAME = 200  # characters that are read
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")


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
    text = unicodedata.normalize("NFKC", name[:LONGEST_NAME])
    senses = _latin_senses(text) | _japanese_senses(text)
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


def _latin_senses(text: str) -> set[str]:
    words = [_singular(w.lower()) for w in _WORD.findall(text)]
    table, longest = _latin_table()
    out, k = set(), 0
    while k < len(words):
        for n in range(min(longest, len(words) - k), 0, -1):
            sense = table.get(" ".join(words[k : k + n]))
            if sense:
                out.add(sense)
                k += n
                break
        else:
            k += 1
    return out


def _japanese_senses(text: str) -> set[str]:
    out: set[str] = set()
    if not _JAPANESE.search(text):
        return out
    for word, sense in _japanese_table():
        if word in text:
            out.add(sense)
            text = text.replace(word, "\n")  # so that no shorter word is found in it
    return out


def _singular(word: str) -> str:
    if word.endswith(("ches", "shes", "xes")):  # lashes, brooches
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _latin_table() -> tuple[dict[str, str], int]:
    table: dict[str, str] = {}
    for sense, phrases in LATIN.items():
        for phrase in phrases.split(", "):
            words = [_singular(w) for w in phrase.split(" ")]
            table[" ".join(words)] = sense
            table.setdefault("".join(words), sense)  # "eyewhite", "fronthair"
    return table, max(len(key.split(" ")) for key in table)


@cache
def _japanese_table() -> list[tuple[str, str]]:
    pairs = [(word, sense) for sense, words in JAPANESE.items() for word in words.split()]
    return sorted(((unicodedata.normalize("NFKC", w), s) for w, s in pairs), key=lambda p: (-len(p[0]), p))
