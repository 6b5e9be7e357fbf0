"""`vrm-synth preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vrm_synth.cli.common import note, plural
from vrm_synth.cli.sampling_flags import image_bar, ranks, sampling_flags, sampling_options


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for preview.html and preview.png.  [default: RUN/preview.html and RUN/samples/STEP.png]",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The dataset with the captions and pictures.  [default: the first that the run is trained on]",
)
@click.option("--split", metavar="NAME", help="A split of the dataset; one that is not trained on shows more.")
@click.option("--limit", default=8, show_default=True, type=click.IntRange(1, 1000), help="Number of captions.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of the first caption; each further caption has the next number.",
)
@sampling_flags
def preview(
    run: Path, out: Path | None, dataset: Path | None, split: str | None, limit: int, seed: int, **flags: Any
) -> None:
    """Compare a run's checkpoint with its base model: a grid, and a self-contained HTML page.

    Each row is a caption: the ground-truth render, its VAE reconstruction, and the pictures that the base model and the
    checkpoint sample for the caption from the same noise; with facts about the shot and the commands that reproduce
    each picture. Can be called while the run is training: it reads the newest finished checkpoint. To write previews
    during training: vrm-synth train --preview-every.

    \b
    Examples:
      vrm-synth preview RUN
      vrm-synth preview RUN --checkpoint best --limit 24 --steps 30
      vrm-synth preview RUN --dataset out/pictures --split test -o look
    """
    from vrm_synth.sampling.model_source import is_run_folder, read_run_settings

    if not is_run_folder(str(run)):
        raise click.UsageError(f"{run} is no training run: it has no run.yaml. vrm-synth sample draws with any model.")
    read_run_settings(run)
    options = sampling_options(flags)
    options.check(str(run))
    from vrm_synth.sampling.run_preview import preview as write_preview

    local_rank = ranks()["local_rank"]
    with image_bar() as progress:
        made = write_preview(
            run,
            out,
            dataset=dataset,
            split=split,
            limit=limit,
            seed=seed,
            options=options,
            local_rank=local_rank,
            progress=progress,
            log=note,
        )
    click.echo(f"{plural(made.captions, 'caption')} at step {made.step}: {made.page}, {made.grid}")
