"""A run's preview in its folder: which captions it is of, the models beside each other, grid and page.

`vrm-synth preview` makes it with its options, a run in training without any: the same bytes, at the same place.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vrm_synth.io.atomic_files import make_folder, write_file
from vrm_synth.io.data_files import has_split
from vrm_synth.models import Base
from vrm_synth.sampling.captioned_images import CaptionedImage, read_captioned_images
from vrm_synth.sampling.comparison import ComparedModel, compare, preview_grid, preview_page
from vrm_synth.sampling.model_source import default_side, open_beginning, open_model
from vrm_synth.sampling.run_facts import read_run
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.settings import DeviceConfig, SamplingSettings

PAGE = "preview.html"
CAPTIONS = 8


@dataclass(frozen=True)
class Subject:
    """The first `limit` captions of a dataset, or of its split; seed: the first one's, each further has the next."""

    dataset: Path
    split: str | None
    limit: int = CAPTIONS
    seed: int = 0

    def pairs(self) -> list[CaptionedImage]:
        """Raises SamplingError, DatasetError."""
        return read_captioned_images(self.dataset, self.split, self.limit)


def subject_of(
    run: Path, dataset: Path | None = None, split: str | None = None, limit: int = CAPTIONS, seed: int = 0
) -> Subject:
    """Without a dataset: the run's first one; without a split, the one kept back or else the one trained on. Raises
    SamplingError."""
    if dataset is not None:
        return Subject(dataset, split, limit, seed)
    facts = read_run(run)
    place, own = facts.datasets[0]
    there = [s for s in (split, facts.kept_back, own) if s and (s == split or has_split(place, s))]
    return Subject(place, there[0] if there else None, limit, seed)


def write_preview(
    run: Path,
    subject: Subject,
    pairs: Sequence[CaptionedImage],
    base: ComparedModel,
    now: DiffusionSampler,
    out: Path | None = None,
    tick: Callable[[float], object] = lambda share: None,
) -> tuple[Path, Path]:
    """Draw the subject's pairs, write page and grid, and return where they are: in `out`, or else RUN/preview.html and
    RUN/samples/step-000123.png. Raises SamplingError, DatasetError."""
    rows = compare(pairs, base.sampler, now, subject.seed, read_run(run).background, tick)
    step = int(now.model.identity["step"])
    title = f"{now.model.name} at step {step}"
    words = ["vrm-synth", "preview", str(run), "--dataset", str(subject.dataset)]
    words += ["--limit", str(subject.limit), "--seed", str(subject.seed)]
    command = shlex.join(words + (["--split", subject.split] if subject.split else []))
    shown = ComparedModel(now, shlex.join([str(run), "--checkpoint", str(step)]))
    page, grid = (
        (run / PAGE, run / "samples" / f"step-{step:06d}.png") if out is None else (out / PAGE, out / "preview.png")
    )
    make_folder(grid.parent)
    write_file(grid, preview_grid(title, rows))
    write_file(page, preview_page(title, rows, base, shown, command))
    return page, grid


def preview_checkpoint(run: Path, step: int, device: str) -> Path:
    """What `vrm-synth preview RUN --checkpoint STEP` writes; returns the page's place. Raises as `write_preview`, and
    ModelError.

    Not compiled, which takes longer than so few pictures do."""
    place = replace(DeviceConfig.usual(device), compiled=False)

    def sampler(model: Base) -> DiffusionSampler:
        side = default_side(str(run), model)
        return DiffusionSampler(model, SamplingSettings(side, side), place)

    subject = subject_of(run)
    beginning, command = open_beginning(run, str(step))
    now = sampler(open_model(str(run), str(step)))
    return write_preview(run, subject, subject.pairs(), ComparedModel(sampler(beginning), command), now)[0]
