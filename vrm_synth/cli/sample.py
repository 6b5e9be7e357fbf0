"""`vrm-synth sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vrm_synth.cli.common import out_folder, plural
from vrm_synth.cli.drawing import Drawing, drawing_options, picture_bar, ranks


@click.command()
@click.argument("model", metavar="MODEL")
@out_folder("Where the pictures go; the same command again draws those that are missing.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What to draw; may be repeated.")
@click.option(
    "--prompts",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .csv with the column prompt and, if you like, negative_prompt and seed; or a .txt, one prompt a line.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The captions of a dataset, in its order: image folder, WebDataset or Parquet.",
)
@click.option("--split", metavar="NAME", help="Of a dataset with splits.")
@click.option("--limit", type=click.IntRange(min=1), help="No more than so many of the dataset's captions.")
@click.option("--negative", default="", metavar="TEXT", help="What not to draw.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="The first picture's; each further picture has the next number.",
)
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1_000_000), help="Pictures a prompt.")
@drawing_options
def sample(
    model: str,
    out: Path,
    prompts: tuple[str, ...],
    table: Path | None,
    dataset: Path | None,
    split: str | None,
    limit: int | None,
    negative: str,
    seed: int,
    count: int,
    **drawing: Any,
) -> None:
    """Draw pictures with a model.

    MODEL is a training run's folder, a diffusers folder of safetensors, or a preset that needs no download (tiny).

    A picture follows from its prompt, its seed and the settings, whatever is drawn beside it: each PNG says all
    of them. Several processes started by torchrun or accelerate launch share the pictures.

    \b
    Examples:
      vrm-synth sample RUN --prompt "a girl with pink hair, waving" --seed 7 -o samples
      vrm-synth sample RUN --prompt "a girl" --count 16 --scheduler unipc --steps 12 -o samples
      vrm-synth sample RUN --prompts prompts.csv --negative "blurry" --guidance 5 -o samples
      vrm-synth sample RUN --checkpoint best --dataset out/pictures --split test --limit 64 -o samples
      vrm-synth sample base/ --lora style.safetensors:0.8 --prompt "a girl" -o samples
    """
    if sum([bool(prompts), table is not None, dataset is not None]) != 1:
        raise click.UsageError("Name what to draw by one of --prompt, --prompts and --dataset.")
    if dataset is None and (split is not None or limit is not None):
        raise click.UsageError("--split and --limit belong to --dataset.")
    how, part = Drawing(**drawing), ranks()
    how.check(model)
    from vrm_synth.sampling.requests import from_dataset, from_prompts, from_table

    if dataset is not None:
        asked = from_dataset(dataset, split, limit, negative, seed, count)
    elif table is not None:
        asked = from_table(table, negative, seed, count)
    else:
        asked = from_prompts(prompts, negative, seed, count)
    from vrm_synth.sampling import sample_folder
    from vrm_synth.sampling.devices import wait_for_all

    sampler = how.sampler(how.open(model), model)
    sampler.check(asked)
    sample_folder.claim(out, len(asked))
    with picture_bar(len(sample_folder.share(len(asked), sampler.place.batch_size, part))) as tick:
        kept = sample_folder.fill(sampler, asked, out, part, tick)
    if part[1] > 1:
        wait_for_all()
    if part[0] == 0:
        sample_folder.finish(out, len(asked))
        told = f", {kept} of them from before" if kept else ""
        click.echo(f"{plural(len(asked), 'picture')} in {out}{told}; a look at them: {out / sample_folder.GRID}")
