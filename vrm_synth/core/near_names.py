"""The known name nearest to a misspelt one, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100  # characters; the comparison takes time in the square of them


def nearest(name: object, known: Iterable[str]) -> str:
    """The known name that is most like `name`, upper and lower case alike; "" where none is near."""
    text = str(name)[:LONGEST_NAME]
    by_folded: dict[str, list[str]] = {}
    for k in sorted(known):
        by_folded.setdefault(k.casefold(), []).append(k)
    found = difflib.get_close_matches(text.casefold(), by_folded, 1)
    return difflib.get_close_matches(text, by_folded[found[0]], 1, 0.0)[0] if found else ""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """ " (did you mean wave?)", to follow what is wrong; "" where no known name is near."""
    near = nearest(name, known)
    return f" (did you mean {near}?)" if near else ""
