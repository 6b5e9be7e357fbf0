"""`vrm-synth preview`."""

from __future__ import annotations

import shlex
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
    type=click.Path(path_type=Path),
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
    draw each again. It may be called while the run is training: it reads the newest finished checkpoint.

    \b
    Examples:
      vrm-synth preview RUN
      vrm-synth preview RUN --checkpoint best --limit 24 --steps 30
      vrm-synth preview RUN --dataset out/pictures --split test -o look
    """
    from vrm_synth.dataset.files import make_folder, write_file
    from vrm_synth.sampling import preview as looking
    from vrm_synth.sampling.pairs import read_pairs
    from vrm_synth.sampling.source import is_run, open_beginning, read_run

    if not is_run(str(run)):
        raise click.UsageError(f"{run} is no training run: it has no run.yaml. vrm-synth sample draws with any model.")
    facts, how = read_run(run), Drawing(**drawing)
    if dataset is None:
        dataset, trained_on = facts.datasets[0]
        split = split or (trained_on if (dataset / trained_on).is_dir() else None)
    pairs = read_pairs(dataset, split, limit)
    now = how.sampler(how.open(str(run)), str(run))
    beginning, base_command = open_beginning(run, how.checkpoint)
    base = how.sampler(beginning, str(run))
    with picture_bar(2 * len(pairs)) as tick:
        rows = looking.compare(pairs, base, now, seed, facts.background, tick)
    title = f"{now.model.name} at step {now.model.identity['step']}"
    command = ["vrm-synth", "preview", str(run), "--dataset", str(dataset), "--limit", str(limit), "--seed", str(seed)]
    page = looking.preview_page(
        title,
        rows,
        looking.Shown(base, base_command),
        looking.Shown(now, shlex.join([str(run), "--checkpoint", str(now.model.identity["step"])])),
        shlex.join(command + (["--split", split] if split else [])),
    )
    place = out or run
    grid = place / "preview.png" if out else run / "samples" / f"step-{now.model.identity['step']:06d}.png"
    make_folder(grid.parent)
    write_file(grid, looking.preview_grid(title, rows))
    write_file(place / "preview.html", page)
    click.echo(f"{plural(len(rows), 'caption')} at step {now.model.identity['step']}: {place / 'preview.html'}, {grid}")
