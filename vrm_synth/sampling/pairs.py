"""Captioned pictures of a dataset, to draw again from their captions: an image folder with metadata.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from vrm_synth.dataset.files import file_errors
from vrm_synth.sampling.settings import SamplingError

TABLE = "metadata.jsonl"
LONGEST_LINE = 1 << 20  # bytes
CAPTIONS = ("caption", "text")


@dataclass(frozen=True)
class Pair:
    """picture: its file; table, line: the row that tells of it; row: all of that row."""

    caption: str
    picture: Path
    table: Path
    line: int
    row: dict[str, Any]


def read_pairs(folder: Path, split: str | None = None, limit: int | None = None) -> list[Pair]:
    """The rows of every metadata.jsonl in or below the folder, or its folder `split`, in the order of their names.

    limit: no more than the first so many. Raises SamplingError for a row that has no caption or leads out of the
    dataset, for a split that is not there, and where there is none.
    """
    if split is not None and (not split or "/" in split or split in (".", "..") or not (folder / split).is_dir()):
        with file_errors(folder, "read"):
            there = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise SamplingError("no such split", got=split, allowed=", ".join(there) or None, where=folder)
    place = folder if split is None else folder / split
    with file_errors(place, "read"):
        tables = sorted(place.rglob(TABLE)) if place.is_dir() else []
        pairs = list(islice((pair for table in tables for pair in _rows(table)), limit))
    if not pairs:
        raise SamplingError("no captioned pictures", allowed=f"an image folder with {TABLE}", where=place)
    return pairs


def _rows(table: Path) -> Iterator[Pair]:
    with table.open("rb") as f:
        for number, line in enumerate(iter(lambda: f.readline(LONGEST_LINE + 1), b""), 1):
            if line.strip():
                yield _pair(table, number, line)


def _pair(table: Path, number: int, line: bytes) -> Pair:
    where = f"{table}:{number}"
    try:
        if len(line) > LONGEST_LINE:
            raise ValueError(f"a line of more than {LONGEST_LINE} bytes")
        row = json.loads(line)
        name, caption = row["file_name"], next(row[k] for k in CAPTIONS if k in row)
        if not isinstance(name, str) or not isinstance(caption, str) or not caption.strip():
            raise TypeError("file_name and caption are texts")
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as e:
        got = line[:200].decode(errors="replace")
        raise SamplingError(
            "not a row of a captioned picture", got=got, allowed="file_name, caption", where=where
        ) from e
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise SamplingError("leads out of its dataset", got=name, allowed="a path below it", where=where)
    return Pair(caption, table.parent / path, table, number, row)
