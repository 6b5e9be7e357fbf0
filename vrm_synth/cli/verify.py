"""`vrm-synth verify`."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import click

from vrm_synth.cli.common import bar, note, plural, renderer_options, workers_option
from vrm_synth.cli.hints import expect

if TYPE_CHECKING:
    from vrm_synth.dataset.store import Store
    from vrm_synth.dataset.verify import Verdict

SHOWN = 20  # faults, and groups of near-duplicates


@click.command()
@click.argument("dataset", metavar="DIR")
@click.option("--repair", "repairing", is_flag=True, help="Remove what is broken and make it again, and nothing else.")
@click.option(
    "--redraw",
    default=16,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Draw N shots again and compare: to the pixel on the driver that drew them, elsewhere within a tolerance.",
)
@click.option("--near/--no-near", default=True, show_default=True, help="Look for pictures that look the same.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workers_option
@renderer_options
@click.pass_context
def verify(
    ctx: click.Context,
    dataset: str,
    repairing: bool,
    redraw: int,
    near: bool,
    as_json: bool,
    workers: int | None,
    renderer: str,
    device: int,
) -> None:
    """Hold a dataset to its records and its recipe.

    Every file is hashed, every picture decoded, every record and caption checked; a sample of the shots is drawn
    again. Pictures that look the same are told of, and are no fault. The exit status is 1 where there are faults,
    and none is left unrepaired.

    \b
    Examples:
      vrm-synth verify out
      vrm-synth verify out --repair
      vrm-synth verify out --redraw 0 --no-near --workers 8    hashes, pictures and records alone
    """
    from vrm_synth.dataset.stores import open_store

    expect(dataset, "dataset", "folder")
    store = open_store(dataset)
    found = _verified(store, redraw, near, workers, renderer, device)
    if as_json:
        click.echo(json.dumps(_facts(found), ensure_ascii=False, indent=1))
    else:
        _tell(found)
    if found.faults and repairing:
        _repair(store, found, workers, renderer, device)
        found = _verified(store, 0, False, workers, renderer, device)
        for fault in found.faults[:SHOWN]:
            note(f"Error: still wrong: {fault}")
    if found.faults:
        ctx.exit(1)


def _verified(store: Store, redraw: int, near: bool, workers: int | None, renderer: str, device: int) -> Verdict:
    from vrm_synth.avatar import open_avatar
    from vrm_synth.dataset.cache import AvatarCache
    from vrm_synth.dataset.draw import home_of, source_from
    from vrm_synth.dataset.expect import expectation
    from vrm_synth.dataset.layout import read_identity
    from vrm_synth.dataset.verify import verify as check
    from vrm_synth.render import open_renderer

    told = read_identity(store)
    blocks, home = expectation(told).blocks, home_of(store, told["recipe"]["format"])
    crew = min(workers or len(os.sched_getaffinity(0)), blocks)
    with contextlib.ExitStack() as stack:
        shown = stack.enter_context(bar(blocks, "shards"))
        drawing = stack.enter_context(contextlib.closing(open_renderer(renderer, device))) if redraw else None
        return check(
            store,
            workers=crew,
            near=near,
            redraw=redraw,
            renderer=drawing,
            open_avatar=AvatarCache(lambda name: open_avatar(source_from(home, name))),
            done=shown.update,
        )


def _repair(store: Store, found: Verdict, workers: int | None, renderer: str, device: int) -> None:
    from vrm_synth.dataset.remake import remake

    with bar(len(found.broken), "shards") as shown:
        remake(store, found, workers or 1, device, shown.update, note)
    click.echo(f"{plural(len(found.broken), 'shard')} made again", err=True)


def _tell(found: Verdict) -> None:
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
    drawn = f", {found.redrawn} drawn again" if found.redrawn else ""
    verdict = plural(len(found.faults), "fault") if found.faults else "sound"
    if found.broken:
        verdict += f" in {plural(len(found.broken), 'shard')}"
    click.echo(f"{plural(found.samples, 'picture')} checked{drawn}: {verdict}")


def _facts(found: Verdict) -> dict[str, object]:
    return {
        "pictures": found.samples,
        "redrawn": found.redrawn,
        "not_redrawn": list(found.undrawable),
        "faults": [{"file": f.file, "what": f.what, "shard": f.shard} for f in found.faults],
        "broken_shards": list(found.broken),
        "near_duplicates": [list(group) for group in found.near],
    }
