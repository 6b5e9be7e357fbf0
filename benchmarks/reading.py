"""Reading speed of training data: shards of each format beside a plain folder of the same pictures, in one run.

    python benchmarks/reading.py [--pictures 2000] [--size 512] [--rounds 3] [--workers 0 2] [--dry]

Pictures a second that come out of a torch DataLoader as (3, H, W) uint8 tensors with their captions, in batches of 32.
The peer is what most people write first: a folder of PNG files and one list of captions, opened by Pillow in the order
of the list. Ours are read by the libraries that users have: webdataset for tars, pyarrow for Parquet, and the
imagefolder's shards as any folder. `shuffled` is the peer in random order, which is how a plain folder is trained on;
shards are then shuffled by whole shards and in a buffer, which costs a reader nothing on a disk.

Each file is evicted from the page cache before a round (posix_fadvise), which helps only on a local disk: on a virtual
machine the host may still have it cached. All of them decode the same PNG files, and decoding is most of the
time on a processor; the rest is what the format costs. The pictures are 24 rendered ones over and over, with keys of
their own.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
import webdataset
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from vrm_synth.dataset.derive import put_shard
from vrm_synth.dataset.verify.expected import ExpectedShard
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore

A_SHARD = 250
BATCH = 32


def tensor(data: bytes | Path) -> torch.Tensor:
    """(3, H, W) uint8 of a picture's file."""
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
        return torch.from_numpy(np.asarray(picture.convert("RGB")).transpose(2, 0, 1).copy())


class Folder(Dataset[tuple[torch.Tensor, str]]):
    """The plain folder to compare with: files and captions in two lists."""

    def __init__(self, files: list[Path], captions: list[str]):
        self.files, self.captions = files, captions

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, str]:
        return tensor(self.files[i]), self.captions[i]


class Parquet(IterableDataset[tuple[torch.Tensor, str]]):
    """Parquet shards by pyarrow, shared out to workers by files."""

    def __init__(self, files: list[Path]):
        self.files = files

    def __iter__(self) -> Iterator[tuple[torch.Tensor, str]]:
        import pyarrow.parquet as pq

        worker = get_worker_info()
        own_files = self.files if worker is None else self.files[worker.id :: worker.num_workers]
        for path in own_files:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH, columns=["image", "caption"]):
                pictures = batch.column("image").field("bytes")
                for data, caption in zip(pictures, batch.column("caption"), strict=True):
                    yield tensor(data.as_py()), caption.as_py()


def webdataset_of(files: list[Path]) -> Any:
    """A webdataset pipeline over the tars."""
    shards = webdataset.WebDataset([str(f) for f in files], shardshuffle=False)
    return shards.to_tuple("png", "txt").map_tuple(tensor, bytes.decode)


def prepare(work: Path, pictures: int, size: int) -> dict[str, list[Path]]:
    """The same samples in each format, and as the peer's folder; name → its files."""
    command = [
        sys.executable,
        "-m",
        "vrm_synth",
        "demo",
        "-o",
        str(work / "made"),
        "--count",
        "24",
        "--size",
        str(size),
    ]
    machine.run_timed([*command, "--format", "webdataset", "--shard-size", "24"], work)
    real = [*read_shard(LocalStore(work / "made"), "webdataset", "train", 0)]
    files_by_format: dict[str, list[Path]] = {"folder": []}
    (work / "folder").mkdir()
    for first in range(0, pictures, A_SHARD):
        renamed = [_renamed(real[i % len(real)], i) for i in range(first, min(first + A_SHARD, pictures))]
        expected = ExpectedShard(first // A_SHARD, "train", len(renamed))
        for form in ("webdataset", "parquet", "imagefolder"):
            put_shard(LocalStore(work / form), form, expected, renamed)
        for s in renamed:
            (work / "folder" / f"{s.key}.png").write_bytes(s.picture)
            files_by_format["folder"].append(work / "folder" / f"{s.key}.png")
    files_by_format |= {"webdataset": sorted((work / "webdataset" / "train").glob("*.tar"))}
    files_by_format |= {"parquet": sorted((work / "parquet" / "train").glob("*.parquet"))}
    return files_by_format | {"imagefolder": sorted((work / "imagefolder" / "train").glob("*/*.png"))}


def _renamed(s: DatasetSample, i: int) -> DatasetSample:
    key = f"{i:06d}"
    return replace(s, key=key, row={**s.row, "i": i, "shot": {**s.row["shot"], "id": key}})


def forget(files: list[Path]) -> None:
    """Evict files from the page cache."""
    for path in files:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def rate(kind: str, files: list[Path], workers: int, pictures: int) -> float:
    """Pictures per second of one pass over all."""
    data: Any
    if kind == "webdataset":
        data = webdataset_of(files)
    elif kind == "parquet":
        data = Parquet(files)
    else:
        data = Folder(files, ["A girl."] * len(files))
    forget(files)
    start = time.perf_counter()
    loader = DataLoader(data, batch_size=BATCH, num_workers=workers, shuffle=True if kind == "shuffled" else None)
    pictures_read = sum(len(batch[0]) for batch in loader)
    if pictures_read != pictures:
        raise SystemExit(f"{kind}: {pictures_read} pictures of {pictures}")
    return pictures_read / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    torch.set_num_threads(1)
    facts, rows = machine.facts(), []
    print(f"{facts['cpu']}, {facts['cores']} cores, load before {facts['load']}, commit {facts['commit']}")
    with tempfile.TemporaryDirectory() as name:
        files = prepare(Path(name), o.pictures, o.size)
        kinds = {"folder": files["folder"], "shuffled": files["folder"], **files}
        rates: dict[tuple[str, int], list[float]] = {}
        for n in range(o.rounds):
            for kind in kinds if n % 2 else reversed(kinds):
                for workers in o.workers:
                    speed = rate(kind, kinds[kind], workers, o.pictures)
                    rates.setdefault((kind, workers), []).append(speed)
    for workers in o.workers:
        peer = statistics.median(rates["folder", workers])
        for kind in kinds:
            median = statistics.median(rates[kind, workers])
            row = {"kind": kind, "workers": workers, "per_second": round(median, 1), "share": round(median / peer, 3)}
            rows.append(facts | row)
            print(f"{kind:12}{workers:3} workers{median:9.1f} pictures/s{median / peer:8.2f} of a plain folder")
    if not o.dry:
        machine.append("reading", rows)


if __name__ == "__main__":
    main()
