"""Kinds of garments and things by the words in names of materials, textures, nodes and meshes (items.yaml)."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from vrm_synth.appearance.words import all_items

LONGEST_READ = 200  # characters of a name
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")


@cache
def item_in_name(name: str, part: str) -> str:
    """The kind of item that a name means among those that the part may be; "" where it means none or several."""
    text = unicodedata.normalize("NFKC", name[:LONGEST_READ])
    found = {kind for kind in (*_latin(text), *_japanese(text)) if part in all_items()[kind].parts}
    return next(iter(found)) if len(found) == 1 else ""


def _latin(text: str) -> list[str]:
    """Kinds by the longest words of the table, left to right."""
    words = [_singular(w.lower()) for w in _WORD.findall(text)]
    table, longest = _latin_table()
    out, k = [], 0
    while k < len(words):
        for n in range(min(longest, len(words) - k), 0, -1):
            kind = table.get(" ".join(words[k : k + n]))
            if kind:
                out.append(kind)
                k += n
                break
        else:
            k += 1
    return out


def _japanese(text: str) -> list[str]:
    out: list[str] = []
    if not _JAPANESE.search(text):
        return out
    for word, kind in _japanese_table():
        if word in text:
            out.append(kind)
            text = text.replace(word, "\n")  # so that no shorter word is found in it
    return out


def _singular(word: str) -> str:
    if word.endswith(("ches", "shes", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@cache
def _latin_table() -> tuple[dict[str, str], int]:
    table: dict[str, str] = {}
    for kind, words in all_items().items():
        for phrase in words.names:
            own = [_singular(w.lower()) for w in phrase.split(" ")]
            table[" ".join(own)] = kind
            table.setdefault("".join(own), kind)  # "hairclip"
    return table, max(len(key.split(" ")) for key in table)


@cache
def _japanese_table() -> list[tuple[str, str]]:
    pairs = [(word, kind) for kind, words in all_items().items() for word in words.ja_names]
    return sorted(((unicodedata.normalize("NFKC", w), k) for w, k in pairs), key=lambda p: (-len(p[0]), p))
