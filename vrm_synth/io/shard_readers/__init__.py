"""Readers of shards: image folders, WebDataset tars and Parquet files.

Each format has one module. Its lower half (tar members, row groups, lines of metadata), with every bound checked
before anything is read by it, is for anybody's files: training scans strangers' data by it and counts what it has to
leave out. Its upper half, used by `read_shard`, reads samples of ours and refuses whatever is not exactly as ours are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from vrm_synth.io.file_names import shard_stem
from vrm_synth.io.shard_readers.folder import read_folder
from vrm_synth.io.shard_readers.sample import DatasetSample
from vrm_synth.io.shard_readers.tar import read_tar
from vrm_synth.io.store import Store

__all__ = ["DatasetSample", "read_shard", "read_shard_file"]


def read_shard(store: Store, shard_format: str, split: str, shard: int) -> Iterator[DatasetSample]:
    """Read the samples of a shard, in order.

    shard_format: "imagefolder", "webdataset" or "parquet". Raises DatasetError.
    """
    stem = shard_stem(split, shard)
    if shard_format == "imagefolder":
        yield from read_folder(store, stem)
        return
    name = f"{stem}.tar" if shard_format == "webdataset" else f"{stem}.parquet"
    yield from read_shard_file(io.BytesIO(store.read(name)), name)


def read_shard_file(file: BinaryIO, name: str) -> Iterator[DatasetSample]:
    """Read the samples of an open .tar or .parquet shard, in order.

    name: its path, for the format and for errors. Raises DatasetError.
    """
    if name.lower().endswith(".parquet"):
        from vrm_synth.io.shard_readers.parquet import read_parquet  # pyarrow takes long to import

        yield from read_parquet(file, name)
    else:
        yield from read_tar(file, name)
