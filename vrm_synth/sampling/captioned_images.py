"""Captioned pictures of a dataset, to draw again from their captions: WebDataset or Parquet shards, or an image folder
with metadata.jsonl."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from vrm_synth.io.atomic_files import file_errors
from vrm_synth.io.data_files import NoSplitError, find_data_files, split_files, split_folder
from vrm_synth.io.file_names import METADATA_LINES, METADATA_TABLE, SHARD_SUFFIXES
from vrm_synth.io.shard_readers import read_shard_file
from vrm_synth.io.shard_readers.folder import metadata_lines
from vrm_synth.sampling.settings import SamplingError

LONGEST_LINE = 1 << 20  # bytes
CAPTIONS = ("caption", "text")


@dataclass(frozen=True)
class CaptionedImage:
    """picture: its file, or the file's bytes where it lies in a shard; where: for errors; row: all that is said of it;
    table, line: the file that says it, and which of its lines, None in a shard."""

    caption: str
    picture: Path | bytes
    where: str
    table: Path
    line: int | None
    row: dict[str, Any]


def read_captioned_images(folder: Path, split: str | None = None, limit: int | None = None) -> list[CaptionedImage]:
    """The first `limit` of `captioned_images`, or all of them, pictures included where they lie in shards."""
    return list(islice(captioned_images(folder, split), limit))


def captioned_images(folder: Path, split: str | None = None) -> Iterator[CaptionedImage]:
    """The captioned pictures in or below the folder, of all its splits or of one, in the order of the files' names: of
    its .tar shards, or its .parquet shards, or else of every metadata.jsonl. A single such file is one, too.

    Raises SamplingError for a sample that has no caption or leads out of the dataset, for a split that is not there,
    and where there is none; DatasetError for a shard that is damaged.
    """
    none = True
    for table in _tables(folder, split):
        for pair in _shard(table) if table.suffix.lower() in SHARD_SUFFIXES else _rows(table):
            none = False
            yield pair
    if none:
        allowed = f"shards of ours, .tar or .parquet, or an image folder with {METADATA_LINES}"
        raise SamplingError("no captioned pictures", allowed=allowed, where=folder)


def _tables(place: Path, split: str | None) -> list[Path]:
    if place.is_file():
        return [place] if place.suffix.lower() in (*SHARD_SUFFIXES, ".jsonl") else []
    if not place.is_dir():
        return []
    try:
        inside = None if split is None else split_folder(place, split)
        found = find_data_files(inside or place)
        for paths in (
            found.with_suffix(".tar"),
            _without_table(found.with_suffix(".parquet")),
            found.with_name(METADATA_LINES),
        ):
            if paths:
                mine = paths if split is None or inside else split_files(found, paths, split)[0]
                return [found.root / path for path in mine]
    except NoSplitError as e:
        raise SamplingError(e.what, got=e.got, allowed=e.allowed, where=e.where) from None
    return []


def _without_table(paths: list[str]) -> list[str]:
    return [path for path in paths if PurePosixPath(path).name != METADATA_TABLE]


def _shard(file: Path) -> Iterator[CaptionedImage]:
    with file_errors(file, "read"), file.open("rb") as f:
        for s in read_shard_file(f, str(file)):
            where = f"{file}: {s.key}"
            if not s.caption.strip():
                raise SamplingError("not a captioned picture", allowed="a caption", where=where)
            yield CaptionedImage(s.caption, s.picture, where, file, None, dict(s.row))


def _rows(table: Path) -> Iterator[CaptionedImage]:
    with file_errors(table, "read"), table.open("rb") as f:
        for number, line in metadata_lines(f, LONGEST_LINE):
            yield _pair(table, number, line)


def _pair(table: Path, number: int, line: bytes) -> CaptionedImage:
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
    for column in ("shot", "observations"):
        if isinstance(row.get(column), str):  # as our image folders have it; another's may be any text
            with contextlib.suppress(ValueError, RecursionError):
                row[column] = json.loads(row[column])
    picture = table.parent / path
    return CaptionedImage(caption, picture, str(picture), table, number, row)
