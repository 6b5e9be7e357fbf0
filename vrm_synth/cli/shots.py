"""`vrm-synth shots`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vrm_synth import resources
from vrm_synth.cli.common import (
    Choice,
    bar,
    crew,
    mip_folder,
    note,
    out_folder,
    plural,
    renderer_options,
    workers_option,
)
from vrm_synth.cli.hints import expect

if TYPE_CHECKING:
    from vrm_synth.render import Compat

SHORTEST_SHOT = 150  # bytes of JSON, about
NEEDED = "vrm_synth.dataset.hand"  # by workers


@click.command()
@click.argument("shots_file", metavar="SHOTS", type=click.Path(path_type=Path))
@out_folder("Where the answers go; made when missing, answers there are overwritten.")
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
    ctx: click.Context, shots_file: Path, out: Path, workers: int | None, compat: Compat, renderer: str, device: int
) -> None:
    """Render an explicit list of shots.

    SHOTS is a JSON list of shots, or a dataset's metadata.jsonl. Each shot is answered with <id>.png and
    <id>.json (bone positions, expressions, gaze, draw order, warnings). A shot that fails gets an <id>.json
    with "error", the others go on, and the exit status is 1. Avatar paths are relative to SHOTS. Licences
    are printed, not judged.

    \b
    Examples:
      vrm-synth shots shots.json -o answers
      vrm-synth shots shots.json -o answers --workers 8
      vrm-synth shots first/metadata.jsonl -o again     the same bytes as first/images
    """
    expect(str(shots_file), "shots", "dataset", "folder")
    # Workers start while the list is read; how many shots a file of so many bytes holds at most is known before.
    crew(workers, shots_file.stat().st_size // SHORTEST_SHOT, NEEDED)
    from vrm_synth.dataset.answers import Answering, Done, answer_shots
    from vrm_synth.dataset.shotlist import read_shots

    listed = read_shots(shots_file)
    task = Answering(
        out=out, base=shots_file.parent, renderer=renderer, device=device, compat=compat, mips=mip_folder()
    )
    failed, told = 0, set()
    with bar(len(listed), "images") as shown:
        for event in answer_shots(listed, task, crew(workers, len(listed), NEEDED)):
            if isinstance(event, Done):
                shown.update()
                if event.error:
                    failed += 1
                    note(f"Error: {event.error}")
            elif event.source not in told:
                told.add(event.source)
                note(f"{event.source}: licence {event.licence or 'not named'}{_beyond(event.sha256)}")
    click.echo(f"{plural(len(listed) - failed, 'picture')} in {out}" + (f", {failed} failed" if failed else ""))
    if failed:
        ctx.exit(1)


def _beyond(sha256: str) -> str:
    """What the manifest says of a file. Its entry alone is read: reading all of it takes a tenth of a second of a core
    that could draw."""
    text = resources.file(resources.MANIFEST).read_text("utf-8")
    start = text.find(f"  - sha256: {sha256}\n")
    if start < 0:
        return ""
    import yaml

    end = text.find("\n\n", start)
    (entry,) = yaml.safe_load(text[start : end if end >= 0 else len(text)])
    return f"; {entry['licence']} by {entry['evidence']}"
