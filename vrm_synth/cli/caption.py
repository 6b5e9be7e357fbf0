"""`vrm-synth caption`: further captions for a finished dataset."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import click

from vrm_synth.cli.common import bar, plural
from vrm_synth.cli.suggestions import check_kind
from vrm_synth.core.near_names import did_you_mean

# Style → the column that it goes into where none is named.
COLUMN_OF_STYLE = {
    "en": None, "en_short": "caption_short", "en_long": "caption_long", "ja": "caption_ja", "tags": "tags",
}  # fmt: skip


@click.command()
@click.argument("dataset", metavar="DIR")
@click.option(
    "--style",
    "styles",
    multiple=True,
    required=True,
    metavar="STYLE",
    help="en, en_short, en_long, ja or tags. Given several times, each picture has one of them, by its seed; tags=3"
    " makes one three times as likely.",
)
@click.option(
    "--column",
    metavar="NAME",
    help="The new column: caption or tags, with _ and more after it.  [default: tags, caption_ja, caption_short,"
    " caption_long, by the style]",
)
@click.option("--trigger", metavar="WORD", help="A word that stands for the character, first in each caption.")
@click.option("--prefix", metavar="TEXT", help="Text before each caption.")
@click.option("--suffix", metavar="TEXT", help="Text after each caption.")
@click.option(
    "--drop",
    multiple=True,
    metavar="GROUP=SHARE",
    help="Leave a group of facts out of a share of the captions: background=0.1. May be repeated.",
)
@click.option(
    "--max-tokens",
    metavar="N",
    help="Most tokens that CLIP may find in a caption, without its two marks; none for no limit.  [default: 75]",
)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.  [default: one per core]")
def caption(
    dataset: str,
    styles: tuple[str, ...],
    column: str | None,
    trigger: str | None,
    prefix: str | None,
    suffix: str | None,
    drop: tuple[str, ...],
    max_tokens: str | None,
    workers: int | None,
) -> None:
    """Write further captions for a finished dataset, without drawing anything.

    They are made of the facts that each row has about its picture, and go into a new column of the dataset: of its
    metadata, its table and its shards. `caption`, and the .txt files, stay as they are. Pictures are not made anew, but
    tars and Parquet files, which hold words and pictures together, are written again, one by one. A call that was
    interrupted goes on where the same call is made again; `verify` holds the column to its settings ever after.

    Captioners of your own, and rendering with several columns from the beginning: docs/python.md, docs/recipes.md.

    \b
    Examples:
      vrm-synth caption out --style tags                        the tags of anime models, in the column tags
      vrm-synth caption out --style ja                          Japanese, in the column caption_ja
      vrm-synth caption out --style en_short --column caption_ohwx --trigger ohwx
      vrm-synth caption out --style tags --column tags_drop --drop background=0.5 --drop hair=0.1
    """
    from vrm_synth.dataset.caption_dataset import caption_dataset
    from vrm_synth.dataset.dataset_handle import open_dataset

    check_kind(dataset, "dataset")
    settings: dict[str, Any] = {"style": _styles(styles)}
    settings |= {k: v for k, v in (("trigger", trigger), ("prefix", prefix), ("suffix", suffix)) if v is not None}
    settings |= {"drop": dict(_share(text, "--drop") for text in drop)} if drop else {}
    settings |= {"max_tokens": _limit(max_tokens)} if max_tokens is not None else {}
    column = column or _column(styles)
    handle = open_dataset(dataset)
    workers = workers or len(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        bars: list[Any] = []  # none before there is anything to do

        def progress(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(bar(total, "shards")))
            bars[0].update(done - bars[0].n)

        caption_dataset(handle, column, settings, workers=workers, progress=progress)
    first = next(iter(handle), None)
    click.echo(f"{plural(len(handle), 'picture')} of {dataset} have the column {column}")
    if first is not None:
        click.echo(f"{first.key}: {first.row[column]}")


def _styles(texts: tuple[str, ...]) -> dict[str, float]:
    styles = dict(_share(t, "--style") if "=" in t else (t, 1.0) for t in texts)
    for name in styles:
        if name not in COLUMN_OF_STYLE:
            near = did_you_mean(name, COLUMN_OF_STYLE)
            raise click.UsageError(f"--style {name}: no such style{near}; there are {', '.join(COLUMN_OF_STYLE)}.")
    return styles


def _share(text: str, option: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        raise click.UsageError(f"{option} {text}: a name, = and a number, as background=0.1.") from None


def _limit(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise click.UsageError(f"--max-tokens {text}: a whole number, or none.")
    return int(text)


def _column(styles: tuple[str, ...]) -> str:
    names = {COLUMN_OF_STYLE.get(s.partition("=")[0]) for s in styles}
    name = names.pop() if len(names) == 1 else None
    if name is None:
        raise click.UsageError(
            "--column NAME is needed: the style en is in `caption`, and several styles have no name."
        )
    return name
