"""Files as a `DataSource`: a table of rows, and the pictures where it says."""

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
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.data.config import SourceConfig, source_name
from vrm_synth.train.data.row_table import Table, open_table
from vrm_synth.train.data.scan.parquet_scan import IMAGE_COLUMN, MASK_COLUMN
from vrm_synth.train.data.scan.scanned_sample import Columns
from vrm_synth.train.data.source import BadRowError, CaptionText, Credit, SourceImage, as_bad_row

MAX_DATASET_JSON_BYTES = 64 << 20


class TableSource:
    """A `DataSource` over a table. Raises DatasetError where there is nothing to train on, or no license."""

    def __init__(self, config: SourceConfig, table: Table):
        self._table = table
        self._root = Path(table.account.root)
        self._parquet = ParquetImages(self._root) if table.account.kind == "parquet" else None
        self.credit = _credit(config, table)
        self._row = lru_cache(4096)(table.__getitem__)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def left_out(self) -> Sequence[tuple[str, str, str]]:
        """(key, reason, detail) of what indexing left out; beyond many, `left_out_unnamed` counts the rest."""
        return self._table.account.left_out

    @property
    def left_out_unnamed(self) -> Counter[str]:
        account = self._table.account
        return account.quarantined - Counter(reason for _, reason, _ in account.left_out)

    def sizes(self) -> NDArray[np.int32] | Size:
        return self._table.sizes()

    def key(self, row: int) -> str:
        return self._row(row).key

    def words(self, row: int) -> CaptionText:
        return self._table.words(row)

    def fingerprint(self, row: int) -> bytes:
        """Of where the bytes lie and the files' marks: as git and make do, a changed file is known by its size,
        inode and times, of which ctime cannot be set back."""
        found = self._row(row)
        digest = hashlib.sha256(DECODER_VERSION)
        for piece in (found.picture, found.mask):
            if piece is not None:
                with as_bad_row():
                    s = stat_plain_file(self._root / piece.path)
                marks = (piece.offset, piece.length, s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns)
                digest.update(piece.path.encode() + b"\0" + struct.pack("<6q", *marks))
        return digest.digest()[:16]

    def picture(self, row: int) -> SourceImage:
        found = self._row(row)
        data = self._read(found.picture, IMAGE_COLUMN)
        digest = hashlib.sha256(DECODER_VERSION)  # or the cache would give what another decoding has made of it
        digest.update(data)
        with as_bad_row():
            pixels = decode(data)
        if (pixels.shape[1], pixels.shape[0]) != (found.width, found.height):
            raise BadRowError("picture has changed its size", got=pixels.shape[1::-1], where=found.key)
        mask = None
        if found.mask is not None:
            data = self._read(found.mask, MASK_COLUMN)
            digest.update(b"mask" + hashlib.sha256(data).digest())
            with as_bad_row():
                mask = decode(data)[..., 0]
            if mask.shape != pixels.shape[:2]:
                raise BadRowError("mask is not of its picture's size", got=mask.shape[::-1], where=found.key)
        return SourceImage(pixels, digest.digest(), mask)

    def _read(self, piece: ByteRange, column: str) -> bytes:
        with as_bad_row():
            if self._parquet is not None:
                return self._parquet.read(piece, column)
            return read_byte_range(self._root, piece, MAX_FILE_BYTES)

    def close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._row.cache_clear()
        self._table.close()


def open_source(config: SourceConfig, tables: Path, found: Callable[[int], object] = lambda n: None) -> TableSource:
    """A source of files. tables: the folder of tables; found: called with numbers of samples that a scan looked at.

    Raises DatasetError.
    """
    columns = Columns(config.caption, config.tags)
    return TableSource(config, open_table(tables, Path(config.path), config.split, columns, found))


def _credit(config: SourceConfig, table: Table) -> Credit:
    account = table.account
    name = source_name(config)
    if not account.rows:
        first = f": {account.left_out[0][2]}" if account.left_out else ""
        what = f"no picture of {sum(account.quarantined.values())} can be trained on{first}"
        raise DatasetError(what, where=config.path)
    licenses: Counter[str] = Counter()
    for license, count in account.licenses.items():
        licenses[license or config.license or ""] += count
    if "" in licenses:
        raise DatasetError(
            "the license of these pictures is not known",
            got=f"{licenses['']} pictures that do not say",
            allowed=f"--license NAME, or license: of the source {name}, such as CC0-1.0",
            where=config.path,
        )
    authors = _authors(Path(config.path))
    avatars = tuple(
        {**a, **({"authors": authors[a["sha256"]]} if a["sha256"] in authors else {})} for a in account.avatars.values()
    )
    return Credit(
        name=name,
        manifest=account.manifest,
        licenses=dict(licenses),
        attribution=config.attribution or "",
        avatars=avatars,
        rows=account.rows,
        quarantined=dict(account.quarantined),
    )


def _authors(place: Path) -> dict[str, list[str]]:
    """Avatar's sha256 → authors, where a dataset of ours says."""
    try:
        with as_bad_row():
            data = read_byte_range(place, ByteRange(DATASET_JSON, 0, -1), MAX_DATASET_JSON_BYTES)
        avatars: list[Any] = json.loads(data)["avatars"]
        return {str(a["sha256"]): [str(x) for x in a["authors"]] for a in avatars}
    except (BadRowError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # no dataset of ours, or of a form that says it elsewhere: the rows name avatar and license anyway
