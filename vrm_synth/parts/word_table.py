"""A table of words, and the meanings that names of materials, textures, meshes and nodes have by it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_NAME = 200  # characters that are read
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")


@dataclass(frozen=True, eq=False)
class WordTable:
    """Words and what they mean. In Latin letters words are whole, in the singular; Japanese ones stand anywhere.

    latin: words with a space between → meaning. longest: words of the longest of them. japanese: (word, meaning), the
    longest first.
    """

    latin: dict[str, str]
    longest: int
    japanese: tuple[tuple[str, str], ...]

    @staticmethod
    def of(latin: Iterable[tuple[str, str]], japanese: Iterable[tuple[str, str]]) -> WordTable:
        """The table of (words, meaning) in Latin letters, with a space between, and of (word, meaning) in Japanese."""
        table: dict[str, str] = {}
        for phrase, meaning in latin:
            words = [_singular(w.lower()) for w in phrase.split(" ")]
            table[" ".join(words)] = meaning
            table.setdefault("".join(words), meaning)  # "eyewhite", "hairclip"
        pairs = [(unicodedata.normalize("NFKC", word), meaning) for word, meaning in japanese]
        pairs.sort(key=lambda p: (-len(p[0]), p))
        return WordTable(table, max(len(key.split(" ")) for key in table), tuple(pairs))

    def meanings(self, name: str) -> list[str]:
        """Meanings of the words in a name, of overlapping ones the longest's."""
        text = unicodedata.normalize("NFKC", name[:LONGEST_NAME])
        return [*self._of_latin(text), *self._of_japanese(text)]

    def _of_latin(self, text: str) -> list[str]:
        words = [_singular(w.lower()) for w in _WORD.findall(text)]
        out, k = [], 0
        while k < len(words):
            for n in range(min(self.longest, len(words) - k), 0, -1):
                if meaning := self.latin.get(" ".join(words[k : k + n])):
                    out.append(meaning)
                    k += n
                    break
            else:
                k += 1
        return out

    def _of_japanese(self, text: str) -> list[str]:
        out: list[str] = []
        if not _JAPANESE.search(text):
            return out
        for word, meaning in self.japanese:
            if word in text:
                out.append(meaning)
                text = text.replace(word, "\n")  # so that no shorter word is found in it
        return out


def _singular(word: str) -> str:
    if word.endswith(("ches", "shes", "xes")):  # lashes, brooches
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
