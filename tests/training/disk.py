"""Sources on disk for the tests of training data: pictures that tell themselves apart, in every layout."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SIZE = (64, 64)


def png(i: int, size: tuple[int, int] = SIZE, mode: str = "RGB", form: str = "PNG") -> bytes:
    """Picture i: its left half says i, its right half is dark."""
    width, height = size
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, : width // 2, :3] = (i * 37 % 200 + 40, i * 11 % 256, i * 71 % 256)
    pixels[..., 3] = 255
    if mode == "RGBA":
        pixels[: height // 2, :, 3] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def row(i: int, caption: str | None = None, **more: object) -> dict[str, object]:
    """Its metadata."""
    text = f"picture {i}, seen from the left" if caption is None else caption
    return {"caption": text, "license": "CC0-1.0", "avatar": "demo", "avatar_sha256": "0" * 64, **more}


def folder(path: Path, count: int = 6, sizes: Sequence[tuple[int, int]] = (SIZE,), mode: str = "RGB") -> Path:
    """Pictures with metadata.jsonl."""
    (path / "images").mkdir(parents=True)
    lines = []
    for i in range(count):
        name = f"images/{i:03d}.png"
        (path / name).write_bytes(png(i, sizes[i % len(sizes)], mode))
        lines.append(json.dumps({"file_name": name, **row(i)}))
    (path / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return path


def texts(path: Path, count: int = 6) -> Path:
    """Pictures with a .txt beside each."""
    path.mkdir(parents=True)
    for i in range(count):
        (path / f"{i:03d}.png").write_bytes(png(i))
        (path / f"{i:03d}.txt").write_text(f"picture {i}, seen from the left\n")
    return path


def tar(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """A plain tar of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def members(numbers: Sequence[int]) -> list[tuple[str, bytes]]:
    """A WebDataset shard's."""
    out = []
    for i in numbers:
        out += [(f"{i:03d}.png", png(i)), (f"{i:03d}.json", json.dumps(row(i)).encode())]
    return out


def tars(path: Path, count: int = 6, each: int = 4) -> Path:
    """A folder of WebDataset shards."""
    for shard, start in enumerate(range(0, count, each)):
        tar(path / f"{shard:05d}.tar", members(range(start, min(start + each, count))))
    return path


def parquet(path: Path, count: int = 6, group: int = 4) -> Path:
    """A folder with a Parquet file of embedded pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.mkdir(parents=True)
    rows = [{"image": {"bytes": png(i), "path": f"{i:03d}.png"}, **row(i)} for i in range(count)]
    pq.write_table(pa.Table.from_pylist(rows), path / "00000.parquet", row_group_size=group)
    return path


class PoolingEncoder:
    """An `Encoder` that says what it saw: mean colour of each cell as the moments. counts: pictures encoded."""

    def __init__(self, identity: str = "pool float32", factor: int = 8):
        self.identity, self.factor, self.channels = identity, factor, 3
        self.count = 0

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.count += len(pixels)
        mean = torch.nn.functional.avg_pool2d(pixels, self.factor)
        return torch.cat([mean, torch.zeros_like(mean)], dim=1)
