"""Scan Parquet files with embedded pictures: each row becomes a ScannedSample.

A picture lies in a column of its own as {bytes, path} (as `datasets` writes them) or as bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vrm_synth.core.errors import DatasetError, StoreError
from vrm_synth.io.byte_range import ByteRange, stat_plain_file
from vrm_synth.io.data_files import Exclusion
from vrm_synth.io.image_decoder import measure
from vrm_synth.io.shard_readers.parquet import PARQUET_ERRORS, embedded_file, open_parquet, read_group
from vrm_synth.training.data.scan.scanned_sample import (
    Columns,
    ScannedSample,
    ScanResults,
    make_scanned_sample,
    parse_row,
)
from vrm_synth.training.data.source import BadRowError

IMAGE_COLUMN, MASK_COLUMN = "image", "mask"
METADATA_COLUMN = "metadata"  # of our own shards: the whole row as JSON
KEY_COLUMNS = ("key", "file_name")
ORIGIN_COLUMNS = ("license", "avatar", "avatar_sha256")


def has_image_column(path: Path) -> bool:
    """Return True if a Parquet file has a column of images, or cannot be opened: the scan then reports the error.

    Raises StoreError on an I/O failure.
    """
    try:
        stat_plain_file(path)
        return IMAGE_COLUMN in pq.read_schema(path, memory_map=False).names
    except StoreError:
        raise
    except (DatasetError, *PARQUET_ERRORS):
        return True


def scan_parquet(root: Path, shard: str, columns: Columns) -> ScanResults:
    """Scan one shard, a path relative to root.

    Pictures are read whole for their sizes: Parquet has no way to read a part.
    """
    try:
        file = open_parquet(root / shard)
        names = file.schema_arrow.names
    except StoreError:
        raise
    except (DatasetError, *PARQUET_ERRORS) as e:
        yield Exclusion(shard, "shard is no Parquet file", str(e))
        return
    with file:
        if IMAGE_COLUMN not in names or not {columns.caption, columns.tags} & set(names):
            allowed = f"{IMAGE_COLUMN}, and {columns.caption} or {columns.tags}"
            yield Exclusion.of(
                shard, BadRowError("no such columns", got=", ".join(names), allowed=allowed, where=shard)
            )
            return
        texts = (columns.caption, columns.tags, *ORIGIN_COLUMNS, *KEY_COLUMNS, METADATA_COLUMN)
        text_columns = [n for n in dict.fromkeys(texts) if n in names and n not in (IMAGE_COLUMN, MASK_COLUMN)]
        image_columns = [n for n in (IMAGE_COLUMN, MASK_COLUMN) if n in names]
        for group in range(file.num_row_groups):
            try:
                table = read_group(file, group, [*text_columns, *image_columns], None)
                rows = table.select(text_columns).to_pylist()
            except (DatasetError, *PARQUET_ERRORS) as e:
                yield Exclusion(f"{shard}: row group {group}", "row group is damaged", str(e))
                continue
            for row, values in enumerate(rows):
                yield _scan_row(ByteRange(shard, group, row), values, table, columns)


def _scan_row(
    byte_range: ByteRange, values: Mapping[str, Any], table: pa.Table, columns: Columns
) -> ScannedSample | Exclusion:
    shard, group, row = byte_range
    name = next((v for n in KEY_COLUMNS if isinstance(v := values.get(n), str) and v), f"{group}:{row}")
    key = f"{shard}: {name}"
    try:
        metadata = values.get(METADATA_COLUMN)
        if isinstance(metadata, str) and metadata.startswith("{"):
            values = {**parse_row(metadata), **values}
        captions = columns.read_captions(values)
        size = measure(io.BytesIO(embedded_file(table.column(IMAGE_COLUMN)[row].as_py(), None)))
        has_mask = MASK_COLUMN in table.column_names and table.column(MASK_COLUMN)[row].is_valid
        return make_scanned_sample(key, captions, byte_range, size, byte_range if has_mask else None, values)
    except StoreError:
        raise
    except (BadRowError, DatasetError) as e:
        return Exclusion.of(key, e)
