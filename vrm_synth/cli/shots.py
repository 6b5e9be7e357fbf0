"""`vrm-synth shots`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vrm_synth.cli.common import (
    Choice,
    bar,
    mip_folder,
    note,
    out_folder,
    plural,
    renderer_options,
    workers_option,
)
from vrm_synth.cli.suggestions import check_kind
from vrm_synth.execution.worker_environment import start_worker_server
from vrm_synth.yaml_models import resources

if TYPE_CHECKING:
    from vrm_synth.dataset.shot_list.reader import ListedShot, Size
    from vrm_synth.render import Compat


class PictureSize(click.ParamType):
    """SIDE, the longer one, or WIDTHxHEIGHT, pixels."""

    name = "SIDE|WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        from vrm_synth.core.limits import MAX_IMAGE_SIDE

        match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", str(value))
        sides = [int(n) for n in match.groups() if n is not None] if match else []
        if not sides or not all(1 <= side <= MAX_IMAGE_SIDE for side in sides):
            self.fail(f"{value!r} is neither a side nor WIDTHxHEIGHT, of 1 to {MAX_IMAGE_SIDE} pixels.", param, ctx)
        return sides[0] if len(sides) == 1 else (sides[0], sides[1])


MIN_SHOT_BYTES = 150  # approximate size of the shortest shot in JSON
WORKER_MODULES = "vrm_synth.dataset.shot_list.render_list"  # imported by the worker server


@click.command()
@click.argument("source", metavar="SHOTS|DATASET")
@out_folder("Where the answers go; made when missing, answers there are overwritten.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="This shot alone; may be repeated.")
@click.option(
    "--size",
    type=PictureSize(),
    help="Pixels of the longer side, the shot's proportions kept, or WIDTHxHEIGHT.  [default: the shot's own]",
)
@workers_option
@click.option(
    "--compat",
    default="none",
    show_default=True,
    type=Choice(["none", "three-vrm"]),
    help="three-vrm: draw as that renderer does where it differs from the specifications, to compare pictures.",
)
@renderer_options
@click.pass_context
def shots(
    ctx: click.Context,
    source: str,
    out: Path,
    ids: tuple[str, ...],
    size: Size | None,
    workers: int | None,
    compat: Compat,
    renderer: str,
    device: int,
) -> None:
    """Render an explicit list of shots, or pictures of a dataset again.

    SHOTS is a JSON list of shots (docs/shots.md), or JSON lines that hold one each; DATASET is the folder or URL of a
    dataset of any format, whose ids are its pictures' keys. Each shot is answered with <id>.png and
    <id>.json (bone positions, expressions, gaze, draw order, warnings). A shot that fails gets an <id>.json
    with "error", the others go on, and the exit status is 1. Avatar paths are relative to SHOTS; those of a
    DATASET are the files that it was made from. Licenses are printed, not checked.

    \b
    Examples:
      vrm-synth shots shots.json -o answers
      vrm-synth shots shots.json -o answers --workers 8
      vrm-synth shots out --id 000003 -o again                  the same bytes
      vrm-synth shots out --id 000003 --size 2048 -o again      the same picture, larger
    """
    check_kind(source, "shots", "dataset", "folder")
    shots, base = _load_shots(source, ids, workers)
    from vrm_synth.dataset.shot_list.answers import ShotAnswer
    from vrm_synth.dataset.shot_list.shot_list_task import ShotListTask, answer_shots

    shots = [replace(entry, size=size) for entry in shots]
    task = ShotListTask(out=out, base=base, renderer=renderer, device=device, compat=compat, mips=mip_folder())
    failed, reported = 0, set()
    with bar(len(shots), "images") as shown:
        for event in answer_shots(shots, task, start_worker_server(workers, len(shots), WORKER_MODULES)):
            if isinstance(event, ShotAnswer):
                shown.update()
                if event.error:
                    failed += 1
                    note(f"Error: {event.error}")
            elif event.source not in reported:
                reported.add(event.source)
                note(f"{event.source}: license {event.license or 'not named'}{_manifest_license(event.sha256)}")
    click.echo(f"{plural(len(shots) - failed, 'picture')} in {out}" + (f", {failed} failed" if failed else ""))
    if failed:
        ctx.exit(1)


def _load_shots(source: str, ids: tuple[str, ...], workers: int | None) -> tuple[list[ListedShot], Path]:
    """Load the shots; return them and the folder that relative avatar paths are resolved against."""
    path = Path(source)
    if "://" in source or path.is_dir():
        from vrm_synth.dataset.shot_list.shot_lookup import dataset_shots
        from vrm_synth.io.open_store import open_store

        return dataset_shots(open_store(source), ids), Path()
    # The worker server starts while the list is read. The file's size gives an upper bound on its number of shots.
    start_worker_server(workers, len(ids) or path.stat().st_size // MIN_SHOT_BYTES, WORKER_MODULES)
    from vrm_synth.dataset.shot_list.reader import read_shots, select

    shots = read_shots(path)
    return (select(shots, ids) if ids else shots), path.parent


def _manifest_license(sha256: str) -> str:
    """The license of a file in the manifest, as text; "" where it has none.

    Only its entry is parsed: parsing the whole manifest takes 0.1 s of a core that could render.
    """
    text = resources.file(resources.MANIFEST).read_text("utf-8")
    start = text.find(f"  - sha256: {sha256}\n")
    if start < 0:
        return ""
    import yaml

    end = text.find("\n\n", start)
    (entry,) = yaml.safe_load(text[start : end if end >= 0 else len(text)])
    return f"; {entry['license']} by {entry['evidence']}"
