"""`DataSource` over files: a table of rows, and the pictures that it points to."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.byte_range import ByteRange, read_byte_range, stat_plain_file
from vrm_synth.io.file_names import DATASET_JSON
from vrm_synth.io.image_decoder import DECODER_VERSION, MAX_FILE_BYTES, decode
from vrm_synth.io.shard_readers.parquet import ParquetImages
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.data.data_config import SourceConfig, source_name
from vrm_synth.training.data.row_table import RowTable, open_table
from vrm_synth.training.data.scan.parquet_scan import IMAGE_COLUMN, MASK_COLUMN
from vrm_synth.training.data.scan.scanned_sample import Columns
from vrm_synth.training.data.source import BadRowError, CaptionText, Credit, SourceImage, as_bad_row

MAX_DATASET_JSON_BYTES = 64 << 20


class TableSource:
    """A `DataSource` over a row table. Raises DatasetError where it has no rows, or rows without a license."""

    def __init__(self, config: SourceConfig, table: RowTable):
        self._table = table
        self._root = Path(table.metadata.root)
        self._parquet = ParquetImages(self._root) if table.metadata.kind == "parquet" else None
        self.credit = _credit(config, table)
        self._row = lru_cache(4096)(table.__getitem__)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def left_out(self) -> Sequence[tuple[str, str, str]]:
        """(key, reason, detail) of the first rows that indexing left out; `left_out_unnamed` counts the others."""
        return self._table.metadata.left_out

    @property
    def left_out_unnamed(self) -> Counter[str]:
        """Reason → rows that indexing left out beyond those that `left_out` names."""
        metadata = self._table.metadata
        return metadata.quarantined - Counter(reason for _, reason, _ in metadata.left_out)

    def sizes(self) -> NDArray[np.int32] | Size:
        return self._table.sizes()

    def key(self, row: int) -> str:
        return self._row(row).key

    def captions(self, row: int) -> CaptionText:
        return self._table.captions(row)

    def file_fingerprint(self, row: int) -> bytes:
        """Hash of the byte ranges and the files' stats. As in git and make, a changed file is known by its size, inode
        and times, of which ctime cannot be set back."""
        entry = self._row(row)
        digest = hashlib.sha256(DECODER_VERSION)
        for byte_range in (entry.picture, entry.mask):
            if byte_range is not None:
                with as_bad_row():
                    s = stat_plain_file(self._root / byte_range.path)
                numbers = (byte_range.offset, byte_range.length, s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns)
                digest.update(byte_range.path.encode() + b"\0" + struct.pack("<6q", *numbers))
        return digest.digest()[:16]

    def picture(self, row: int) -> SourceImage:
        entry = self._row(row)
        data = self._read(entry.picture, IMAGE_COLUMN)
        digest = hashlib.sha256(DECODER_VERSION)  # so that another decoder version misses the latent cache
        digest.update(data)
        with as_bad_row():
            pixels = decode(data)
        if (pixels.shape[1], pixels.shape[0]) != (entry.width, entry.height):
            raise BadRowError("picture has changed its size", got=pixels.shape[1::-1], where=entry.key)
        mask = None
        if entry.mask is not None:
            data = self._read(entry.mask, MASK_COLUMN)
            digest.update(b"mask" + hashlib.sha256(data).digest())
            with as_bad_row():
                mask = decode(data)[..., 0]
            if mask.shape != pixels.shape[:2]:
                raise BadRowError("mask is not of its picture's size", got=mask.shape[::-1], where=entry.key)
        return SourceImage(pixels, digest.digest(), mask)

    def _read(self, byte_range: ByteRange, column: str) -> bytes:
        with as_bad_row():
            if self._parquet is not None:
                return self._parquet.read(byte_range, column)
            return read_byte_range(self._root, byte_range, MAX_FILE_BYTES)

    def close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._row.cache_clear()
        self._table.close()


def open_source(
    config: SourceConfig, tables: Path, on_scanned: Callable[[int], object] = lambda n: None
) -> TableSource:
    """Open a source of files, scanning it where it is new or has changed.

    tables: folder of row tables.
    on_scanned: called with counts of samples scanned.

    Raises DatasetError.
    """
    columns = Columns(config.caption, config.tags)
    return TableSource(config, open_table(tables, Path(config.path), config.split, columns, on_scanned))


def _credit(config: SourceConfig, table: RowTable) -> Credit:
    """The ledger entry. Raises DatasetError where the table is empty, or a license is missing."""
    metadata = table.metadata
    name = source_name(config)
    if not metadata.rows:
        first = f": {metadata.left_out[0][2]}" if metadata.left_out else ""
        what = f"no picture of {sum(metadata.quarantined.values())} can be trained on{first}"
        raise DatasetError(what, where=config.path)
    licenses: Counter[str] = Counter()
    for license, count in metadata.licenses.items():
        licenses[license or config.license or ""] += count
    if "" in licenses:
        raise DatasetError(
            "the license of these pictures is not known",
            got=f"{licenses['']} pictures without one",
            allowed=f"--license NAME, or license: of the source {name}, such as CC0-1.0",
            where=config.path,
        )
    authors = _authors(Path(config.path))
    avatars = tuple(
        {**a, "authors": authors[a["sha256"]]} if a["sha256"] in authors else dict(a) for a in metadata.avatars.values()
    )
    return Credit(
        name=name,
        manifest=metadata.manifest,
        licenses=dict(licenses),
        attribution=config.attribution or "",
        avatars=avatars,
        rows=metadata.rows,
        quarantined=dict(metadata.quarantined),
    )


def _authors(source: Path) -> dict[str, list[str]]:
    """Avatar's SHA-256 → authors, from the dataset.json of a dataset that vrm-synth rendered; empty for others.

    source: its folder. Raises StoreError where the machine fails.
    """
    try:
        with as_bad_row():
            data = read_byte_range(source, ByteRange(DATASET_JSON, 0, -1), MAX_DATASET_JSON_BYTES)
        avatars: list[Any] = json.loads(data)["avatars"]
        return {str(a["sha256"]): [str(x) for x in a["authors"]] for a in avatars}
    except (BadRowError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # another dataset, or a format without this file: the rows name avatar and license anyway
