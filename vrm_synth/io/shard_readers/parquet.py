"""Parquet shards: row groups with embedded pictures, and the samples of ours.

A row group is the least that can be read, so pictures are best read in their order.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.byte_range import ByteRange, stat_plain_file
from vrm_synth.io.dataset_columns import CAPTION, FACTS, canonical
from vrm_synth.io.image_decoder import MAX_FILE_BYTES
from vrm_synth.io.shard_readers.sample import DatasetSample, is_member_name, sample_from_files

MAX_GROUP_BYTES = 4 << 30  # of a row group, unpacked: what is held in memory at once
PARQUET_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError)  # of pyarrow, where a file is damaged
_BATCH = 16  # rows that become Python objects at once


def open_parquet(file: Path | BinaryIO) -> pq.ParquetFile:
    """Open a Parquet file. Raises StoreError where the machine fails, DatasetError for anything but a plain file,
    PARQUET_ERRORS for another format."""
    if isinstance(file, Path):
        stat_plain_file(file)
    return pq.ParquetFile(file, memory_map=False)


def read_group(file: pq.ParquetFile, group: int, columns: Sequence[str] | None, where: object) -> pa.Table:
    """Read a row group's columns, None for all, and validate them: pyarrow would find damaged text only when it is
    looked at. Raises DatasetError where the group is missing, damaged or larger than MAX_GROUP_BYTES."""
    try:
        if not 0 <= group < file.num_row_groups:
            raise DatasetError("row group is damaged", got=f"{file.num_row_groups} groups", where=where)
        size = file.metadata.row_group(group).total_byte_size
        if size > MAX_GROUP_BYTES:
            raise DatasetError("row group is too large", got=size, allowed=MAX_GROUP_BYTES, where=where)
        table = file.read_row_group(group, columns=columns)
        table.validate(full=True)
        return table
    except PARQUET_ERRORS as e:
        raise DatasetError("row group is damaged", got=str(e), where=where) from e


def embedded_file(cell: Any, where: object) -> bytes:
    """The picture's file in a cell: {bytes, path} as Hugging Face `datasets` writes it, or bytes.

    Its path is never opened.
    Raises DatasetError.
    """
    data = cell.get("bytes") if isinstance(cell, Mapping) else cell
    if not isinstance(data, bytes):
        raise DatasetError("no picture", got=type(data).__name__, allowed="embedded bytes", where=where)
    if len(data) > MAX_FILE_BYTES:
        raise DatasetError("picture's file is too long", got=len(data), allowed=MAX_FILE_BYTES, where=where)
    return data


class ParquetImages:
    """The embedded image files of a folder's Parquet files, by row group and row. Safe among threads.

    root: the folder that paths start from; max_groups: row groups that are kept in memory.
    """

    def __init__(self, root: Path, max_groups: int = 2):
        self._root, self._max_groups = root, max_groups
        self._groups: OrderedDict[tuple[str, int, str], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, location: ByteRange, column: str) -> bytes:
        """Read one image file. Raises DatasetError where the row group is damaged or the row has no picture,
        StoreError where the machine fails."""
        key = location.path, location.offset, column
        with self._lock:
            values = self._groups.pop(key, None)
            if values is None:
                values = self._load(location, column)
            self._groups[key] = values
            while len(self._groups) > self._max_groups:
                self._groups.popitem(last=False)
        if not 0 <= location.length < len(values):
            raise DatasetError("row group is damaged", got=f"{len(values)} rows", where=location.path)
        return embedded_file(values[location.length].as_py(), location.path)

    def close(self) -> None:
        """Free the row groups that are kept."""
        self._groups.clear()

    def _load(self, location: ByteRange, column: str) -> pa.ChunkedArray:
        try:
            with open_parquet(self._root / location.path) as file:
                return read_group(file, location.offset, [column], location.path).column(column)
        except PARQUET_ERRORS as e:
            raise DatasetError("row group is damaged", got=str(e), where=location.path) from e


def read_parquet(file: BinaryIO, where: str) -> Iterator[DatasetSample]:
    """Read the samples of a Parquet shard of ours, in order. Raises DatasetError."""
    try:
        with open_parquet(file) as parquet:
            for group in range(parquet.num_row_groups):
                for batch in read_group(parquet, group, None, where).to_batches(_BATCH):
                    for entry in batch.to_pylist():
                        yield _sample(entry, where)
    except PARQUET_ERRORS as e:
        raise DatasetError("not a whole Parquet file", got=str(e), where=where) from e


def _sample(entry: Mapping[str, Any], where: str) -> DatasetSample:
    files: dict[str, bytes] = {}
    try:
        key = entry["key"]
        for name, value in entry.items():
            if isinstance(value, dict) and name != FACTS:
                stem, _, suffix = value["path"].partition(".")
                if stem != key or not is_member_name(key, suffix):
                    raise DatasetError("a picture of another name", got=value["path"], where=f"{where}: {key}")
                files[suffix] = embedded_file(value, f"{where}: {key}")
        texts = {"txt": entry["caption"].encode(), "json": entry["metadata"].encode()}
        sample = sample_from_files(key, {**files, **texts}, where)
    except (KeyError, TypeError, AttributeError) as e:
        raise DatasetError("not a sample", got=str(e), where=where) from e
    for name, value in entry.items():  # columns that are in the metadata, too, for readers that know no metadata
        known, copied = sample.row.get(name), isinstance(value, str) and name not in ("key", CAPTION, "metadata")
        if (copied and value != known) or (name == FACTS and canonical(FACTS, value) != canonical(FACTS, known)):
            raise DatasetError("a column and the metadata differ", got=name, where=f"{where}: {key}")
    return sample
