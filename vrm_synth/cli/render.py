"""`vrm-synth render` and `vrm-synth demo`: datasets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from vrm_synth.cli.common import Choice, bar, mip_folder, note, plural, renderer_option, workers_option
from vrm_synth.cli.suggestions import check_kind
from vrm_synth.core.passes import CONDITIONING, PASSES
from vrm_synth.io.file_names import SHARD_FORMATS

if TYPE_CHECKING:
    from tqdm import tqdm

    from vrm_synth.shot import Recipe

F = TypeVar("F", bound=Callable[..., object])


class JobIndex(click.ParamType):
    """I/N: job I of the N that share the work."""

    name = "I/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value))
        if not match or not int(match[1]) < int(match[2]):
            self.fail(f"{value!r} is not I/N with I from 0 to N - 1.", param, ctx)
        return int(match[1]), int(match[2])


class Devices(click.ParamType):
    """0,1,3: indices of EGL devices."""

    name = "N,N,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", str(value)):
            self.fail(f"{value!r} is not a device's number, or several with commas.", param, ctx)
        return tuple(int(n) for n in str(value).split(","))


def _worker_options(command: F) -> F:
    """Options of the workers: processes, devices, Ray."""
    options = (
        workers_option,
        click.option(
            "--device",
            "devices",
            default="0",
            show_default=True,
            type=Devices(),
            help="Index of the EGL device that draws; 0,1 spreads the workers over two.",
        ),
        renderer_option,
        click.option(
            "--engine",
            default="local",
            show_default=True,
            type=Choice(["local", "ray"]),
            help="Workers: processes of this machine, or Ray's actors (needs vrm-synth[ray]).",
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


def _dataset_options(command: F) -> F:
    """Options of the dataset: its files, its folder, its avatars."""
    command = _worker_options(command)
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
            "shard_format",
            default="imagefolder",
            show_default=True,
            type=Choice(SHARD_FORMATS),
            help="Format of shards: folders of pictures, tar files, or Parquet files.",
        ),
        click.option(
            "--encoding",
            default="png",
            show_default=True,
            type=Choice(["png", "webp", "webp-lossy", "jpeg", "jxl"]),
            help="Format of pictures; webp and jxl are lossless.",
        ),
        click.option(
            "--pass",
            "passes",
            multiple=True,
            type=Choice(list(PASSES)),
            help="A file of ground truth beside each picture, in addition to the recipe's; may be repeated.",
        ),
        click.option(
            "--conditioning",
            type=Choice(list(CONDITIONING)),
            help="Add conditioning_image to each picture, for training a ControlNet.",
        ),
        click.option(
            "--annotations", is_flag=True, help="Add keypoints, boxes, head and gaze to each row, and write coco.json."
        ),
        click.option(
            "--shard-size", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Shots per shard."
        ),
        click.option(
            "--shard",
            type=JobIndex(),
            help="Make the shards of job I of N (0/4 to 3/4), and no more; then vrm-synth finish DIR, once.",
        ),
        click.option(
            "--accept-license",
            "accepted",
            multiple=True,
            metavar="NAME",
            help="Accept avatars under this license, too, by the name that inspect prints or its URL; may be repeated.",
        ),
        click.option(
            "--skip-unusable",
            is_flag=True,
            help="Go on without avatars that cannot be read or whose license is not accepted; each is reported.",
        ),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Your own license evidence, in the form of assets_manifest.yaml.",
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
    shows nothing is drawn again, and reported where that does not help. Avatars that are not CC0, by their own
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
    from vrm_synth.dataset.shards.pending import missing_shards
    from vrm_synth.io.file_names import CONTACT_SHEET
    from vrm_synth.io.open_store import open_store

    check_kind(out, "dataset", "folder")
    store = open_store(out)
    if missing := missing_shards(store):
        raise click.ClickException(
            f"{plural(len(missing), 'shard')} of {out} not made yet; the first is {missing[0]:05d}"
        )
    if not is_complete(store):
        finish_dataset(store)
    click.echo(f"finished: {out}/{CONTACT_SHEET}")


def _recipe(inputs: tuple[str, ...], options: dict[str, Any]) -> Recipe:
    """The recipe of a command's arguments; takes its options out of `options`."""
    from vrm_synth.shot import recipe_of

    changes = {name: options.pop(name) for name in ("count", "seed", "size")}
    return recipe_of(inputs, **changes, note=note)


def _render(recipe: Recipe, out: str, **options: Any) -> None:
    """Render into `out` with bars on stderr; one line on stdout says what was made."""
    from vrm_synth.dataset.render_dataset import render_missing
    from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
    from vrm_synth.io.file_names import CONTACT_SHEET

    ray = None
    if options["engine"] == "ray":
        from vrm_synth.execution.ray_cluster import Cluster

        ray = Cluster(options["ray_address"], options["devices"], options["ray_gpus"])
    accepted = (*recipe.accept_licenses, *options["accepted"])
    settings = DatasetSettings(
        OutputFormat(options["shard_format"], options["encoding"]),
        options["shard_size"],
        options["renderer"],
        options["devices"],
        license_manifest=options["manifest"],
        mips=mip_folder(),
        skip_unusable=options["skip_unusable"],
    )
    with ProgressBars() as bars:
        report = render_missing(
            recipe.model_copy(update={"accept_licenses": accepted, **_ground_truth(recipe, options)}),
            out,
            workers=options["workers"],
            shard=options["shard"],
            settings=settings,
            ray=ray,
            progress=bars.show,
            note=note,
        )
    text = f"{plural(report.progress.pictures, 'picture')} in {out}" if report.made else f"nothing was missing in {out}"
    if report.progress.quarantined:
        text += f", {report.progress.quarantined} quarantined"
    if report.finished:
        click.echo(f"{text}; a look at them: {out}/{CONTACT_SHEET}")
    else:
        click.echo(f"{text}; other shards are missing: when they are there, vrm-synth finish {out}")


def _ground_truth(recipe: Recipe, options: dict[str, Any]) -> dict[str, Any]:
    """Fields of the recipe: its own passes and annotations, and those that options add."""
    return {
        "passes": tuple(dict.fromkeys((*recipe.passes, *options["passes"]))),
        "conditioning": options["conditioning"] or recipe.conditioning,
        "annotations": options["annotations"] or recipe.annotations,
    }


class ProgressBars:
    """One progress bar after another on stderr, each for one stage of a run."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how many of a stage are done; the first call of a stage opens its bar."""
        if stage != self._stage:
            self._close()
            self._stage, self._bar = stage, bar(total, stage)
        assert self._bar is not None
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
