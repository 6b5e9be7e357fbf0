"""Folder of sampled images, with a table and a grid of them.

    out/
      000000.png …      one image per request, in order
      metadata.jsonl    file_name, caption and the metadata of each image
      grid.png          up to 48 of them

The same command again samples what is missing: an image that exists and has the same metadata is kept. Several
processes can share the work, each taking every n-th batch.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import torch
import torch.distributed

from vrm_synth.io.atomic_files import file_errors, make_folder, to_json, write_file
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.models.checkpoint_files import Log
from vrm_synth.sampling.image_requests import ImageRequest
from vrm_synth.sampling.open_sampler import open_sampler, open_with_loras
from vrm_synth.sampling.png_metadata import encode_png, image_metadata, read_metadata
from vrm_synth.sampling.progress import ImageProgress, Progress, accumulated
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import SamplingError
from vrm_synth.sampling.user_options import SamplingOptions

TABLE = "metadata.jsonl"
GRID = "grid.png"
GRID_IMAGES = 48


def sample_to_folder(
    model: str,
    requests: Sequence[ImageRequest],
    out: Path,
    options: SamplingOptions,
    *,
    rank: int = 0,
    world_size: int = 1,
    local_rank: int = 0,
    progress: Progress = lambda done, total: None,
    log: Log = lambda text: None,
) -> int:
    """Sample an image for each request into `out`, with their table and grid; see the head of this file.

    rank, world_size, local_rank: of this process, where several share the work; rank 0 writes table and grid when all
    have finished. Returns how many images of this process's share were there already. Raises ModelError,
    SamplingError.
    """
    sampler = open_sampler(open_with_loras(model, options, log), model, options, local_rank)
    sampler.check(requests)
    claim_folder(out, len(requests))
    total = len(indices_of_rank(len(requests), sampler.device_config.batch_size, rank, world_size))
    existing = sample_missing(sampler, requests, out, rank, world_size, accumulated(progress, total))
    if world_size > 1:
        wait_for_all_ranks()
    if rank == 0:
        write_index(out, len(requests))
    return existing


def file_name(i: int) -> str:
    """File name of the i-th request's image."""
    return f"{i:06d}.png"


def claim_folder(out: Path, count: int) -> None:
    """Make the folder. Raises SamplingError where it holds PNG files other than those of `count` samples."""
    make_folder(out)
    expected = {file_name(i) for i in range(count)} | {GRID}
    with file_errors(out, "read"):
        others = sorted(p.name for p in out.iterdir() if p.suffix == ".png" and p.name not in expected)
    if others:
        what, allowed = "the folder holds other images", "a new folder, or the one of the same prompts"
        raise SamplingError(what, got=others[0], allowed=allowed, where=out)


def indices_of_rank(count: int, batch_size: int, rank: int = 0, world_size: int = 1) -> list[int]:
    """Indices of the images, out of `count`, that a rank samples: every world_size-th batch."""
    # By index and not by what is missing, which changes while other ranks sample.
    return [i for i in range(count) if i // batch_size % world_size == rank]


def sample_missing(
    sampler: DiffusionSampler,
    requests: Sequence[ImageRequest],
    out: Path,
    rank: int = 0,
    world_size: int = 1,
    progress: ImageProgress = lambda fraction: None,
) -> int:
    """Sample the images of this rank that are missing in `out`; returns how many were there already."""
    sampler.check(requests)
    indices = indices_of_rank(len(requests), sampler.device_config.batch_size, rank, world_size)
    metadata = {i: image_metadata(sampler.model, sampler.settings, sampler.device_config, requests[i]) for i in indices}
    missing = [i for i in indices if read_metadata(out / file_name(i)) != json.loads(to_json(metadata[i]))]
    progress(len(indices) - len(missing))
    for i, pixels in zip(missing, sampler.generate([requests[i] for i in missing], progress), strict=True):
        write_file(out / file_name(i), encode_png(pixels, metadata[i]))
    return len(indices) - len(missing)


def wait_for_all_ranks() -> None:
    """Wait until all processes that torchrun or accelerate launch started get here; called once, at the end."""
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(days=7))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def write_index(out: Path, count: int) -> None:
    """Write the table and the grid of `count` images. Raises SamplingError where one is missing."""
    rows = [_metadata_row(out, i) for i in range(count)]
    write_file(out / TABLE, "".join(to_json(row) + "\n" for row in rows).encode())
    shown = [i * count // min(count, GRID_IMAGES) for i in range(min(count, GRID_IMAGES))]
    cells = []
    for i in shown:
        with PIL.Image.open(out / file_name(i), formats=["PNG"]) as image:
            cells.append(SheetCell(enlarged(image), rows[i]["caption"], f"{file_name(i)} · seed {rows[i]['seed']}"))
    model = rows[0]["model"]
    step = f", step {model['step']}" if "step" in model else ""
    title = f"{count} picture{'s' * (count != 1)} by {model['name']}{step}"
    write_file(out / GRID, contact_sheet(title, cells, columns=6))


def read_image(out: Path, i: int) -> PIL.Image.Image:
    """Read the i-th request's image. Raises SamplingError where it is missing or damaged."""
    file = out / file_name(i)
    try:
        with PIL.Image.open(file, formats=["PNG"]) as image:
            return image.copy()
    except (OSError, ValueError, SyntaxError) as e:
        raise SamplingError("an image is missing or damaged", got=str(e), where=file) from e


def enlarged(image: PIL.Image.Image, min_side: int = 192) -> PIL.Image.Image:
    """Enlarge an image by a whole factor, if necessary, so that its longer side has at least `min_side` pixels."""
    factor = max(1, -(-min_side // max(image.size)))
    return image.resize((image.width * factor, image.height * factor), PIL.Image.Resampling.NEAREST)


def _metadata_row(out: Path, i: int) -> dict[str, Any]:
    metadata = read_metadata(out / file_name(i))
    if metadata is None:
        raise SamplingError(
            "an image is missing or damaged", allowed="the same command again", where=out / file_name(i)
        )
    return {"file_name": file_name(i), "caption": metadata["prompt"], **metadata}
