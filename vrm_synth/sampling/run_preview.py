"""Preview of a training run: its checkpoint beside the base model, as a grid and a page in the run's folder.

`vrm-synth preview`, the Python API and a run in training (`preview_every`) write the same bytes to the same place.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrm_synth.io.atomic_files import make_folder, write_file
from vrm_synth.io.data_files import has_split
from vrm_synth.models.checkpoint_files import Log
from vrm_synth.sampling.captioned_images import CaptionedImage, read_captioned_images
from vrm_synth.sampling.comparison import ComparedModel, compare, preview_grid, preview_page
from vrm_synth.sampling.model_source import open_base_of_run, read_run_settings
from vrm_synth.sampling.open_sampler import open_sampler, open_with_loras
from vrm_synth.sampling.progress import ImageProgress, Progress, accumulated
from vrm_synth.sampling.user_options import SamplingOptions

PAGE = "preview.html"
CAPTIONS = 8


@dataclass(frozen=True)
class Preview:
    """A finished preview.

    page: the HTML file.
    grid: the PNG file.
    captions: number of rows.
    step: the checkpoint's.
    """

    page: Path
    grid: Path
    captions: int
    step: int


@dataclass(frozen=True)
class PreviewData:
    """The captioned images that a preview shows: the first `limit` of a dataset or of one of its splits.

    dataset: folder or shard.
    split: its name; None is the whole dataset.
    limit: number of captions.
    seed: of the first caption; each further caption has the next number.
    """

    dataset: Path
    split: str | None
    limit: int = CAPTIONS
    seed: int = 0

    def read(self) -> list[CaptionedImage]:
        """Read the captioned images. Raises SamplingError, DatasetError."""
        return read_captioned_images(self.dataset, self.split, self.limit)


def preview_data(
    run: Path, dataset: Path | None = None, split: str | None = None, limit: int = CAPTIONS, seed: int = 0
) -> PreviewData:
    """Choose what a run's preview shows.

    Without a dataset, the first one that the run is trained on; without a split, the validation split where the run
    and the dataset have one, else the split trained on. Raises SamplingError.
    """
    if dataset is not None:
        return PreviewData(dataset, split, limit, seed)
    settings = read_run_settings(run)
    folder, trained_split = settings.datasets[0]
    candidates = [
        s for s in (split, settings.validation_split, trained_split) if s and (s == split or has_split(folder, s))
    ]
    return PreviewData(folder, candidates[0] if candidates else None, limit, seed)


def preview(
    run: Path,
    out: Path | None = None,
    *,
    dataset: Path | None = None,
    split: str | None = None,
    limit: int = CAPTIONS,
    seed: int = 0,
    options: SamplingOptions | None = None,
    local_rank: int = 0,
    progress: Progress = lambda done, total: None,
    log: Log = lambda text: None,
) -> Preview:
    """Sample the captions of a dataset with a run's checkpoint and with its base model, and write page and grid.

    out: a folder for preview.html and preview.png; None writes RUN/preview.html and RUN/samples/step-000123.png.
    dataset, split, limit, seed: as in `preview_data`.
    progress, log: as in sample_model.sample; two images are sampled per caption.

    Raises ModelError, SamplingError, DatasetError.
    """
    options = options or SamplingOptions()
    data = preview_data(run, dataset, split, limit, seed)
    sources = data.read()
    trained = open_sampler(open_with_loras(str(run), options, log), str(run), options, local_rank)
    step = int(trained.model.identity["step"])
    base_model, base_argument = open_base_of_run(run, str(step), base=options.base, offline=options.offline)
    base = ComparedModel(open_sampler(base_model, str(run), options, local_rank), base_argument)
    checkpoint = ComparedModel(trained, shlex.join([str(run), "--checkpoint", str(step)]))
    page, grid = _write_preview(run, out, data, sources, base, checkpoint, accumulated(progress, 2 * len(sources)))
    return Preview(page, grid, len(sources), step)


def _write_preview(
    run: Path,
    out: Path | None,
    data: PreviewData,
    sources: Sequence[CaptionedImage],
    base: ComparedModel,
    checkpoint: ComparedModel,
    progress: ImageProgress,
) -> tuple[Path, Path]:
    """Sample the comparison, and write its page and grid; returns their paths."""
    background = read_run_settings(run).background
    rows = compare(sources, base.sampler, checkpoint.sampler, data.seed, background, progress)
    model = checkpoint.sampler.model
    step = int(model.identity["step"])
    title = f"{model.name} at step {step}"
    words = ["vrm-synth", "preview", str(run), "--dataset", str(data.dataset)]
    words += ["--limit", str(data.limit), "--seed", str(data.seed)]
    command = shlex.join(words + (["--split", data.split] if data.split else []))
    page, grid = (
        (run / PAGE, run / "samples" / f"step-{step:06d}.png") if out is None else (out / PAGE, out / "preview.png")
    )
    make_folder(grid.parent)
    write_file(grid, preview_grid(title, rows))
    write_file(page, preview_page(title, rows, base, checkpoint, command))
    return page, grid


def preview_checkpoint(run: Path, step: int, device: str) -> Path:
    """Write what `vrm-synth preview RUN --checkpoint STEP` writes; returns the page. Raises as `preview`.

    Without torch.compile, which takes longer than sampling so few images.
    """
    return preview(run, options=SamplingOptions(str(step), device=device, compiled=False)).page
