"""`vrm-synth inspect`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vrm_synth.cli.common import OutFile, bar, note, renderer_options
from vrm_synth.cli.suggestions import misplaced
from vrm_synth.core.errors import AvatarError, VrmSynthError

if TYPE_CHECKING:
    from vrm_synth.vrm import Avatar


@click.command()
@click.argument("sources", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object a file.")
@click.option(
    "--render",
    "picture",
    type=OutFile(".png"),
    metavar="PNG",
    help="Also draw a contact sheet of the one FILE: once around, and every expression that it really has.",
)
@renderer_options
@click.pass_context
def inspect(
    ctx: click.Context, sources: tuple[str, ...], as_json: bool, picture: Path | None, renderer: str, device: int
) -> None:
    """Say what avatar files hold: version, license, bones, expressions, materials, springs, oddities.

    FILE is a VRM file, or demo for the built-in avatar (demo:3 for another of its family). A file that cannot
    be read gets its one line, the others go on, and the exit status is 1.

    \b
    Examples:
      vrm-synth inspect avatar.vrm
      vrm-synth inspect avatars/*.vrm --json | jq '.[] | [.source, .license.name]'
      vrm-synth inspect avatar.vrm --render avatar.png
    """
    from vrm_synth.demo_avatar.avatar_source import open_avatar
    from vrm_synth.licensing.evidence import load_evidence
    from vrm_synth.vrm.report import avatar_report, format_report

    evidence = load_evidence()
    if picture is not None and len(sources) > 1:
        raise click.UsageError("--render takes one FILE")
    facts: list[dict[str, Any]] = []
    failed = False
    for source in sources:
        try:
            if complaint := misplaced(source, "avatar"):
                raise AvatarError(complaint)
            avatar = open_avatar(source)
            found = avatar_report(avatar)
            entry = evidence.get(found["sha256"])
            found["evidence"] = entry and entry.model_dump(mode="json", exclude={"sha256"})
        except (VrmSynthError, OSError) as e:
            failed = True
            facts.append({"source": source, "error": str(e)})
            click.echo(f"Error: {e}", err=True)
            continue
        if not as_json:
            click.echo(("\n" if facts else "") + format_report(found))
            if entry:
                click.echo(f"evidence: {entry.license} by {entry.evidence}: {entry.quote}")
        facts.append(found)
        if picture is not None:
            _draw(avatar, picture, renderer, device)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    if failed:
        ctx.exit(1)


def _draw(avatar: Avatar, picture: Path, renderer: str, device: int) -> None:
    from vrm_synth.dataset.preset_sheets import TURN, faces, sheet, turntable_cells
    from vrm_synth.io.atomic_files import write_file
    from vrm_synth.render import open_renderer

    cells = []
    total = len(TURN) + len(faces(avatar))
    with contextlib.closing(open_renderer(renderer, device)) as drawing, bar(total, "images") as shown:
        for cell in turntable_cells(drawing, avatar):
            cells.append(cell)
            shown.update()
    name = avatar.meta.name or avatar.source
    write_file(picture, sheet(f"{name}, with {len(faces(avatar))} expressions", cells, columns=len(TURN)))
    note(str(picture))  # on stderr, so that --json stays JSON
