"""Parquet files with embedded pictures → entries, and their pictures again, row group by row group.

A picture lies in a column of its own as {bytes, path} (as `datasets` writes them) or as bytes. A row group is the
least that can be read, so pictures are best asked for in their order.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vrm_synth.io.data_files import Exclusion
from vrm_synth.train.data.byte_range import status
from vrm_synth.train.data.image_decoder import LONGEST_FILE, measure
from vrm_synth.train.data.scan.entry import ByteRange, Columns, Entry, Found, entry_of, parse_row
from vrm_synth.train.data.source import BadRowError

PICTURE, MASK = "image", "mask"
TOLD = "metadata"  # of our own shards: the whole row as JSON
NAMES = ("key", "file_name")
ORIGIN = ("license", "avatar", "avatar_sha256")
# What pyarrow raises where a file is not what it says; BadRowError is ours, for a row group too large.
_DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError, BadRowError)
LONGEST_GROUP = 4 << 30  # bytes, unpacked: what is held in memory at once


def has_pictures(path: Path) -> bool:
    """Whether a Parquet file has the column of pictures, or cannot be asked: scanning will say why."""
    try:
        status(path)
        return PICTURE in pq.read_schema(path, memory_map=False).names
    except _DAMAGED:
        return True


def scan_parquet(root: Path, part: str, columns: Columns) -> Found:
    """The samples of one file. Pictures are read whole for their sizes: Parquet has no way to read a part."""
    try:
        status(root / part)
        file = pq.ParquetFile(root / part, memory_map=False)
        names = file.schema_arrow.names
    except _DAMAGED as e:
        yield Exclusion(part, "shard is no Parquet file", str(e))
        return
    with file:
        if PICTURE not in names or not {columns.caption, columns.tags} & set(names):
            wanted = f"{PICTURE}, and {columns.caption} or {columns.tags}"
            yield Exclusion.of(part, BadRowError("no such columns", got=", ".join(names), allowed=wanted, where=part))
            return
        several = (columns.caption, columns.tags, *ORIGIN, *NAMES, TOLD, PICTURE, MASK)
        wanted_names = [n for n in dict.fromkeys(several) if n in names]
        for group in range(file.num_row_groups):
            try:
                table = _group(file, group, wanted_names)
                rows = table.select([n for n in wanted_names if n not in (PICTURE, MASK)]).to_pylist()
            except _DAMAGED as e:
                yield Exclusion(f"{part}: row group {group}", "row group is damaged", str(e))
                continue
            for row, values in enumerate(rows):
                yield _sample(part, group, row, values, table, columns)


def _sample(
    part: str, group: int, row: int, values: Mapping[str, Any], table: pa.Table, columns: Columns
) -> Entry | Exclusion:
    name = next((v for n in NAMES if isinstance(v := values.get(n), str) and v), f"{group}:{row}")
    key = f"{part}: {name}"
    try:
        told = values.get(TOLD)
        if isinstance(told, str) and told.startswith("{"):
            values = {**parse_row(told), **values}
        words = columns.words(values)
        size = measure(io.BytesIO(_bytes(table.column(PICTURE)[row].as_py())))
        masked = MASK in table.column_names and table.column(MASK)[row].is_valid
        piece = ByteRange(part, group, row)
        return entry_of(key, words, piece, size, piece if masked else None, values)
    except BadRowError as e:
        return Exclusion.of(key, e)


class ParquetPictures:
    """Pictures of Parquet files by row group and row; the last row groups are kept. Safe among threads."""

    def __init__(self, root: Path, kept: int = 2):
        self._root, self._kept = root, kept
        self._groups: OrderedDict[tuple[str, int, str], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, piece: ByteRange, column: str) -> bytes:
        """Raises BadRowError where the row group is damaged or the row has no picture."""
        key = piece.path, piece.offset, column
        with self._lock:
            found = self._groups.pop(key, None)
            if found is None:
                found = self._load(piece, column)
            self._groups[key] = found
            while len(self._groups) > self._kept:
                self._groups.popitem(last=False)
        if not 0 <= piece.length < len(found):
            raise BadRowError("row group is damaged", got=f"{len(found)} rows", where=piece.path)
        return _bytes(found[piece.length].as_py())

    def _load(self, piece: ByteRange, column: str) -> pa.ChunkedArray:
        path = self._root / piece.path
        status(path)
        try:
            with pq.ParquetFile(path, memory_map=False) as file:
                if piece.offset >= file.num_row_groups:
                    raise BadRowError("row group is damaged", got=f"{file.num_row_groups} groups", where=piece.path)
                return _group(file, piece.offset, [column]).column(column)
        except _DAMAGED as e:
            raise BadRowError("row group is damaged", got=str(e), where=piece.path) from e

    def close(self) -> None:
        """Let go of what is kept."""
        self._groups.clear()


def _group(file: pq.ParquetFile, group: int, names: list[str]) -> pa.Table:
    size = file.metadata.row_group(group).total_byte_size
    if size > LONGEST_GROUP:
        raise BadRowError("row group is too large", got=size, allowed=LONGEST_GROUP)
    table = file.read_row_group(group, columns=names)
    table.validate(full=True)  # text that is none would be found when it is looked at
    return table


def _bytes(value: Any) -> bytes:
    """Of a picture's cell. A path in it is never followed. Raises BadRowError."""
    data = value.get("bytes") if isinstance(value, Mapping) else value
    if not isinstance(data, bytes):
        raise BadRowError("no picture", got=type(data).__name__, allowed="embedded bytes")
    if len(data) > LONGEST_FILE:
        raise BadRowError("picture's file is too long", got=len(data), allowed=LONGEST_FILE)
    return data
