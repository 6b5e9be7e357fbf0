"""`vrm-synth preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vrm_synth.cli.common import plural
from vrm_synth.cli.drawing import Drawing, drawing_options, picture_bar


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where preview.html and preview.png go.  [default: RUN, and RUN/samples/STEP.png]",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Whose captions and pictures, in any format of render.  [default: the first that the run is trained on]",
)
@click.option("--split", metavar="NAME", help="Of a dataset with splits; one not trained on tells more.")
@click.option("--limit", default=8, show_default=True, type=click.IntRange(1, 1000), help="How many captions.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The first caption's.")
@drawing_options
def preview(
    run: Path, out: Path | None, dataset: Path | None, split: str | None, limit: int, seed: int, **drawing: Any
) -> None:
    """Show what a run has learnt: a grid, and a page that needs nothing beside it.

    One row a caption: the ground-truth render, what the VAE makes of it, what the base model draws for the
    caption, and what the checkpoint does, both from the same noise; with the shot's facts and the commands that
    draw each again. It may be called while the run is training: it reads the newest finished checkpoint. A run can
    make it by itself: vrm-synth train --preview-every.

    \b
    Examples:
      vrm-synth preview RUN
      vrm-synth preview RUN --checkpoint best --limit 24 --steps 30
      vrm-synth preview RUN --dataset out/pictures --split test -o look
    """
    from vrm_synth.sampling.run_facts import is_run, read_run

    if not is_run(str(run)):
        raise click.UsageError(f"{run} is no training run: it has no run.yaml. vrm-synth sample draws with any model.")
    read_run(run)
    how = Drawing(**drawing)
    how.check(str(run))
    from vrm_synth.sampling.comparison import ComparedModel
    from vrm_synth.sampling.model_source import open_beginning
    from vrm_synth.sampling.run_preview import subject_of, write_preview

    subject = subject_of(run, dataset, split, limit, seed)
    pairs = subject.pairs()
    now = how.sampler(how.open(str(run)), str(run))
    step = str(now.model.identity["step"])
    beginning, base_command = open_beginning(run, step, base=how.base, offline=not how.online)
    base = ComparedModel(how.sampler(beginning, str(run)), base_command)
    with picture_bar(2 * len(pairs)) as tick:
        page, grid = write_preview(run, subject, pairs, base, now, out, tick)
    click.echo(f"{plural(len(pairs), 'caption')} at step {step}: {page}, {grid}")
