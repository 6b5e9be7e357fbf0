"""`vrm-synth subset`, `merge` and `convert`: datasets from datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vrm_synth.cli.common import Choice, bar, plural
from vrm_synth.io.file_names import SHARD_FORMATS

F = TypeVar("F", bound=Callable[..., object])
ENCODINGS = ("png", "webp", "webp-lossy", "jpeg", "jxl")


def _options(command: F) -> F:
    options = (
        click.option(
            "-o", "--out", required=True, metavar="DIR", help="The new dataset's folder: new, or partly written."
        ),
        click.option(
            "--format", "shard_format", type=Choice(SHARD_FORMATS), help="Its shards.  [default: as they are]"
        ),
        click.option("--encoding", type=Choice(ENCODINGS), help="Its pictures.  [default: as they are]"),
        click.option(
            "--shard-size", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Pictures a shard."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("source", metavar="DIR")
@click.option("--where", required=True, metavar="SQL", help="A condition over the columns of metadata.parquet.")
@_options
def subset(source: str, where: str, **options: Any) -> None:
    """Make a dataset of the pictures that match a condition.

    Columns: key, split, i (number of the shot), caption and further captions, avatar, license, width, height; chosen by
    the recipe: pose, mirrored, crop, view, lighting, background; seen in the picture: facts.framing,
    facts.hair.colors, facts.view.azimuth, facts.face.expression, facts.garments and more (docs/datasets.md); shot has
    the whole shot as JSON. The condition is DuckDB SQL (pip install 'vrm-synth[tables]') and can read only this table.

    \b
    Examples:
      vrm-synth subset out -o waving --where "pose = 'wave' and crop = 'face'"
      vrm-synth subset out -o tenth --where "hash(key) % 10 = 0"
      vrm-synth subset out -o plain --where "background in ('white', 'grey') and facts.face.gaze = 'viewer'"
      vrm-synth subset out -o pink --where "list_contains(facts.hair.colors, 'pink')"
    """
    _derive("subset", (source,), where=where, **options)


@click.command()
@click.argument("sources", metavar="DIR...", nargs=-1, required=True)
@_options
def merge(sources: tuple[str, ...], **options: Any) -> None:
    """Merge several datasets into one.

    Splits are kept; the key of each picture begins with its dataset's, so that none is lost.

    \b
    Example:
      vrm-synth merge portraits dances -o both --format webdataset
    """
    if len(sources) < 2:
        raise click.UsageError("merge takes two datasets or more.")
    _derive("merge", sources, prefixed=True, **options)


@click.command()
@click.argument("source", metavar="DIR")
@_options
def convert(source: str, **options: Any) -> None:
    """Make the same dataset in another format or with other picture files.

    \b
    Examples:
      vrm-synth convert out -o shards --format webdataset
      vrm-synth convert out -o small --format parquet --encoding webp-lossy
    """
    if options["shard_format"] is None and options["encoding"] is None:
        raise click.UsageError("convert takes --format, --encoding or both.")
    _derive("convert", (source,), **options)


def _derive(
    command: str,
    paths: tuple[str, ...],
    out: str,
    shard_format: str | None,
    encoding: str | None,
    shard_size: int,
    where: str | None = None,
    prefixed: bool = False,
) -> None:
    from vrm_synth.dataset.derive import ALL, DeriveTask, SourceDataset, pick
    from vrm_synth.dataset.identity.claim import check_claimable
    from vrm_synth.io.file_names import CONTACT_SHEET
    from vrm_synth.io.open_store import open_store

    check_claimable(open_store(out))
    sources = tuple(SourceDataset.of(open_store(path), prefixed) for path in paths)
    where = ALL if where is None else where
    picks = pick(sources, where)
    deriving = DeriveTask(
        sources, picks, open_store(out), command, shard_format or sources[0].shard_format, encoding, where, shard_size
    )
    with bar(deriving.plan.blocks, "shards") as shown:
        deriving.make(shown.update)
    click.echo(f"{plural(sum(picks.counts().values()), 'picture')} in {out}; a look at them: {out}/{CONTACT_SHEET}")
