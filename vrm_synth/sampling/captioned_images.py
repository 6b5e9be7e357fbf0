"""Reader of a dataset's captioned images: WebDataset or Parquet shards, or an image folder with metadata.jsonl."""

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
from vrm_synth.sampling.sampler_settings import SamplingError

MAX_LINE_BYTES = 1 << 20  # bytes
CAPTIONS = ("caption", "text")


@dataclass(frozen=True)
class CaptionedImage:
    """An image and its caption.

    caption: text.
    image: the image's file, or its bytes where it is in a shard.
    where: location of the image, for error messages.
    row: metadata.
    file: the shard or metadata.jsonl that the row is from.
    line: number of the row's line in a metadata.jsonl; None in a shard.
    """

    caption: str
    image: Path | bytes
    where: str
    file: Path
    line: int | None
    row: dict[str, Any]


def read_captioned_images(folder: Path, split: str | None = None, limit: int | None = None) -> list[CaptionedImage]:
    """Read the first `limit` of `captioned_images`, or all of them, into a list."""
    return list(islice(captioned_images(folder, split), limit))


def captioned_images(folder: Path, split: str | None = None) -> Iterator[CaptionedImage]:
    """Yield the captioned images in or below a folder, in the order of file names.

    They are read from its .tar shards, else from its .parquet shards, else from every metadata.jsonl.

    folder: may also be one such file.
    split: read only this split; None reads all.

    Raises SamplingError for a sample without a caption or with a path that leads out of the dataset, for a split that
    does not exist, and where there are no images; DatasetError for a damaged shard.
    """
    empty = True
    for file in _metadata_files(folder, split):
        for image in _read_shard(file) if file.suffix.lower() in SHARD_SUFFIXES else _read_jsonl(file):
            empty = False
            yield image
    if empty:
        allowed = f".tar or .parquet shards, or an image folder with {METADATA_LINES}"
        raise SamplingError("no captioned images", allowed=allowed, where=folder)


def _metadata_files(dataset: Path, split: str | None) -> list[Path]:
    """List the shards or metadata.jsonl files of a dataset or one of its splits. Raises SamplingError."""
    if dataset.is_file():
        return [dataset] if dataset.suffix.lower() in (*SHARD_SUFFIXES, ".jsonl") else []
    if not dataset.is_dir():
        return []
    try:
        folder = None if split is None else split_folder(dataset, split)
        files = find_data_files(folder or dataset)
        for paths in (
            files.with_suffix(".tar"),
            _without_table(files.with_suffix(".parquet")),
            files.with_name(METADATA_LINES),
        ):
            if paths:
                chosen = paths if split is None or folder else split_files(files, paths, split)[0]
                return [files.root / path for path in chosen]
    except NoSplitError as e:
        raise SamplingError(e.what, got=e.got, allowed=e.allowed, where=e.where) from None
    return []


def _without_table(paths: list[str]) -> list[str]:
    return [path for path in paths if PurePosixPath(path).name != METADATA_TABLE]


def _read_shard(file: Path) -> Iterator[CaptionedImage]:
    with file_errors(file, "read"), file.open("rb") as f:
        for sample in read_shard_file(f, str(file)):
            where = f"{file}: {sample.key}"
            if not sample.caption.strip():
                raise SamplingError("not a captioned image", allowed="a caption", where=where)
            yield CaptionedImage(sample.caption, sample.picture, where, file, None, dict(sample.row))


def _read_jsonl(file: Path) -> Iterator[CaptionedImage]:
    with file_errors(file, "read"), file.open("rb") as f:
        for number, line in metadata_lines(f, MAX_LINE_BYTES):
            yield _parse_row(file, number, line)


def _parse_row(file: Path, number: int, line: bytes) -> CaptionedImage:
    """Parse a line of a metadata.jsonl. Raises SamplingError for a bad row or a path that leads out of the folder."""
    where = f"{file}:{number}"
    try:
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES} bytes")
        row = json.loads(line)
        name, caption = row["file_name"], next(row[k] for k in CAPTIONS if k in row)
        if not isinstance(name, str) or not isinstance(caption, str) or not caption.strip():
            raise TypeError("file_name and caption must be strings")
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError) as e:
        got = line[:200].decode(errors="replace")
        raise SamplingError("not a row of a captioned image", got=got, allowed="file_name, caption", where=where) from e
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise SamplingError("path leads out of the dataset", got=name, allowed="a path below it", where=where)
    for column in ("shot", "facts"):
        if isinstance(row.get(column), str):  # JSON in the image folders that we write; any text in others
            with contextlib.suppress(ValueError, RecursionError):
                row[column] = json.loads(row[column])
    image = file.parent / path
    return CaptionedImage(caption, image, str(image), file, number, row)
