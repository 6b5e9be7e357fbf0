"""`vrm-synth inspect`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vrm_synth.cli.common import OutFile, bar, note, renderer_options
from vrm_synth.cli.suggestions import command_for
from vrm_synth.core.errors import AvatarError, VrmSynthError

if TYPE_CHECKING:
    from vrm_synth.parts import PartOverrides
    from vrm_synth.vrm import Avatar


@click.command()
@click.argument("sources", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object per file.")
@click.option(
    "--render",
    "picture",
    type=OutFile(".png"),
    metavar="PNG",
    help="Also render a contact sheet of the FILE: a turntable, every expression that it has, and its parts.",
)
@renderer_options
@click.pass_context
def inspect(
    ctx: click.Context, sources: tuple[str, ...], as_json: bool, picture: Path | None, renderer: str, device: int
) -> None:
    """Report what avatar files contain: version, license, bones, expressions, materials, springs,
    oddities, and which parts (hair, skin, garments) its surface is taken for, and why.

    FILE is a VRM file, or demo for the built-in avatar (demo:3 for a variant). For a file that cannot be read one line
    is printed, the others are still reported, and the exit status is 1.

    \b
    Examples:
      vrm-synth inspect avatar.vrm
      vrm-synth inspect avatars/*.vrm --json | jq '.[] | [.source, .license.name]'
      vrm-synth inspect avatar.vrm --render avatar.png
    """
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.licensing.evidence import load_evidence
    from vrm_synth.parts import label_parts
    from vrm_synth.parts.parts_report import format_parts, parts_report
    from vrm_synth.vrm.report import avatar_report, format_report

    evidence = load_evidence()
    if picture is not None and len(sources) > 1:
        raise click.UsageError("--render takes one FILE")
    reports: list[dict[str, Any]] = []
    failed = False
    for source in sources:
        try:
            if message := command_for(source, "avatar"):
                raise AvatarError(message)
            avatar = open_avatar(source)
            facts = avatar_report(avatar)
            entry = evidence.get(facts["sha256"])
            overrides = entry.parts if entry else None
            facts["evidence"] = entry and entry.model_dump(mode="json", exclude={"sha256", "parts"})
            facts["parts"] = parts_report(label_parts(avatar, overrides))
        except (VrmSynthError, OSError) as e:
            failed = True
            reports.append({"source": source, "error": str(e)})
            click.echo(f"Error: {e}", err=True)
            continue
        if not as_json:
            click.echo(("\n" if reports else "") + format_report(facts))
            if facts["parts"]:
                click.echo(format_parts(facts["parts"]))
            if entry:
                click.echo(f"evidence: {entry.license} by {entry.evidence}: {entry.quote}")
        reports.append(facts)
        if picture is not None:
            _draw(avatar, overrides, picture, renderer, device)
    if as_json:
        click.echo(json.dumps(reports, ensure_ascii=False, indent=1))
    if failed:
        ctx.exit(1)


def _draw(avatar: Avatar, overrides: PartOverrides | None, picture: Path, renderer: str, device: int) -> None:
    from PIL import Image

    from vrm_synth.dataset.preset_sheets import SIZE, TURN, faces, sheet, turntable_cells
    from vrm_synth.io.atomic_files import write_file
    from vrm_synth.io.contact_sheet import SheetCell
    from vrm_synth.parts.parts_report import part_pictures
    from vrm_synth.render import open_backend

    cells = []
    total = len(TURN) + len(faces(avatar))
    with contextlib.closing(open_backend(renderer, device)) as backend, bar(total, "images") as shown:
        for cell in turntable_cells(backend, avatar):
            cells.append(cell)
            shown.update()
    for title, text, pixels in part_pictures(avatar, overrides, SIZE[0]):
        cells.append(SheetCell(Image.fromarray(pixels), text, title=title))
    name = avatar.meta.name or avatar.source
    write_file(picture, sheet(f"{name}, with {len(faces(avatar))} expressions", cells, columns=len(TURN)))
    note(str(picture))  # to stderr: stdout may be JSON
