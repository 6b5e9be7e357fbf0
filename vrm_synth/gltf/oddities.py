"""Collector of the oddities of one file: deviations from the format that are no reason to refuse it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_MAX_LINES = 200


@dataclass
class Oddities:
    """The oddities of one file, in order of first appearance, without repetitions; at most 200 lines.

    Attributes:
        line_by_key: the text of each oddity, by the key that tells it from others (see add_repeatable).
        repeats: how many further times an oddity of add_repeatable was added, by the same key.
    """

    line_by_key: dict[str, str] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)

    def add(self, line: str) -> None:
        """Add one oddity; a line that is already there is ignored."""
        if len(self.line_by_key) < _MAX_LINES:
            self.line_by_key.setdefault(line, line)

    def add_repeatable(self, json_path: str, text: str) -> None:
        """Add an oddity that several entries of one list may share; they become one line with a count.

        json_path: where the first one is, "meshes[0].primitives[2].material"; text: the rest of the sentence.
        """
        key = f"{_path_pattern(json_path)} {text}"
        if key in self.line_by_key:
            self.repeats[key] += 1
        elif len(self.line_by_key) < _MAX_LINES:
            self.line_by_key[key] = f"{json_path} {text}"

    def lines(self) -> tuple[str, ...]:
        """Return one line per oddity, with control characters replaced by spaces."""
        return tuple(
            "".join(c if c.isprintable() else " " for c in line)
            + (f" (and {n} more in {key.partition(' ')[0]})" if (n := self.repeats[key]) else "")
            for key, line in self.line_by_key.items()
        )


def _path_pattern(json_path: str) -> str:
    """Return the last two parts of a JSON path with its indices replaced by *: "primitives[*].material"."""
    return re.sub(r"\[\d+\]", "[*]", ".".join(json_path.split(".")[-2:]))
