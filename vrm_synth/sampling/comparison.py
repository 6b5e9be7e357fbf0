"""Comparison of a trained checkpoint: for each caption the render, its VAE reconstruction, the base model's and the
checkpoint's image, as a grid and as an HTML page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.byte_range import ByteRange, read_byte_range
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.io.image_decoder import MAX_FILE_BYTES, open_image
from vrm_synth.page import Grid, GridRow, Page, PageImage, to_html
from vrm_synth.sampling.captioned_images import CaptionedImage
from vrm_synth.sampling.image_requests import from_prompts
from vrm_synth.sampling.output_folder import enlarged
from vrm_synth.sampling.progress import ImageProgress
from vrm_synth.sampling.sampler import DiffusionSampler, Pixels
from vrm_synth.sampling.sampler_settings import SamplingError

PREVIEW_COLUMNS = ("ground-truth render", "VAE reconstruction", "base model", "this checkpoint")
_CHOICE_KEYS = ("pose", "mirrored", "lighting", "background")
# Name on the page → place in the row's facts.
_FACTS = {
    "framing": ("framing",),
    "expression": ("face", "expression"),
    "gaze": ("face", "gaze"),
    "azimuth": ("view", "azimuth"),
    "elevation": ("view", "elevation"),
}
_ROW_KEYS = ("avatar", "license", "renderer")


@dataclass(frozen=True)
class ComparedModel:
    """A model of the comparison.

    sampler: ready to sample with it.
    argument: how to name it to `vrm-synth sample`, quoted; None where no file holds it.
    """

    sampler: DiffusionSampler
    argument: str | None


@dataclass(frozen=True)
class ComparisonRow:
    """The images of one caption.

    source: the caption and the render.
    seed: of both models' images.
    images: in the order of PREVIEW_COLUMNS, (H, W, 3) uint8 each.
    """

    source: CaptionedImage
    seed: int
    images: tuple[Pixels, Pixels, Pixels, Pixels]


def compare(
    sources: Sequence[CaptionedImage],
    base: DiffusionSampler,
    checkpoint: DiffusionSampler,
    seed: int = 0,
    background: str = "#ffffff",
    progress: ImageProgress = lambda fraction: None,
) -> list[ComparisonRow]:
    """Sample every caption with both models from the same noise, two images per caption.

    seed: of the first caption; each further caption has the next number.
    background: "#rrggbb" behind transparent renders.

    Raises SamplingError for a caption that is too long and an image that cannot be read.
    """
    requests = from_prompts([source.caption for source in sources], seed=seed)
    checkpoint.check(requests)
    size = checkpoint.settings.width, checkpoint.settings.height
    renders = [load_image(source.image, size, background, source.where) for source in sources]
    columns = (
        renders,
        checkpoint.reconstruct(renders),
        list(base.generate(requests, progress)),
        list(checkpoint.generate(requests, progress)),
    )
    rows = zip(sources, requests, zip(*columns, strict=True), strict=True)
    return [ComparisonRow(source, request.seed, images) for source, request, images in rows]


def load_image(
    source: Path | bytes, size: tuple[int, int], background: str = "#ffffff", where: str = "image"
) -> Pixels:
    """Read an image as training does: upright, on the background, center-cropped to the aspect of `size`, resized.

    source: a file or its bytes.
    size: (width, height) in pixels.
    background: "#rrggbb".
    where: which image it is, for errors.

    Returns (height, width, 3) uint8. Raises SamplingError.
    """
    try:
        if isinstance(source, Path):
            source = read_byte_range(source.parent, ByteRange(source.name, 0, -1), MAX_FILE_BYTES)
        image = open_image(source, max_side=None, orient=True).convert("RGBA")
    except DatasetError as e:
        what = "not an image that can be read"
        allowed = "PNG, JPEG or WebP; JPEG XL with vrm-synth[jxl]"
        raise SamplingError(what, got=str(e), allowed=allowed, where=where) from e
    canvas = PIL.Image.new("RGBA", image.size, background)
    opaque = PIL.Image.alpha_composite(canvas, image).convert("RGB")
    scale = min(opaque.width / size[0], opaque.height / size[1])
    left, top = (opaque.width - size[0] * scale) / 2, (opaque.height - size[1] * scale) / 2
    box = (left, top, left + size[0] * scale, top + size[1] * scale)
    return np.asarray(opaque.resize(size, PIL.Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def preview_grid(title: str, rows: Sequence[ComparisonRow]) -> bytes:
    """Encode a PNG file with a row per caption: its four images side by side."""
    cells = [
        SheetCell(enlarged(PIL.Image.fromarray(pixels)), row.source.caption if k == 0 else "", name)
        for row in rows
        for k, (name, pixels) in enumerate(zip(PREVIEW_COLUMNS, row.images, strict=True))
    ]
    return contact_sheet(title, cells, columns=len(PREVIEW_COLUMNS), lines=4)


def preview_page(
    title: str, rows: Sequence[ComparisonRow], base: ComparedModel, checkpoint: ComparedModel, command: str
) -> bytes:
    """Encode a self-contained HTML file. command: the command that writes it."""
    s = checkpoint.sampler.settings
    facts = {
        "size": f"{s.width}×{s.height}",
        "sampled with": f"{s.scheduler}, {s.steps} steps, guidance scale {s.guidance_scale:g}",
        "mean PSNR of the VAE's reconstructions": f"{np.mean([psnr(*row.images[:2]) for row in rows]):.1f} dB",
    }
    text = (
        "Each row is a caption of the dataset. Both models sample it from the same noise. Detail that the VAE's "
        "reconstruction lacks cannot be learned by training the U-Net."
    )
    entries = [_grid_row(row, base, checkpoint, command) for row in rows]
    return to_html(Page(title, [Grid(PREVIEW_COLUMNS, entries)], text, facts))


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio of 8-bit images in dB; 100 for identical ones."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 100.0 if error == 0 else 10 * float(np.log10(255**2 / error))


def shot_facts(row: Mapping[str, Any]) -> dict[str, str]:
    """Facts about the shot from a dataset's row, name → text; those that the row does not have are left out."""
    shot = row.get("shot")
    choices = shot.get("choices") if isinstance(shot, dict) else None
    facts = {key: row.get(key) for key in _ROW_KEYS}
    if isinstance(choices, dict):
        facts |= {key: choices.get(key) for key in _CHOICE_KEYS}
    facts |= {name: _at(row.get("facts"), path) for name, path in _FACTS.items()}
    if "i" in row and "seed" in row:
        facts["shot"] = f"{row['i']} of seed {row['seed']}"
    return {key: _format_value(value) for key, value in facts.items() if value not in (None, "", [], {})}


def _at(value: Any, path: Sequence[str]) -> Any:
    """What lies at a path of keys; None where there is no such place."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)[:500]


def _grid_row(row: ComparisonRow, base: ComparedModel, checkpoint: ComparedModel, command: str) -> GridRow:
    """Make the page's row of a caption: images, notes below them, facts and the commands that reproduce each."""
    images = [
        PageImage.of(PIL.Image.fromarray(p), f"{name}: {row.source.caption}")
        for name, p in zip(PREVIEW_COLUMNS, row.images, strict=True)
    ]
    commands = [
        (PREVIEW_COLUMNS[3], sample_command(checkpoint, row)),
        (PREVIEW_COLUMNS[2], sample_command(base, row)),
        (PREVIEW_COLUMNS[1], command),
    ]
    if isinstance(row.source.row.get("shot"), dict):
        commands.append((PREVIEW_COLUMNS[0], render_command(row.source)))
    notes = ("", f"{psnr(*row.images[:2]):.1f} dB", f"seed {row.seed}", f"seed {row.seed}")
    available = [(column, c) for column, c in reversed(commands) if c is not None]
    return GridRow(row.source.caption, images, notes, shot_facts(row.source.row), available)


def sample_command(model: ComparedModel, row: ComparisonRow) -> str | None:
    """The command that samples a row's image alone; None where no file holds the model."""
    if model.argument is None:
        return None
    s = model.sampler.settings
    words = ["--prompt", row.source.caption, "--seed", str(row.seed), "--size", f"{s.width}x{s.height}"]
    words += ["--steps", str(s.steps), "--guidance-scale", f"{s.guidance_scale:g}", "--scheduler", s.scheduler]
    if s.guidance_rescale:
        words += ["--guidance-rescale", f"{s.guidance_rescale:g}"]
    return f"vrm-synth sample {model.argument} {shlex.join(words)} -o again"


def render_command(source: CaptionedImage) -> str:
    """The command that renders an image again; its shot list lies beside the table, where avatars' paths start."""
    table, shot_list = shlex.quote(str(source.file)), shlex.quote(str(source.file.with_name("one.jsonl")))
    if source.line is None:  # in a shard
        shot = f"printf '%s\\n' {shlex.quote(to_json(source.row['shot']))}"
    else:
        shot = f"sed -n {source.line}p {table}"
    return f"{shot} > {shot_list} && vrm-synth shots {shot_list} -o again"
