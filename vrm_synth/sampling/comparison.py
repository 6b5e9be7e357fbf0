"""What a model has learnt, seen beside what it should have: the render, the VAE's view of it, base, checkpoint."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.byte_range import ByteRange, read_byte_range
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.io.image_decoder import MAX_FILE_BYTES, open_image
from vrm_synth.page import Grid, GridRow, Page, PageImage, to_html
from vrm_synth.sampling.captioned_images import CaptionedImage
from vrm_synth.sampling.requests import from_prompts
from vrm_synth.sampling.sample_folder import enlarged
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.settings import SamplingError

COLUMNS = ("ground-truth render", "VAE reconstruction", "base model", "this checkpoint")
_CHOICES = ("character", "pose", "mirrored", "lighting", "background")
_OBSERVATIONS = ("framing", "expression", "gaze", "azimuth", "elevation")
_ROW = ("avatar", "license", "renderer")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ComparedModel:
    """A model on the page. command: how `vrm-synth sample` names it, quoted; None where no file holds it."""

    sampler: DiffusionSampler
    command: str | None


@dataclass(frozen=True)
class ComparisonRow:
    """The four pictures of one caption, (H, W, 3) uint8 each, in the order of COLUMNS."""

    pair: CaptionedImage
    seed: int
    pictures: tuple[Pixels, Pixels, Pixels, Pixels]


def compare(
    pairs: Sequence[CaptionedImage],
    base: DiffusionSampler,
    now: DiffusionSampler,
    seed: int = 0,
    background: str = "#ffffff",
    tick: Callable[[float], object] = lambda share: None,
) -> list[ComparisonRow]:
    """Both models draw every caption from the same noise; `tick` is told shares of drawn pictures, two a pair.

    Raises SamplingError for a caption that is too long and a picture that cannot be read.
    """
    asked = from_prompts([p.caption for p in pairs], seed=seed)
    now.check(asked)
    size = now.settings.width, now.settings.height
    truths = [load_picture(p.picture, size, background, p.where) for p in pairs]
    columns = truths, now.reconstruct(truths), list(base.draw(asked, tick)), list(now.draw(asked, tick))
    return [ComparisonRow(p, r.seed, four) for p, r, four in zip(pairs, asked, zip(*columns, strict=True), strict=True)]


def load_picture(
    picture: Path | bytes, size: tuple[int, int], background: str = "#ffffff", where: str = "picture"
) -> Pixels:
    """The middle of a picture as training sees it: upright, on the background, cut to the shape of `size`, scaled.

    picture: a file or its bytes; size: (width, height); where: for errors. Returns (height, width, 3) uint8. Raises
    SamplingError.
    """
    try:
        if isinstance(picture, Path):
            picture = read_byte_range(picture.parent, ByteRange(picture.name, 0, -1), MAX_FILE_BYTES)
        straight = open_image(picture, max_side=None, orient=True).convert("RGBA")
    except DatasetError as e:
        what = "not a picture that can be read"
        allowed = "PNG, JPEG or WebP; JPEG XL with vrm-synth[jxl]"
        raise SamplingError(what, got=str(e), allowed=allowed, where=where) from e
    ground = PIL.Image.new("RGBA", straight.size, background)
    flat = PIL.Image.alpha_composite(ground, straight).convert("RGB")
    scale = min(flat.width / size[0], flat.height / size[1])
    left, top = (flat.width - size[0] * scale) / 2, (flat.height - size[1] * scale) / 2
    box = (left, top, left + size[0] * scale, top + size[1] * scale)
    return np.asarray(flat.resize(size, PIL.Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def preview_grid(title: str, rows: Sequence[ComparisonRow]) -> bytes:
    """A PNG file: a row a caption, the four pictures beside each other."""
    cells = [
        SheetCell(enlarged(PIL.Image.fromarray(pixels)), row.pair.caption if k == 0 else "", name)
        for row in rows
        for k, (name, pixels) in enumerate(zip(COLUMNS, row.pictures, strict=True))
    ]
    return contact_sheet(title, cells, columns=len(COLUMNS), lines=4)


def preview_page(
    title: str, rows: Sequence[ComparisonRow], base: ComparedModel, now: ComparedModel, command: str
) -> bytes:
    """An HTML file that needs nothing beside it. command: what makes it."""
    s = now.sampler.settings
    facts = {
        "size": f"{s.width}×{s.height}",
        "drawn by": f"{s.scheduler}, {s.steps} steps, guidance {s.guidance:g}",
        "mean of the VAE's reconstructions": f"{np.mean([psnr(*row.pictures[:2]) for row in rows]):.1f} dB PSNR",
    }
    text = (
        "Each row is a caption of the dataset. Both models draw it from the same noise; what the VAE does not give "
        "back, no training of the U-Net can."
    )
    entries = [_entry(row, base, now, command) for row in rows]
    return to_html(Page(title, [Grid(COLUMNS, entries)], text, facts))


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pictures; 100 where they are the same."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 100.0 if error == 0 else 10 * float(np.log10(255**2 / error))


def facts_of(row: Mapping[str, Any]) -> dict[str, str]:
    """What a dataset's row tells of its shot, as far as it tells it."""
    shot = row.get("shot")
    choices = shot.get("choices") if isinstance(shot, dict) else None
    observations = row.get("observations")
    found = {key: row.get(key) for key in _ROW}
    if isinstance(choices, dict):
        found |= {key: choices.get(key) for key in _CHOICES}
    if isinstance(observations, dict):
        found |= {key: observations.get(key) for key in _OBSERVATIONS}
    if "i" in row and "seed" in row:
        found["shot"] = f"{row['i']} of seed {row['seed']}"
    return {key: _say(value) for key, value in found.items() if value not in (None, "", [], {})}


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)[:500]


def _entry(row: ComparisonRow, base: ComparedModel, now: ComparedModel, command: str) -> GridRow:
    pictures = [
        PageImage.of(PIL.Image.fromarray(p), f"{name}: {row.pair.caption}")
        for name, p in zip(COLUMNS, row.pictures, strict=True)
    ]
    commands = [(COLUMNS[3], sample_command(now, row)), (COLUMNS[2], sample_command(base, row)), (COLUMNS[1], command)]
    if isinstance(row.pair.row.get("shot"), dict):
        commands.append((COLUMNS[0], render_command(row.pair)))
    notes = ("", f"{psnr(*row.pictures[:2]):.1f} dB", f"seed {row.seed}", f"seed {row.seed}")
    shown = [(what, c) for what, c in reversed(commands) if c is not None]
    return GridRow(row.pair.caption, pictures, notes, facts_of(row.pair.row), shown)


def sample_command(shown: ComparedModel, row: ComparisonRow) -> str | None:
    """The command that draws this picture alone."""
    if shown.command is None:
        return None
    s = shown.sampler.settings
    words = ["--prompt", row.pair.caption, "--seed", str(row.seed), "--size", f"{s.width}x{s.height}"]
    words += ["--steps", str(s.steps), "--guidance", f"{s.guidance:g}", "--scheduler", s.scheduler]
    if s.guidance_rescale:
        words += ["--guidance-rescale", f"{s.guidance_rescale:g}"]
    return f"vrm-synth sample {shown.command} {shlex.join(words)} -o again"


def render_command(pair: CaptionedImage) -> str:
    """The command that renders this row's picture again, beside its dataset, where avatars' paths start."""
    table, one = shlex.quote(str(pair.table)), shlex.quote(str(pair.table.with_name("one.jsonl")))
    line = f"printf '%s\\n' {shlex.quote(to_json(pair.row['shot']))}"  # a shard has no line to point at
    return f"{line if pair.line is None else f'sed -n {pair.line}p {table}'} > {one} && vrm-synth shots {one} -o again"
