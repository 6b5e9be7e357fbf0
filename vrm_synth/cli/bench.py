"""`vrm-synth bench`."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING

import click

from vrm_synth.cli.common import bar, plural, renderer_options
from vrm_synth.cli.suggestions import check_kind
from vrm_synth.core.limits import MAX_IMAGE_SIDE

if TYPE_CHECKING:
    from vrm_synth.dataset.bench import BenchReport


@click.command()
@click.argument("avatar", default="demo")
@click.option("--count", default=24, show_default=True, type=click.IntRange(2, 100_000), help="Pictures a worker.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes beside the run with one.  [default: cores]")
@click.option(
    "--size", default=512, show_default=True, type=click.IntRange(16, MAX_IMAGE_SIDE), help="Pixels of a side."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@renderer_options
def bench(avatar: str, count: int, workers: int | None, size: int, as_json: bool, renderer: str, device: int) -> None:
    """Measure how many pictures a second this machine makes, and where the time goes.

    Pictures of AVATAR (a VRM file, demo or demo:N) as a default recipe has them, by one process and by several,
    into a folder that is removed again.

    \b
    Examples:
      vrm-synth bench
      vrm-synth bench avatar.vrm --workers 16
    """
    check_kind(avatar, "avatar")
    # Read by Mesa's llvmpipe: a worker draws on the core that it runs on.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    from vrm_synth.dataset import bench as measuring

    workers = workers or len(os.sched_getaffinity(0))
    with bar(measuring.pictures(count, workers), "images") as shown:
        report = measuring.bench(avatar, count, workers, size, renderer, device, shown.update)
    advice = measuring.advice(report)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report) | {"advice": advice}, ensure_ascii=False, indent=1))
    else:
        click.echo(table(report))
        for line in advice:
            click.echo(f"- {line}")


def table(report: BenchReport) -> str:
    """The figures as aligned text."""
    lines = [
        f"{report.device}, {plural(report.cores, 'core')}",
        f"{report.avatar}: {report.triangles:,} triangles, {report.size}×{report.size} pixels",
        "",
        "milliseconds a picture, one worker, medians",
    ]
    picture = sum(ms for stage, ms in report.milliseconds.items() if stage != "load")
    for stage, ms in report.milliseconds.items():
        share = "  once an avatar and worker" if stage == "load" else f"{ms / picture:5.0%}"
        lines.append(f"  {stage:10}{ms:9.2f}{share}")
    lines.append("")
    for rate in report.rates:
        lines.append(
            f"{plural(rate.workers, 'worker'):10}{rate.per_second:9.1f} pictures/s, {rate.memory / 2**20:.0f} MiB each"
        )
    return "\n".join(lines)
