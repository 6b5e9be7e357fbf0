"""metadata.jsonl: one line a picture, in the order of the shots, that `datasets.load_dataset` can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import file_errors, to_json, write_file

METADATA = "metadata.jsonl"
# `datasets` learns the columns of a JSON file from its first 10 MiB and cannot take a column that is new or
# of another type after that.
SEEN_FIRST = 10 << 20

Row = dict[str, Any]
KEYS = ("file_name", "caption", "i", "seed", "avatar", "avatar_sha256", "licence", "renderer", "shot")


def read_rows(path: Path) -> dict[int, Row]:
    """The lines of a metadata.jsonl by the index of their shot; none where there is no file. Raises DatasetError."""
    if not path.exists():
        return {}
    with file_errors(path, "read"):
        data = path.read_bytes()
    rows: dict[int, Row] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if line:
            try:
                row = json.loads(line)
                rows[int(row["i"])] = {key: row[key] for key in KEYS}
            except (ValueError, KeyError, TypeError) as e:
                what = "not a line of a dataset's metadata"
                raise DatasetError(what, got=line.decode(errors="replace"), where=f"{path}:{number}") from e
    return rows


def write_rows(path: Path, rows: Mapping[int, Row]) -> None:
    """Write the lines, sorted by index but for what `telling_first` moves. Raises DatasetError."""
    lines = telling_first([(rows[i], to_json(rows[i]) + "\n") for i in sorted(rows)])
    write_file(path, "".join(lines).encode())


def telling_first(lines: list[tuple[Row, str]], seen_first: int = SEEN_FIRST) -> list[str]:
    """The lines in their order; where a reader of the first `seen_first` bytes would miss a key or a type,
    the first line that tells of it is moved to the top."""
    room = seen_first // 2  # half: the moved lines need room there, too
    if sum(len(line) for _, line in lines) < room:
        return [line for _, line in lines]
    told: set[str] = set()
    size = 0
    telling: list[int] = []
    for n, (row, line) in enumerate(lines):
        new = set(_columns(row)) - told
        if new and size >= room:
            telling.append(n)
        told |= new
        size += len(line.encode())
    moved = set(telling)
    return [lines[n][1] for n in telling] + [line for n, (_, line) in enumerate(lines) if n not in moved]


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
