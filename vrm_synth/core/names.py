"""Names without control characters: the rule for names from untrusted files that go into shots, recipes, rows and
contact sheets.

Such a name has 1 to LONGEST_NAME characters, none of them a control character or a line break. `Shot` refuses any
other; the loader removes the control characters from every expression's name, so that the two always agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_NAME = 200
_SURROGATE = re.compile("[\ud800-\udfff]")
# C0, DEL and C1 controls, and Unicode's own line and paragraph separators. Spaces of any width and the joiners
# of emoji and Persian are no controls, and common in names.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_control_free(text: str, longest: int = LONGEST_NAME) -> bool:
    """True for a text of 1 to `longest` characters, none of them a control character or a line break."""
    return 0 < len(text) <= longest and _CONTROL.search(text) is None


def is_whole_line(text: str, longest: int = LONGEST_NAME) -> bool:
    """True for a control-free text without halves of characters (lone surrogates), which no encoding has."""
    return is_control_free(text, longest) and (text.isascii() or _SURROGATE.search(text) is None)


def control_free_name(text: str, fallback: str, longest: int = LONGEST_NAME) -> str:
    """`text` where it is control-free; otherwise with spaces for control characters, on one line and cut to `longest`
    characters, and `fallback` where nothing is left."""
    if is_control_free(text, longest):
        return text
    return " ".join(_CONTROL.sub(" ", text[: 4 * longest]).split())[:longest].rstrip() or fallback


class UniqueNames:
    """Makes names unique. taken: names that are in use already."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = set(taken)
        self._next: dict[tuple[str, str], int] = {}  # so that a thousand equal names take a thousand steps

    def take(self, name: str, mark: str = "") -> str:
        """`name` or, where it is taken, `name` with `mark` and a number in brackets: "Smile (2)", "happy (custom)",
        "happy (custom 2)". Control-free if `name` is."""
        candidate = name
        number = self._next.get((name, mark), 1 if mark else 2)
        while candidate in self._taken:
            suffix = f" ({' '.join(x for x in (mark, str(number) if number > 1 else '') if x)})"
            candidate = name[: LONGEST_NAME - len(suffix)] + suffix
            number += 1
        self._next[name, mark] = number
        self._taken.add(candidate)
        return candidate
