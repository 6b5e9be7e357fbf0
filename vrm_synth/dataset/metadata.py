"""metadata.jsonl: one line a picture, in the order of the shots, that `datasets.load_dataset` can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import file_errors, to_json, write_file

METADATA = "metadata.jsonl"
# `datasets` learns the columns of a JSON file from its first 10 MiB and cannot take a column that is new or
# of another type after that.
SEEN_FIRST = 10 << 20

Row = dict[str, Any]
KEYS = ("file_name", "caption", "i", "seed", "avatar", "avatar_sha256", "licence", "renderer", "shot")


class Line(NamedTuple):
    """A row as it is kept in memory: its text, and what card and sheet need of it. A pose alone takes five times
    its text as Python's numbers."""

    text: str
    brief: Row

    @staticmethod
    def of(row: Row) -> Line:
        """The line of a row. Raises KeyError or TypeError where it lacks something."""
        shot = row["shot"]
        brief = {key: row[key] for key in KEYS[:-1]}
        brief["shot"] = {"size": shot["size"], "labels": {"pose": shot.get("labels", {}).get("pose")}}
        return Line(to_json(row) + "\n", brief)


def read_lines(path: Path) -> dict[int, Line]:
    """The lines of a metadata.jsonl by the index of their shot; none where there is no file. Raises DatasetError."""
    if not path.exists():
        return {}
    lines: dict[int, Line] = {}
    with file_errors(path, "read"), path.open("rb") as f:
        for number, text in enumerate(f, 1):
            if text.isspace():
                continue
            try:
                row = json.loads(text)
                lines[int(row["i"])] = Line.of(row)
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                what = "not a line of a dataset's metadata"
                raise DatasetError(what, got=text.decode(errors="replace"), where=f"{path}:{number}") from e
    return lines


def write_lines(path: Path, lines: Mapping[int, Line]) -> None:
    """Write the lines, sorted by index but for what `telling_first` moves. Raises DatasetError."""
    ordered = telling_first([lines[i].text for i in sorted(lines)])
    write_file(path, "".join(ordered).encode())


def telling_first(lines: Sequence[str], seen_first: int = SEEN_FIRST) -> Sequence[str]:
    """The lines in their order; where a reader of the first `seen_first` bytes would miss a key or a type,
    the first line that tells of it is moved to the top."""
    room = seen_first // 2  # half: the moved lines need room there, too
    if sum(map(len, lines)) < room:
        return lines
    told: set[str] = set()
    size = 0
    telling: list[int] = []
    for n, line in enumerate(lines):
        new = set(_columns(json.loads(line))) - told
        if new and size >= room:
            telling.append(n)
        told |= new
        size += len(line.encode())
    moved = set(telling)
    return [*(lines[n] for n in telling), *(line for n, line in enumerate(lines) if n not in moved)]


def _columns(value: Any, path: str = "") -> Iterable[str]:
    """Every path in a row with the kind of what stands there; null tells nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _columns(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _columns(inner, f"{path}[]")
    elif value is not None:
        yield f"{path}:{'float' if isinstance(value, float) else type(value).__name__}"
