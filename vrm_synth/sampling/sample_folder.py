"""A folder of samples: pictures, their table and a grid of them.

    out/
      000000.png …      one picture a request, in order
      metadata.jsonl    file_name, caption and everything else that each picture says of itself
      grid.png          48 of them

The same command again draws what is missing: a picture that is there and says it was made from the same things is
kept. Several processes can share the work, each taking every n-th batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import PIL.Image

from vrm_synth.io.atomic_files import file_errors, make_folder, to_json, write_file
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.sampling.requests import Request
from vrm_synth.sampling.sample_file import describe, encode, read_settings
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.settings import SamplingError

TABLE = "metadata.jsonl"
GRID = "grid.png"
ON_GRID = 48


def file_name(i: int) -> str:
    """Of the i-th request's picture."""
    return f"{i:06d}.png"


def claim(out: Path, count: int) -> None:
    """Make the folder. Raises SamplingError where it holds pictures that are none of `count` samples."""
    make_folder(out)
    ours = {file_name(i) for i in range(count)} | {GRID}
    with file_errors(out, "read"):
        others = sorted(p.name for p in out.iterdir() if p.suffix == ".png" and p.name not in ours)
    if others:
        what, allowed = "the folder holds other pictures", "a new folder, or the one of the same prompts"
        raise SamplingError(what, got=others[0], allowed=allowed, where=out)


def share(count: int, batch_size: int, part: tuple[int, int]) -> list[int]:
    """Which of `count` pictures part (k, n) draws: every n-th batch from the k-th on."""
    # By number, not by what is missing: that changes while others draw.
    return [i for i in range(count) if i // batch_size % part[1] == part[0]]


def fill(
    sampler: DiffusionSampler,
    requests: Sequence[Request],
    out: Path,
    part: tuple[int, int] = (0, 1),
    tick: Callable[[float], object] = lambda share: None,
) -> int:
    """Draw into `out` what is missing there; returns how many were kept.

    part: whose work to do, see `share`. `tick` is told shares of pictures as they are done.
    """
    sampler.check(requests)
    mine = share(len(requests), sampler.place.batch_size, part)
    said = {i: describe(sampler.model, sampler.settings, sampler.place, requests[i]) for i in mine}
    missing = [i for i in mine if read_settings(out / file_name(i)) != json.loads(to_json(said[i]))]
    tick(len(mine) - len(missing))
    for i, pixels in zip(missing, sampler.draw([requests[i] for i in missing], tick), strict=True):
        write_file(out / file_name(i), encode(pixels, said[i]))
    return len(mine) - len(missing)


def finish(out: Path, count: int) -> None:
    """Write the table and the grid of `count` pictures. Raises SamplingError where one is missing."""
    rows = [_row(out, i) for i in range(count)]
    write_file(out / TABLE, "".join(to_json(row) + "\n" for row in rows).encode())
    shown = [i * count // min(count, ON_GRID) for i in range(min(count, ON_GRID))]
    cells = []
    for i in shown:
        with PIL.Image.open(out / file_name(i), formats=["PNG"]) as picture:
            cells.append(SheetCell(enlarged(picture), rows[i]["caption"], f"{file_name(i)} · seed {rows[i]['seed']}"))
    model = rows[0]["model"]
    step = f", step {model['step']}" if "step" in model else ""
    title = f"{count} picture{'s' * (count != 1)} by {model['name']}{step}"
    write_file(out / GRID, contact_sheet(title, cells, columns=6))


def read_image(out: Path, i: int) -> PIL.Image.Image:
    """The i-th request's image, read into memory. Raises SamplingError where it is missing or damaged."""
    file = out / file_name(i)
    try:
        with PIL.Image.open(file, formats=["PNG"]) as image:
            return image.copy()
    except (OSError, ValueError, SyntaxError) as e:
        raise SamplingError("an image is missing or damaged", got=str(e), where=file) from e


def enlarged(picture: PIL.Image.Image, least: int = 192) -> PIL.Image.Image:
    """A copy whose longer side has `least` pixels or more, each of a small picture's repeated as often as it takes."""
    times = max(1, -(-least // max(picture.size)))
    return picture.resize((picture.width * times, picture.height * times), PIL.Image.Resampling.NEAREST)


def _row(out: Path, i: int) -> dict[str, Any]:
    said = read_settings(out / file_name(i))
    if said is None:
        raise SamplingError(
            "a picture is missing or damaged", allowed="the same command again", where=out / file_name(i)
        )
    return {"file_name": file_name(i), "caption": said["prompt"], **said}
