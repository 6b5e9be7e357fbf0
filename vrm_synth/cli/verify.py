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
    from vrm_synth.dataset.verify.report import VerifyReport
    from vrm_synth.io.store import Store

DEFAULT_REDRAWN = 16  # shots
MAX_LISTED = 20  # faults, and groups of near-duplicates


@click.command()
@click.argument("dataset", metavar="DIR")
@click.option("--repair", "repairing", is_flag=True, help="Remove what is broken and make it again, and nothing else.")
@click.option(
    "--redraw",
    type=click.IntRange(min=0),
    metavar="N",
    help="Draw N shots again and compare: to the pixel on the driver that drew them, elsewhere within a tolerance."
    f"  [default: {DEFAULT_REDRAWN}, where this machine draws]",
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
    """Check a dataset against its records and its recipe.

    Every file is hashed, every picture decoded, every record and caption checked; a sample of the shots is drawn
    again. Pictures that look the same are reported, and are no fault; nor is what cannot be checked here for want
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
    report = _run_verify(store, redraw, near, workers, renderer, device)
    if as_json:
        click.echo(json.dumps(_report_as_json(report), ensure_ascii=False, indent=1))
    else:
        _print_report(report)
    if report.faults and repairing:
        _repair(store, report, workers, device)
        report = _run_verify(store, 0, False, workers, renderer, device)
        for fault in report.faults[:MAX_LISTED]:
            note(f"Error: still wrong: {fault}")
    if report.faults:
        ctx.exit(1)


def _run_verify(
    store: Store, redraw: int | None, near: bool | None, workers: int | None, renderer: str | None, device: int
) -> VerifyReport:
    """Verify with a progress bar. redraw, near, renderer: None for what this machine can do."""
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.dataset.avatar_cache import AvatarCache
    from vrm_synth.dataset.identity.dataset_json import read_identity
    from vrm_synth.dataset.render_task import home_of, source_from
    from vrm_synth.dataset.verify.checks import verify as check
    from vrm_synth.dataset.verify.expected import expected_dataset
    from vrm_synth.dataset.verify.near_duplicates import import_imagehash
    from vrm_synth.render import open_backend

    identity = read_identity(store)
    if near:
        import_imagehash()
    no_renderer = ""
    renderer = renderer or identity["recipe"].get("renderer", "gl")
    blocks, home = expected_dataset(identity).blocks, home_of(store, identity["recipe"]["format"])
    workers = min(workers or len(os.sched_getaffinity(0)), blocks)
    with contextlib.ExitStack() as stack:
        backend = None
        try:
            if redraw != 0:
                backend = stack.enter_context(contextlib.closing(open_backend(renderer, device)))
        except RenderError as e:
            if redraw is not None:
                raise
            no_renderer = str(e)
        shown = stack.enter_context(bar(blocks, "shards"))
        report = check(
            store,
            workers=workers,
            near=near is not False,
            redraw=DEFAULT_REDRAWN if redraw is None else redraw,
            backend=backend,
            open_avatar=AvatarCache(lambda name: open_avatar(source_from(home, name))),
            done=shown.update,
        )
    return replace(report, undrawable=(*report.undrawable, no_renderer)) if no_renderer else report


def _repair(store: Store, report: VerifyReport, workers: int | None, device: int) -> None:
    from vrm_synth.dataset.verify.repair import repair

    with bar(len(report.broken), "shards") as shown:
        repair(store, report, workers or 1, device, shown.update, note)
    click.echo(f"{plural(len(report.broken), 'shard')} made again", err=True)


def _print_report(report: VerifyReport) -> None:
    for fault in report.faults[:MAX_LISTED]:
        click.echo(f"- {fault}")
    if len(report.faults) > MAX_LISTED:
        click.echo(f"- and {len(report.faults) - MAX_LISTED} more")
    for group in report.near_duplicates[:MAX_LISTED]:
        click.echo(f"look the same: {', '.join(group[:8])}{' …' * (len(group) > 8)}")
    if len(report.near_duplicates) > MAX_LISTED:
        click.echo(f"and {len(report.near_duplicates) - MAX_LISTED} more groups that look the same")
    for why in report.undrawable[:MAX_LISTED]:
        click.echo(f"not drawn again: {why}")
    for line in report.unchecked:
        click.echo(f"not checked: {line}")
    drawn = f", {report.redrawn} drawn again" if report.redrawn else ""
    verdict = plural(len(report.faults), "fault") if report.faults else "sound"
    if report.broken:
        verdict += f" in {plural(len(report.broken), 'shard')}"
    click.echo(f"{plural(report.samples, 'picture')} checked{drawn}: {verdict}")


def _report_as_json(report: VerifyReport) -> dict[str, object]:
    return {
        "pictures": report.samples,
        "redrawn": report.redrawn,
        "not_redrawn": list(report.undrawable),
        "not_checked": list(report.unchecked),
        "faults": [{"file": f.file, "what": f.what, "shard": f.shard} for f in report.faults],
        "broken_shards": list(report.broken),
        "near_duplicates": [list(group) for group in report.near_duplicates],
    }
