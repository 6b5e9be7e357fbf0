"""`vrm-synth verify`."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from vrm_synth.cli.common import Choice, bar, device_option, note, plural, workers_option
from vrm_synth.cli.suggestions import check_kind
from vrm_synth.core.errors import RenderError

if TYPE_CHECKING:
    from vrm_synth.dataset.verify.checks import VerifyReport
    from vrm_synth.io.store import Store

REDRAWN = 16  # shots, where not said
SHOWN = 20  # faults, and groups of near-duplicates


@click.command()
@click.argument("dataset", metavar="DIR")
@click.option("--repair", "repairing", is_flag=True, help="Remove what is broken and make it again, and nothing else.")
@click.option(
    "--redraw",
    type=click.IntRange(min=0),
    metavar="N",
    help="Draw N shots again and compare: to the pixel on the driver that drew them, elsewhere within a tolerance."
    f"  [default: {REDRAWN}, where this machine draws]",
)
@click.option(
    "--near/--no-near",
    default=None,
    help="Look for pictures that look the same.  [default: where ImageHash is installed: vrm-synth[tables]]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workers_option
@device_option
@click.option("--renderer", type=Choice(["gl", "pyrender"]), help="[default: the one that drew the dataset]")
@click.pass_context
def verify(
    ctx: click.Context,
    dataset: str,
    repairing: bool,
    redraw: int | None,
    near: bool | None,
    as_json: bool,
    workers: int | None,
    renderer: str | None,
    device: int,
) -> None:
    """Hold a dataset to its records and its recipe.

    Every file is hashed, every picture decoded, every record and caption checked; a sample of the shots is drawn
    again. Pictures that look the same are told of, and are no fault; nor is what cannot be looked at here, for want
    of an optional library or of OpenGL. The exit status is 1 where there are faults, and none is left unrepaired.

    \b
    Examples:
      vrm-synth verify out
      vrm-synth verify out --repair
      vrm-synth verify out --redraw 0 --no-near --workers 8    hashes, pictures and records alone
    """
    from vrm_synth.io.open_store import open_store

    check_kind(dataset, "dataset", "folder")
    store = open_store(dataset)
    found = _verified(store, redraw, near, workers, renderer, device)
    if as_json:
        click.echo(json.dumps(_facts(found), ensure_ascii=False, indent=1))
    else:
        _tell(found)
    if found.faults and repairing:
        _repair(store, found, workers, device)
        found = _verified(store, 0, False, workers, renderer, device)
        for fault in found.faults[:SHOWN]:
            note(f"Error: still wrong: {fault}")
    if found.faults:
        ctx.exit(1)


def _verified(
    store: Store, redraw: int | None, near: bool | None, workers: int | None, renderer: str | None, device: int
) -> VerifyReport:
    """redraw, near, renderer: None is as much as this machine can, and what it cannot is noted."""
    from vrm_synth.dataset.avatar_cache import AvatarCache
    from vrm_synth.dataset.layout import read_identity
    from vrm_synth.dataset.render_task import home_of, source_from
    from vrm_synth.dataset.verify.checks import verify as check
    from vrm_synth.dataset.verify.expected import expectation
    from vrm_synth.dataset.verify.near_duplicates import library
    from vrm_synth.demo_avatar.avatar_source import open_avatar
    from vrm_synth.render import open_renderer

    told = read_identity(store)
    if near:
        library()
    lacking = ""
    renderer = renderer or told["recipe"].get("renderer", "gl")
    blocks, home = expectation(told).blocks, home_of(store, told["recipe"]["format"])
    crew = min(workers or len(os.sched_getaffinity(0)), blocks)
    with contextlib.ExitStack() as stack:
        drawing = None
        try:
            if redraw != 0:
                drawing = stack.enter_context(contextlib.closing(open_renderer(renderer, device)))
        except RenderError as e:
            if redraw is not None:
                raise
            lacking = str(e)
        shown = stack.enter_context(bar(blocks, "shards"))
        found = check(
            store,
            workers=crew,
            near=near is not False,
            redraw=REDRAWN if redraw is None else redraw,
            renderer=drawing,
            open_avatar=AvatarCache(lambda name: open_avatar(source_from(home, name))),
            done=shown.update,
        )
    return replace(found, undrawable=(*found.undrawable, lacking)) if lacking else found


def _repair(store: Store, found: VerifyReport, workers: int | None, device: int) -> None:
    from vrm_synth.dataset.verify.repair import remake

    with bar(len(found.broken), "shards") as shown:
        remake(store, found, workers or 1, device, shown.update, note)
    click.echo(f"{plural(len(found.broken), 'shard')} made again", err=True)


def _tell(found: VerifyReport) -> None:
    for fault in found.faults[:SHOWN]:
        click.echo(f"- {fault}")
    if len(found.faults) > SHOWN:
        click.echo(f"- and {len(found.faults) - SHOWN} more")
    for group in found.near[:SHOWN]:
        click.echo(f"look the same: {', '.join(group[:8])}{' …' * (len(group) > 8)}")
    if len(found.near) > SHOWN:
        click.echo(f"and {len(found.near) - SHOWN} more groups that look the same")
    for why in found.undrawable[:SHOWN]:
        click.echo(f"not drawn again: {why}")
    for what in found.unchecked:
        click.echo(f"not checked: {what}")
    drawn = f", {found.redrawn} drawn again" if found.redrawn else ""
    verdict = plural(len(found.faults), "fault") if found.faults else "sound"
    if found.broken:
        verdict += f" in {plural(len(found.broken), 'shard')}"
    click.echo(f"{plural(found.samples, 'picture')} checked{drawn}: {verdict}")


def _facts(found: VerifyReport) -> dict[str, object]:
    return {
        "pictures": found.samples,
        "redrawn": found.redrawn,
        "not_redrawn": list(found.undrawable),
        "not_checked": list(found.unchecked),
        "faults": [{"file": f.file, "what": f.what, "shard": f.shard} for f in found.faults],
        "broken_shards": list(found.broken),
        "near_duplicates": [list(group) for group in found.near],
    }
