"""`vrm-synth sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vrm_synth.cli.common import note, out_folder, plural
from vrm_synth.cli.sampling_flags import image_bar, ranks, sampling_flags, sampling_options


@click.command()
@click.argument("model", metavar="MODEL")
@out_folder("Folder for the pictures; running the same command again adds those that are missing.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What the picture shows; may be repeated.")
@click.option(
    "--prompts",
    "table",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .csv with a column prompt and optionally negative_prompt and seed; or a .txt with one prompt per line.",
)
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Use the captions of a dataset as prompts, in order: image folder, WebDataset or Parquet.",
)
@click.option("--split", metavar="NAME", help="A split of the dataset, such as test.  [default: all splits]")
@click.option("--limit", type=click.IntRange(min=1), help="Use at most this many of the dataset's captions.")
@click.option("--negative-prompt", default="", metavar="TEXT", help="What the pictures should not show.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of the first picture; each further picture has the next number.",
)
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1_000_000), help="Pictures per prompt.")
@sampling_flags
def sample(
    model: str,
    out: Path,
    prompts: tuple[str, ...],
    table: Path | None,
    dataset: Path | None,
    split: str | None,
    limit: int | None,
    negative_prompt: str,
    seed: int,
    count: int,
    **flags: Any,
) -> None:
    """Sample pictures from a model.

    MODEL is a training run's folder, a diffusers folder of safetensors, or a preset that needs no download (tiny).

    A picture depends only on its prompt, its seed and the settings, not on the other pictures. All of them are stored
    in the PNG. Processes started by torchrun or accelerate launch share the pictures.

    \b
    Examples:
      vrm-synth sample RUN --prompt "a girl with pink hair, waving" --seed 7 -o samples
      vrm-synth sample RUN --prompt "a girl" --count 16 --scheduler unipc --steps 12 -o samples
      vrm-synth sample RUN --prompts prompts.csv --negative-prompt "blurry" --guidance-scale 5 -o samples
      vrm-synth sample RUN --checkpoint best --dataset out/pictures --split test --limit 64 -o samples
      vrm-synth sample base/ --lora style.safetensors:0.8 --prompt "a girl" -o samples
    """
    if sum([bool(prompts), table is not None, dataset is not None]) != 1:
        raise click.UsageError("Give the prompts by one of --prompt, --prompts and --dataset.")
    if dataset is None and (split is not None or limit is not None):
        raise click.UsageError("--split and --limit belong to --dataset.")
    options = sampling_options(flags)
    options.check(model)
    from vrm_synth.sampling.image_requests import from_dataset, from_prompts, from_table

    if dataset is not None:
        requests = from_dataset(dataset, split, limit, negative_prompt, seed, count)
    elif table is not None:
        requests = from_table(table, negative_prompt, seed, count)
    else:
        requests = from_prompts(prompts, negative_prompt, seed, count)
    from vrm_synth.sampling.output_folder import GRID, sample_to_folder

    process = ranks()
    with image_bar() as progress:
        reused = sample_to_folder(model, requests, out, options, **process, progress=progress, log=note)
    if process["rank"] == 0:
        existing = f", {reused} of them from before" if reused else ""
        click.echo(f"{plural(len(requests), 'picture')} in {out}{existing}; a look at them: {out / GRID}")
