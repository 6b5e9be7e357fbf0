"""`vrm-synth render` and `vrm-synth demo`: datasets."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vrm_synth.cli.common import Choice, bar, crew, how_many, mip_folder, note, plural, renderer_option, workers_option
from vrm_synth.cli.suggestions import check_kind

if TYPE_CHECKING:
    from vrm_synth.render import RendererName
    from vrm_synth.shot import Recipe

F = TypeVar("F", bound=Callable[..., object])


class Part(click.ParamType):
    """I/N: the part of the work that job I of N does."""

    name = "I/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value))
        if not found or not int(found[1]) < int(found[2]):
            self.fail(f"{value!r} is not I/N with I from 0 to N - 1.", param, ctx)
        return int(found[1]), int(found[2])


class Devices(click.ParamType):
    """0,1,3: indices of EGL devices."""

    name = "N,N,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", str(value)):
            self.fail(f"{value!r} is not a device's number, or several with commas.", param, ctx)
        return tuple(int(n) for n in str(value).split(","))


def _dataset_options(command: F) -> F:
    options = (
        click.option(
            "-o",
            "--out",
            required=True,
            metavar="DIR",
            help="The dataset's folder: new, empty, or one that the same command began and now finishes.",
        ),
        click.option(
            "--format",
            "form",
            default="imagefolder",
            show_default=True,
            type=Choice(["imagefolder", "webdataset", "parquet"]),
            help="What shards are: folders of pictures, tar files, or Parquet files.",
        ),
        click.option(
            "--encoding",
            default="png",
            show_default=True,
            type=Choice(["png", "webp", "webp-lossy", "jpeg", "jxl"]),
            help="What pictures are; webp and jxl are lossless.",
        ),
        click.option(
            "--pass",
            "passes",
            multiple=True,
            type=Choice(["mask"]),
            help="Another picture beside each: mask is how much of the figure covers each pixel.",
        ),
        click.option(
            "--shard-size", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Shots a shard."
        ),
        click.option(
            "--shard",
            "part",
            type=Part(),
            help="Make the shards of job I of N (0/4 to 3/4), and no more; then vrm-synth finish DIR, once.",
        ),
        click.option(
            "--accept-license",
            "accepted",
            multiple=True,
            metavar="NAME",
            help="Take avatars under this license, too, by the name that inspect prints or its URL; may be repeated.",
        ),
        click.option(
            "--skip-unusable",
            is_flag=True,
            help="Go on without avatars that cannot be read or whose license is not accepted; each is told of.",
        ),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Your own license evidence, in the form of assets_manifest.yaml.",
        ),
        workers_option,
        click.option(
            "--device",
            "devices",
            default="0",
            show_default=True,
            type=Devices(),
            help="Index of the EGL device that draws; 0,1 shares workers out to two.",
        ),
        renderer_option,
        click.option(
            "--engine",
            default="local",
            show_default=True,
            type=Choice(["local", "ray"]),
            help="Who the workers are: processes of this machine, or Ray's actors (needs vrm-synth[ray]).",
        ),
        click.option(
            "--ray-address",
            default="local",
            show_default=True,
            metavar="ADDRESS",
            help="The Ray cluster: auto, or host:6379; local starts Ray on this machine for this run.",
        ),
        click.option(
            "--ray-gpus",
            default=0.0,
            type=click.FloatRange(0.0, 1.0),
            help="Share of a GPU that each actor reserves, and draws on: 0.25 puts four on each GPU.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _recipe_options(command: F) -> F:
    """--count, --seed and --size, None where not given."""
    own = "[default: the recipe's, else {}]"
    count, size = click.IntRange(1, 1_000_000_000), click.IntRange(16, 8192)
    options = (
        click.option("--count", type=count, help=f"How many pictures.  {own.format(24)}"),
        click.option("--seed", type=int, help=f"Another seed, other pictures.  {own.format(0)}"),
        click.option("--size", type=size, help=f"Pixels of a side.  {own.format(512)}"),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("inputs", metavar="RECIPE|AVATAR...", nargs=-1)
@_recipe_options
@_dataset_options
def render(inputs: tuple[str, ...], **options: Any) -> None:
    """Render a dataset from a recipe, or of avatars.

    AVATAR is a .vrm file, a folder, a glob, demo or demo:N; everything else is then at its default. RECIPE is a YAML
    file, whose own count, seed and size count where the options do not say otherwise. The smallest one has two keys,
    paths being relative to the recipe:

    \b
        avatars: [avatars/*.vrm, demo]
        count: 100

    Shot i depends on the recipe and i alone, and so does which shard it is in: any number of workers, on any
    number of machines, in any order, make the same bytes on the same driver. Shards are written whole or not
    at all; the same command again makes what is missing, and with a greater count what is new. A picture that
    shows nothing is drawn again, and told of where that does not help. Avatars that are not CC0, by their own
    metadata or by the manifest's evidence, are refused unless you name the license that you accept.

    \b
    Examples:
      vrm-synth render my-avatars/ -o out
      vrm-synth render aki.vrm demo:3 -o out --count 100 --size 256
      vrm-synth render recipe.yaml -o out
      vrm-synth render recipe.yaml -o out --format webdataset --encoding webp
      vrm-synth render recipe.yaml -o out --shard 0/4      on the first of four machines
      vrm-synth render recipe.yaml -o out --accept-license CC-BY-4.0
    """
    if not inputs:
        out = options["out"]
        raise click.UsageError(
            f"what to draw is missing: vrm-synth render recipe.yaml -o {out}, or vrm-synth render my-avatars/ -o {out}"
        )
    for text in inputs:
        check_kind(text, "recipe", "avatar", "folder")
    _render(_recipe(inputs, options), **options)


@click.command()
@_recipe_options
@_dataset_options
def demo(**options: Any) -> None:
    """Render a dataset of the built-in avatar's family.

    \b
    Example:
      vrm-synth demo -o first --count 24
    """
    from vrm_synth.shot.avatar_inputs import FAMILY

    _render(_recipe((FAMILY,), options), **options)


@click.command()
@click.argument("out", metavar="DIR")
def finish(out: str) -> None:
    """Finish a dataset whose shards were made on several machines.

    Writes the table of metadata, the dataset card, the contact sheet and complete.json, when every shard is
    there. `render` does it by itself where it made the last shard.

    \b
    Example:
      vrm-synth finish out
    """
    from vrm_synth.dataset.finish import finish as finish_dataset
    from vrm_synth.dataset.finish import is_complete
    from vrm_synth.dataset.layout import SHEET
    from vrm_synth.dataset.pending import missing_shards
    from vrm_synth.io.open_store import open_store

    check_kind(out, "dataset", "folder")
    store = open_store(out)
    if missing := missing_shards(store):
        raise click.ClickException(
            f"{plural(len(missing), 'shard')} of {out} not made yet; the first is {missing[0]:05d}"
        )
    if not is_complete(store):
        finish_dataset(store)
    click.echo(f"finished: {out}/{SHEET}")


def _recipe(inputs: tuple[str, ...], options: dict[str, Any]) -> Recipe:
    """The recipe of a command's arguments; takes its options out of `options`."""
    from vrm_synth.shot import recipe_of

    changes = {name: options.pop(name) for name in ("count", "seed", "size")}
    return recipe_of(inputs, **changes, note=note)


def _render(
    recipe: Recipe,
    out: str,
    form: str,
    encoding: str,
    passes: tuple[str, ...],
    shard_size: int,
    part: tuple[int, int] | None,
    accepted: tuple[str, ...],
    skip_unusable: bool,
    manifest: Path | None,
    workers: int | None,
    renderer: RendererName,
    devices: tuple[int, ...],
    engine: str,
    ray_address: str,
    ray_gpus: float,
) -> None:
    from vrm_synth.dataset.claim import check_claimable
    from vrm_synth.dataset.layout import SHEET
    from vrm_synth.io.open_store import open_store

    if engine == "ray" and "://" not in out:
        out = os.path.abspath(out)  # an actor's working folder is another
    store = open_store(out)
    check_claimable(store)
    recipe = recipe.model_copy(update={"accept_licenses": (*recipe.accept_licenses, *accepted)})
    if engine == "ray":
        workers = how_many(workers, recipe.count)
    else:
        workers = crew(workers, recipe.count, "vrm_synth.dataset.make")  # they start while the avatars are looked at
    from vrm_synth.dataset.make import Dataset, DatasetSettings, write_metrics
    from vrm_synth.dataset.render_task import OutputFormat
    from vrm_synth.demo_avatar.avatar_source import open_avatar
    from vrm_synth.execution.process_pool import work
    from vrm_synth.licensing.evidence import known_evidence

    settings = DatasetSettings(
        OutputFormat(form, encoding, passes), shard_size, renderer, devices, known_evidence(manifest),
        mips=mip_folder(), skip_unusable=skip_unusable,
    )  # fmt: skip
    with bar(len(set(recipe.avatars)), "avatars") as shown:
        dataset = Dataset(recipe, store, open_avatar, settings, shown.update, note)
    first, of = part or (0, 1)
    missing = dataset.missing()
    blocks = [block for block in missing if block % of == first]
    others = [block for block in missing if block % of != first]
    with bar(sum(len(dataset.plan.shots(b)) for b in blocks), "images") as shown:
        if engine == "ray":
            from vrm_synth.dataset.ray_blocks import make
            from vrm_synth.execution.ray_cluster import Cluster

            progress = make(dataset, blocks, workers, Cluster(ray_address, devices, ray_gpus), shown.update, note)
        else:
            progress = dataset.make(blocks, functools.partial(work, workers=workers), shown.update, note)
    if blocks:
        write_metrics(store, progress, workers)
    said = f"{plural(progress.pictures, 'picture')} in {out}" if blocks else f"nothing was missing in {out}"
    if progress.quarantined:
        said += f", {progress.quarantined} quarantined"
    if dataset.finish(others):  # which somebody else may have made meanwhile
        click.echo(f"{said}; a look at them: {out}/{SHEET}")
    else:
        click.echo(f"{said}; other shards are missing: when they are there, vrm-synth finish {out}")
