"""Most tokens that CLIP's tokenizer makes of a text, without the tokenizer: an upper bound, exact for our own words.

CLIP cuts a text into runs of letters, single digits and runs of other marks, and each run into tokens on its own.
clip_counts.yaml has the number of tokens of each word of ours (scripts/clip_counts.py makes it); of a run that is not
there, each letter counts: a Japanese one as many as it has alone, any other as many as it has bytes, which no
tokenizer of bytes exceeds; so do other marks.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vrm_synth.yaml_models.strict_yaml import load

BUDGET = 75  # CLIP reads 77 tokens, two of which mark beginning and end
COUNTS_FILE = Path(__file__).with_name("clip_counts.yaml")
RUN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\w\s]|_)+|\w")


class _Counts(BaseModel):
    """words: number of tokens → words of so many, a space between. characters, last: the same of single characters,
    within a run and at its end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: dict[int, str]
    characters: dict[int, str]
    last: dict[int, str]


@cache
def _tables() -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    counts = load(COUNTS_FILE, _Counts)
    words = {word: n for n, several in counts.words.items() for word in several.split()}
    characters = {c: n for n, several in counts.characters.items() for c in several}
    return words, characters, {c: n for n, several in counts.last.items() for c in several}


def count_tokens(text: str) -> int:
    """An upper bound of CLIP's number of tokens, without the marks of beginning and end."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return sum(map(_count_run, RUN.findall(text.lower())))


@lru_cache(maxsize=4096)
def _count_run(run: str) -> int:
    words, characters, last = _tables()
    if run in words:
        return words[run]
    if not run.isalpha():
        return len(run.encode("utf-8", "surrogatepass"))
    within = sum(characters.get(c) or len(c.encode("utf-8", "surrogatepass")) for c in run[:-1])
    return within + (last.get(run[-1]) or len(run[-1].encode("utf-8", "surrogatepass")))
