"""What somebody who mistyped a name probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 100  # characters; the comparison takes time in the square of them


def nearest(name: object, known: Iterable[str]) -> str:
    """The known name that is most like `name`, upper and lower case alike; "" where none is near."""
    by_folded = {k.casefold(): k for k in reversed(list(known))}
    found = difflib.get_close_matches(str(name)[:LONGEST_NAME].casefold(), by_folded, 1)
    return by_folded[found[0]] if found else ""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """ " (did you mean wave?)", to follow what is wrong; "" where no known name is near."""
    near = nearest(name, known)
    return f" (did you mean {near}?)" if near else ""
