"""`vrm-synth render` and `vrm-synth demo`: datasets."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from vrm_synth.cli.common import bar, crew, out_folder, plural, renderer_options, workers_option

if TYPE_CHECKING:
    from vrm_synth.render import RendererName
    from vrm_synth.shot import Recipe

F = TypeVar("F", bound=Callable[..., object])


class Range(click.ParamType):
    """A:B, shots A up to but without B; either may be left out."""

    name = "A:B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int | None]:
        found = re.fullmatch(r"(\d{0,12}):(\d{0,12})", str(value))
        if not found:
            self.fail(f"{value!r} is not A:B, two shot numbers.", param, ctx)
        return int(found[1] or 0), int(found[2]) if found[2] else None


def _dataset_options(command: F) -> F:
    options = (
        out_folder("The dataset's folder: new, empty, or one that the same recipe began."),
        click.option("--only", type=Range(), help="Render shots A up to but without B, and add them to the folder."),
        click.option(
            "--accept-licence",
            "accepted",
            multiple=True,
            metavar="NAME",
            help="Take avatars under this licence, too, by the name that inspect prints; may be repeated.",
        ),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Your own licence evidence, in the form of assets_manifest.yaml.",
        ),
        workers_option,
        renderer_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("recipe_file", metavar="RECIPE", type=click.Path(path_type=Path))
@_dataset_options
def render(
    recipe_file: Path,
    out: Path,
    only: tuple[int, int | None] | None,
    accepted: tuple[str, ...],
    manifest: Path | None,
    workers: int | None,
    renderer: RendererName,
    device: int,
) -> None:
    """Render a dataset from a recipe.

    RECIPE is a YAML file. The smallest one has three keys, paths being relative to the recipe:

    \b
        avatars: [avatars/*.vrm, demo]
        count: 100
        seed: 1

    Shot i depends on the recipe and i alone. Any part of a dataset can be rendered at any time, in any order,
    by any number of workers, and gives the same bytes on the same driver. Avatars that are not CC0, by their
    own metadata or by the manifest's evidence, are refused unless you name the licence that you accept.

    \b
    Examples:
      vrm-synth render recipe.yaml -o out
      vrm-synth render recipe.yaml -o out --only 0:1000
      vrm-synth render recipe.yaml -o out --accept-licence "VRM Public License 1.0"
    """
    from vrm_synth.shot import load_recipe

    _render(load_recipe(recipe_file), out, only, accepted, manifest, workers, renderer, device)


@click.command()
@_dataset_options
@click.option(
    "--count", default=24, show_default=True, type=click.IntRange(1, 1_000_000_000), help="How many pictures."
)
@click.option("--seed", default=0, show_default=True, type=int, help="Another seed, other pictures.")
@click.option("--size", default=512, show_default=True, type=click.IntRange(16, 8192), help="Pixels of a side.")
def demo(
    out: Path,
    only: tuple[int, int | None] | None,
    accepted: tuple[str, ...],
    manifest: Path | None,
    workers: int | None,
    renderer: RendererName,
    device: int,
    count: int,
    seed: int,
    size: int,
) -> None:
    """Render a dataset of the built-in avatar's family.

    \b
    Example:
      vrm-synth demo -o first --count 24
    """
    from vrm_synth.shot import builtin_recipe

    _render(builtin_recipe(count, seed, size), out, only, accepted, manifest, workers, renderer, device)


def _render(
    recipe: Recipe,
    out: Path,
    only: tuple[int, int | None] | None,
    accepted: tuple[str, ...],
    manifest: Path | None,
    workers: int | None,
    renderer_name: RendererName,
    device: int,
) -> None:
    from vrm_synth.avatar import open_avatar
    from vrm_synth.avatar.assets import known_evidence
    from vrm_synth.dataset.imagefolder import SHEET
    from vrm_synth.dataset.make import Dataset
    from vrm_synth.render import open_renderer

    first, end = only or (0, None)
    end = recipe.count if end is None else end
    if not first < end <= recipe.count:
        raise click.UsageError(f"--only {first}:{end} is not within the recipe's shots, 0:{recipe.count}.")
    recipe = recipe.model_copy(update={"accept_licences": (*recipe.accept_licences, *accepted)})
    workers = crew(workers, end - first)  # they start while the avatars are looked at
    evidence = known_evidence(manifest)
    with bar(len(set(recipe.avatars)), "avatars") as shown:
        dataset = Dataset(recipe, out, evidence, open_avatar, renderer_name, device, shown.update)
    with bar(end - first, "images") as shown:
        if workers > 1:
            dataset.render_with_workers(workers, range(first, end), shown.update)
        else:
            with contextlib.closing(open_renderer(renderer_name, device)) as renderer:
                dataset.render(renderer, range(first, end), shown.update)
    click.echo(f"{plural(end - first, 'picture')} in {out}; a look at them: {out / SHEET}")
