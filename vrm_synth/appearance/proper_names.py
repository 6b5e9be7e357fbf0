"""Proper names: the title of a stranger's file where it reads as one."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from vrm_synth.yaml_models import strict_yaml

LONGEST_NAME = 40  # characters
MOST_WORDS = 4
LONGEST_READ = 400
SHORTEST_NAME = 2  # letters
_VERSION = re.compile(r"v?[0-9][0-9.]*[a-z]?|v[0-9.]*|x[0-9]+|[0-9]+x|#?[0-9]+", re.IGNORECASE)
_ENDED = re.compile(r"[a-z]{3,}[0-9]+", re.IGNORECASE)  # export4
_PUNCTUATION = "-'.・"


def _split(value: Any) -> Any:
    return frozenset(value.casefold().split()) if isinstance(value, str) else value


class _NoNames(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    no_names: Annotated[frozenset[str], BeforeValidator(_split)]
    not_in_names: Annotated[frozenset[str], BeforeValidator(_split)]


@cache
def _lists() -> _NoNames:
    return strict_yaml.load(Path(__file__).with_name("names.yaml"), _NoNames)


def clean_name(raw: str) -> str:
    """The title of an untrusted file as a name, fit for a sentence; "" where it does not read as one.

    A name is up to MOST_WORDS words of letters, the first with a capital where its script has any, without versions,
    digits and markup, and without the words of names.yaml.
    """
    text = unicodedata.normalize("NFKC", raw[:LONGEST_READ]).strip()
    text = re.sub(r"\.(vrm|glb)$", "", text, flags=re.IGNORECASE).replace("_", " ").replace("\u3000", " ")
    text = " ".join(text.split())
    words = text.split(" ")
    if not text or len(text) > LONGEST_NAME or len(words) > MOST_WORDS or len(raw) > LONGEST_READ:
        return ""
    if not all(_is_word(word) for word in words) or words[0][0].islower():
        return ""
    parts = {part for word in words for part in _parts(word)}
    whole = {word.strip(_PUNCTUATION).casefold() for word in words}
    if (parts | whole) & _lists().not_in_names or parts <= _lists().no_names or whole <= _lists().no_names:
        return ""
    if "".join(words).casefold() in _lists().not_in_names:  # "Ready Player Me"
        return ""
    text = text.strip(_PUNCTUATION + " ")
    return text if sum(c.isalpha() for c in text) >= SHORTEST_NAME else ""


def _is_word(word: str) -> bool:
    """True for letters, with marks and the punctuation that names have between them."""
    if _VERSION.fullmatch(word) or _ENDED.fullmatch(word) or not any(c.isalpha() for c in word):
        return False
    return all(c.isalpha() or unicodedata.category(c) in ("Mn", "Mc") or c in _PUNCTUATION for c in word)


def _parts(word: str) -> set[str]:
    """The parts of a word at capitals and punctuation, in small letters."""
    parts = re.split(rf"[{re.escape(_PUNCTUATION)}]|(?<=[a-z])(?=[A-Z])", word)
    return {p.casefold() for p in parts if p}
