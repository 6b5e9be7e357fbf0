"""The first batch after a resume over eleven million pictures, beside torch's sampler skipped to the same step.

    python benchmarks/training_resume.py [--rows 11000000] [--batch 256] [--step 30000] [--folder DIR]

batch: a new process that opens data, table and cache as `train` does and gives the whole batch: order, captions
and latents of 512² from a cache that knows all the pictures, under both kinds of hash. The pictures have three
shapes, so that all sizes are looked at. The shards of pictures and latents are files without contents, but for the
latents that the batch needs; the table is written by the code that writes tables, the index has its form.
The files that are read are first dropped from the page cache. To be within 15 s, or the exit status is 1.

order and peer: the numbers of the samples alone, of ours, and as training scripts resume: a DataLoader with a
RandomSampler over as many numbers, and accelerate's skip_first_batches up to the step.

Rejected, on this table: a shuffle by `Generator.permutation` an epoch (0.6 s and 88 MB each, and every earlier
epoch's where batches cross them); rows in SQLite (3.4 GB, half a minute to count); an index of latents as a Python
dictionary (2.5 GB).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

ALLOWED = 15.0  # seconds
CHILDREN = ("batch", "order", "peer")
SHAPES = ((512, 512), (768, 512), (512, 768))
A_SHARD = 1000  # pictures; 4000 latents
PICTURE_BYTES = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=11_000_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--step", type=int, default=30_000)
    parser.add_argument("--folder", type=Path, help="made once and kept; by default made and removed")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measured = {"batch": whole_batch, "order": order_alone, "peer": peer}[args.child](args)
        print(json.dumps(measured))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        args.folder = args.folder or Path(temporary)
        if not (args.folder / "made").exists():
            make(args)
        runs = {n: min((child(args, n) for _ in range(3)), key=lambda r: r["seconds"]) for n in CHILDREN}
    print(f"step {args.step:,} of batches of {args.batch} over {args.rows:,} rows; the best of three processes each\n")
    print("|  | s | of which imports | MiB at the end | MiB at the most |\n|---|--:|--:|--:|--:|")
    for name, run in runs.items():
        cells = [f"{run[n]:.2f}" for n in ("seconds", "imports")] + [f"{run[n]:.0f}" for n in ("end_mib", "peak_mib")]
        print(f"| {name} | {' | '.join(cells)} |")
    ratio = runs["peer"]["after"] / runs["order"]["after"]
    memory_ratio = runs["peer"]["peak_mib"] / max(1.0, runs["order"]["peak_mib"])
    print(f"\nThe peer takes {ratio:.0f} × our time for the order, and {memory_ratio:.0f} × the memory.")
    return int(runs["batch"]["seconds"] > ALLOWED)


def child(args: argparse.Namespace, name: str) -> dict[str, float]:
    """One measurement in a process of its own."""
    drop(args.folder)
    numbers = [f"--{n}={getattr(args, n)}" for n in ("rows", "batch", "step", "folder")]
    done = subprocess.run([sys.executable, __file__, *numbers, "--child", name], check=True, stdout=subprocess.PIPE)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def drop(folder: Path) -> None:
    """Give the files' pages back, so that they are read from disk."""
    for path in folder.rglob("*"):
        if path.suffix in (".arrow", ".npy", ".json") or (path.suffix == ".safetensors" and path.stat().st_blocks):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def resident() -> float:
    """MiB that the process holds, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def report(start: float, imported: float, base: float) -> dict[str, float]:
    """Seconds since the start, and memory beyond what importing took."""
    now = time.perf_counter()
    # Not ru_maxrss, which begins with what the parent held when it forked.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    return {
        "seconds": now - start,
        "imports": imported - start,
        "after": now - imported,
        "end_mib": resident() - base,
        "peak_mib": peak - base,
    }


def whole_batch(args: argparse.Namespace) -> dict[str, float]:
    """Open everything and take one batch."""
    start = time.perf_counter()
    data_module, config = _config(args.folder)
    imported, base = time.perf_counter(), resident()
    data = data_module.open_training_dataset(
        config, Zeros(), seed=1, batch_size=args.batch, cache=args.folder / "cache"
    )
    batch = data.batch(args.step)
    measured = report(start, imported, base)
    assert len(batch) == args.batch and len(set(batch.keys)) == args.batch
    return measured


def order_alone(args: argparse.Namespace) -> dict[str, float]:
    """The rows of the step."""
    start = time.perf_counter()
    from vrm_synth.training.data.sample_order import SampleOrder

    imported, base = time.perf_counter(), resident()
    order = SampleOrder(1, args.batch, np.array([[args.rows]]), [1.0], ["512x512"], ["data"])
    drawn = order(np.arange(args.step * args.batch, (args.step + 1) * args.batch))
    assert len(set(drawn.position.tolist())) == args.batch
    return report(start, imported, base)


def peer(args: argparse.Namespace) -> dict[str, float]:
    """Skip to the same step."""
    start = time.perf_counter()
    import torch
    from accelerate import skip_first_batches

    imported, base = time.perf_counter(), resident()
    numbers: Any = range(args.rows)
    sampler = torch.utils.data.RandomSampler(numbers, generator=torch.Generator().manual_seed(1))
    loader = torch.utils.data.DataLoader(numbers, sampler=sampler, batch_size=args.batch)
    batch = next(iter(skip_first_batches(loader, args.step % (args.rows // args.batch))))
    assert len(batch) == args.batch
    return report(start, imported, base)


# ---------------------------------------------------------------- eleven million pictures


class Zeros:
    """An encoder that is never called."""

    identity, factor, channels = "zeros float32", 8, 4

    def __call__(self, pixels: Any) -> Any:
        raise AssertionError("the cache has them all")


def _config(folder: Path) -> tuple[Any, Any]:
    from vrm_synth.training.data import training_dataset as data_module
    from vrm_synth.training.data.data_config import DataConfig

    source = {"path": str(folder / "data"), "mirror": 0.5}
    return data_module, DataConfig.model_validate({"sources": [source], "size": 512, "buckets": 6})


def make(args: argparse.Namespace) -> None:
    """The dataset's shards, its table, the latents of one batch, and the index of all."""
    from tqdm import tqdm

    from vrm_synth.training.latents.latent_shard import Latent

    for n in tqdm(range(args.rows // A_SHARD), "shards"):
        empty(args.folder / "data" / f"{n // 1000:03d}" / f"{n:05d}.tar", A_SHARD * PICTURE_BYTES)
    data_module, config = _config(args.folder)
    with tqdm(total=args.rows, desc="table") as bar, patch("vrm_synth.training.data.row_table.scan", entries):
        data = data_module.open_training_dataset(
            config, Zeros(), seed=1, batch_size=args.batch, cache=args.folder / "cache", on_scanned=bar.update
        )
    import torch

    numbers = np.arange(args.step * args.batch, (args.step + 1) * args.batch)
    for sample in data._sampler.samples(numbers):
        width, height = sample.size
        latent = Latent(
            torch.randn(8, height // 8, width // 8).half(),
            torch.full((height // 8, width // 8), 255, dtype=torch.uint8),
        )
        picture = sample.row.to_bytes(32, "little")
        data._cache.put_picture_sha256(data._sources[0].file_fingerprint(sample.row), picture)
        data._cache.put_latent(picture, data._loader.latent_key(sample), latent)
    data.close()
    fill_index(args.folder / "cache/latents", args.rows)
    (args.folder / "made").touch()


def entries(layout: Any, columns: Any) -> Iterator[Any]:
    """Yield the samples that scanning the layout's shards would find, without opening them."""
    from vrm_synth.io.byte_range import ByteRange
    from vrm_synth.training.data.scan.scanned_sample import ScannedSample
    from vrm_synth.training.data.source import CaptionText

    scene = "a girl with pink hair, waving with the right hand, seen from the left"
    for shard, i in itertools.product(layout.parts, range(A_SHARD)):
        caption = f"A full-body picture of {scene}, {shard} {i}."
        byte_range = ByteRange(shard, i * PICTURE_BYTES + 512, PICTURE_BYTES - 1024)
        yield ScannedSample(
            f"{shard}: {i:06d}", CaptionText(caption), byte_range, SHAPES[i % 3], None, "CC0-1.0", "demo", "0" * 64
        )


def fill_index(folder: Path, rows: int) -> None:
    """As if both hashes of `rows` pictures were in shards of 4,000."""
    index = json.loads((folder / "index.json").read_text())
    sorted_index = np.load(folder / index["array"])
    rng = np.random.default_rng(0)
    shard = np.arange(rows, dtype=np.uint64) // np.uint64(4 * A_SHARD) + np.uint64(len(index["shards"]))
    where = np.tile(shard << np.uint64(32) | np.arange(rows, dtype=np.uint64) % np.uint64(4 * A_SHARD), 2)
    heads = rng.integers(0, 1 << 64, 2 * rows, dtype=np.uint64)
    order = np.argsort(merged := np.concatenate([sorted_index[0], heads]))
    np.save(folder / index["array"], np.stack([merged[order], np.concatenate([sorted_index[1], where])[order]]))
    for n in range(-(-rows // (4 * A_SHARD))):
        path = empty(folder / f"{n:032x}.safetensors", 4 * A_SHARD * 69_768)
        index["shards"].append([path.name, path.stat().st_size, path.stat().st_mtime_ns])
    (folder / "index.json").write_text(json.dumps(index))


def empty(path: Path, size: int) -> Path:
    """A file of that size without contents, which takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


if __name__ == "__main__":
    sys.exit(main())
