"""Indexing foreign WebDataset shards for training, beside webdataset reading them and tarfile listing them.

    python benchmarks/scan_shards.py [--samples 4000] [--bytes 100000]

Ours reads the members' headers, captions, metadata and the heads of the pictures, checks them, and writes the table.
webdataset goes through the same shards without decoding; tarfile.getmembers() is the least that anybody who wants
to read in any order must do. The shards are in the page cache for all three; each is run three times, the best counts.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

from vrm_synth.training.data.data_config import SourceConfig
from vrm_synth.training.data.table_source import open_source

EACH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--bytes", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        folder.mkdir()
        for start in range(0, args.samples, EACH):
            write(folder / f"{start // EACH:05d}.tar", range(start, min(start + EACH, args.samples)), args.bytes)
        shards = sorted(map(str, folder.glob("*.tar")))
        runs: dict[str, Callable[[int], int]] = {
            "ours": lambda n: len(open_source(SourceConfig(path=str(folder)), Path(temporary) / f"tables{n}")),
            "webdataset": lambda n: sum(1 for _ in webdataset.WebDataset(shards, shardshuffle=False)),
            "tarfile": lambda n: sum(map(listed, shards)),
        }
        rates = {name: args.samples / min(timed(run, n, args.samples) for n in range(3)) for name, run in runs.items()}
    for name, rate in rates.items():
        print(f"{name}: {rate:,.0f} samples/s")
    ratios = [rates["ours"] / rates[name] for name in ("webdataset", "tarfile")]
    print(f"indexing is {ratios[0]:.2f} × as fast as webdataset's pass, {ratios[1]:.2f} × tarfile's list alone")
    print(f"11 million samples: {11e6 / rates['ours'] / 60:.0f} minutes, once")


def listed(shard: str) -> int:
    """Number of samples in a tar, from its members' names."""
    with tarfile.open(shard) as tar:
        return len(tar.getmembers()) // 3


def timed(run: Callable[[int], int], n: int, samples: int) -> float:
    """Time one reader in seconds; it must find all samples."""
    start = time.perf_counter()
    scanned_count = run(n)
    assert scanned_count == samples, scanned_count
    return time.perf_counter() - start


def write(path: Path, numbers: range, size: int) -> None:
    """A shard of PNGs with text and metadata; the pictures are padded to a size."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((512, 512, 3), np.uint8)).save(file, "PNG")
    picture = file.getvalue().ljust(size, b"\0")
    with tarfile.open(path, "w") as tar:
        for i in numbers:
            caption = f"picture {i}"
            row = json.dumps({"caption": caption, "license": "CC0-1.0", "avatar": "demo", "shot": ["x"] * 200})
            for name, data in (("png", picture), ("txt", caption.encode()), ("json", row.encode())):
                info = tarfile.TarInfo(f"{i:08d}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
