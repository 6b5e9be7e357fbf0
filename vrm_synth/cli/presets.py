"""`vrm-synth poses` and `vrm-synth cameras`: what the named presets are and how they look."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vrm_synth.cli.common import Commands, OutFile, bar, plural, renderer_options
from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean

if TYPE_CHECKING:
    from vrm_synth.io.contact_sheet import SheetCell
    from vrm_synth.render import RenderBackend
    from vrm_synth.vrm import Avatar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Draw = Callable[["RenderBackend", "Avatar"], "Iterator[SheetCell]"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
names_argument = click.argument("names", metavar="[NAME]...", nargs=-1)


def sheet_options(default: str) -> Callable[[F], F]:
    """Add the options -o FILE, --avatar, and those of the renderer."""

    def decorate(command: F) -> F:
        command = renderer_options(command)
        command = click.option(
            "--avatar",
            default="demo",
            show_default=True,
            metavar="FILE",
            help="The avatar to show: a VRM file, demo or demo:N.",
        )(command)
        path = OutFile(".png")
        return click.option(
            "-o", "--out", default=default, show_default=True, type=path, metavar="FILE", help="The sheet, a PNG."
        )(command)

    return decorate


@click.group(cls=Commands)
def poses() -> None:
    """The named poses."""


@poses.command("list")
@json_option
def list_poses(as_json: bool) -> None:
    """List the named poses: what a caption may say of each, and its tags."""
    from vrm_synth.pose.pose_library import load_poses

    library = load_poses().values()
    if as_json:
        facts = [
            {
                "name": p.name,
                "says": [x.text for x in p.phrases],
                "tags": list(p.tags),
                "symmetric": p.symmetric,
                "bones": {bone: list(q) for bone, q in p.bones.items()},
                "hips": list(p.hips),
            }
            for p in library
        ]
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    _table((p.name, p.phrases[0].text, ", ".join(p.tags)) for p in library)


@poses.command("show")
@names_argument
@click.option("--view", default="full_front_level", show_default=True, help="A view of `vrm-synth cameras list`.")
@sheet_options("poses.png")
def show_poses(names: tuple[str, ...], view: str, out: Path, avatar: str, renderer: str, device: int) -> None:
    """Draw a contact sheet of the named poses, or of some of them, or of your own.

    NAME is one of `vrm-synth poses list`, or a pose's YAML file.

    \b
    Examples:
      vrm-synth poses show -o poses.png
      vrm-synth poses show wave peace salute -o three.png --avatar my.vrm --view bust_front_level
      vrm-synth poses show my/poses/*.yaml -o mine.png
    """
    from vrm_synth.dataset.preset_sheets import pose_cells
    from vrm_synth.pose.pose_files import find_pose
    from vrm_synth.pose.pose_library import load_poses

    chosen = [find_pose(name) for name in names] or list(load_poses().values())
    _show(
        f"{plural(len(chosen), 'pose')}, seen {view.replace('_', ' ')}",
        len(chosen),
        lambda r, a: pose_cells(r, a, chosen, view),
        columns=8,
        out=out,
        avatar=avatar,
        renderer=renderer,
        device=device,
    )


@click.group(cls=Commands)
def cameras() -> None:
    """The named views: a crop of the body, an azimuth and an elevation."""


@cameras.command("list")
@json_option
def list_cameras(as_json: bool) -> None:
    """List the named views, CROP_AZIMUTH_ELEVATION; left and right are the avatar's own."""
    from vrm_synth.camera.views import load_azimuths, load_crops, load_elevations, load_views

    if as_json:
        facts = [
            {
                "name": v.name,
                "crop": v.crop_name,
                "azimuth": v.azimuth.degrees,
                "elevation": v.elevation.degrees,
                "down_to": v.crop.down_to,
                "margins": list(v.crop.margins),
            }
            for v in load_views().values()
        ]
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    rows: list[tuple[str, ...]] = [("CROP", name, c.about, "") for name, c in load_crops().items()]
    rows += [("AZIMUTH", name, a.about, f"{a.degrees:g}°") for name, a in load_azimuths().items()]
    rows += [("ELEVATION", name, e.about, f"{e.degrees:g}°") for name, e in load_elevations().items()]
    _table(rows)
    example = next(iter(load_views()))
    click.echo(f"\n{len(load_views())} views, each named by its three parts: {example}")


@cameras.command("show")
@names_argument
@click.option("--pose", default="stand", show_default=True, help="A pose of `vrm-synth poses list`.")
@sheet_options("cameras.png")
def show_cameras(names: tuple[str, ...], pose: str, out: Path, avatar: str, renderer: str, device: int) -> None:
    """Draw a contact sheet of the named views, or of some of them.

    \b
    Examples:
      vrm-synth cameras show -o cameras.png
      vrm-synth cameras show face_front_level full_back_high -o two.png --avatar my.vrm
    """
    from vrm_synth.camera.views import load_elevations, load_views
    from vrm_synth.dataset.preset_sheets import view_cells

    chosen = _chosen(names, load_views(), "view")
    _show(
        f"{plural(len(chosen), 'view')} of {pose.replace('_', ' ')}",
        len(chosen),
        lambda r, a: view_cells(r, a, chosen, pose),
        columns=3 * len(load_elevations()),
        out=out,
        avatar=avatar,
        renderer=renderer,
        device=device,
    )


def _show(
    title: str, count: int, draw: Draw, *, columns: int, out: Path, avatar: str, renderer: str, device: int
) -> None:
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.dataset.preset_sheets import sheet
    from vrm_synth.io.atomic_files import write_file
    from vrm_synth.render import open_backend

    subject = open_avatar(avatar)
    cells = []
    with contextlib.closing(open_backend(renderer, device)) as backend, bar(count, "images") as shown:
        for cell in draw(backend, subject):
            cells.append(cell)
            shown.update()
    write_file(out, sheet(title, cells, columns))
    click.echo(out)


def _chosen(names: Sequence[str], known: Mapping[str, T], kind: str) -> list[T]:
    for name in names:
        if name not in known:
            raise RecipeError(f"no such {kind}{did_you_mean(name, known)}", got=name, allowed=", ".join(known))
    return [known[name] for name in names] or list(known.values())


def _table(rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> None:
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip())
