"""How fast this machine makes datasets: pictures a second by 1 and by N workers, time by stage, and what to do.

The pictures are those of a default recipe: its poses, views, springs and 2 × 2 samples a pixel. Each is made as a
dataset's are, one stage after the other with a clock around each, so that the stages of one worker add up.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vrm_synth.core.errors import RenderError
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.demo_avatar.avatar_source import open_avatar
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.atomic_files import write_file
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.render import Renderer, open_renderer
from vrm_synth.render.gl.renderer import GLRenderer
from vrm_synth.render.system import is_software
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.vrm import Avatar

STAGES = ("load", "plan", "pose", "draw", "read back", "encode", "write")
# The same pictures, to the bit, in less CPU time with Mesa 25.0 than with 22.3: 19 % (zombie), 20 % (robot), 16 %
# (m_expressive), 8 % (the built-in avatar).
FAST_MESA = 25
WARM_UP = 2  # pictures a worker, which count nowhere: shaders are compiled and textures sent

Laps = dict[str, float]


@dataclass(frozen=True)
class StageTimes:
    """One picture. seconds: by stage; device: what drew it; memory: bytes that its worker held at most."""

    seconds: Laps
    device: str
    memory: int


@dataclass(frozen=True)
class Rate:
    """workers: processes; per_second: pictures of all together; memory: bytes that one worker held at most."""

    workers: int
    per_second: float
    memory: int


@dataclass(frozen=True)
class BenchReport:
    """What was measured. milliseconds: by stage, medians of the run with one worker; "load" once an avatar."""

    avatar: str
    triangles: int
    size: int
    device: str
    cores: int
    milliseconds: Laps
    rates: tuple[Rate, ...]


def bench(
    source: str,
    count: int,
    workers: int,
    size: int = 512,
    renderer: str = "gl",
    device: int = 0,
    done: Callable[[], object] = lambda: None,
) -> BenchReport:
    """Make `count` pictures of an avatar by one worker, then `count` a worker by `workers` at once.

    done: called for each picture, warm-up included: pictures(count, workers) times. Raises AvatarError, RenderError.
    """
    avatar = open_avatar(source)
    with tempfile.TemporaryDirectory() as folder:
        task = BenchTask(source, Path(folder), size, renderer, device)
        runs = {n: _run(task, count, n, done) for n in dict.fromkeys((1, workers))}
    alone = runs[1][0]
    return BenchReport(
        avatar=source,
        triangles=avatar.triangle_count,
        size=size,
        device=alone[0].device,
        cores=len(os.sched_getaffinity(0)),
        milliseconds={
            stage: statistics.median(lap.seconds[stage] for lap in alone) * 1e3
            for stage in STAGES
            if stage in alone[0].seconds
        },
        rates=tuple(Rate(n, rate, max(lap.memory for lap in laps)) for n, (laps, rate) in runs.items()),
    )


def pictures(count: int, workers: int) -> int:
    """How many pictures bench() makes."""
    return sum(n * (count + WARM_UP) for n in {1, workers})


@dataclass(frozen=True)
class BenchTask:
    """The task (workers.Task) of making picture i of a default recipe, with a clock around each stage."""

    source: str
    out: Path
    size: int
    renderer: str
    device: int

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], tuple[StageTimes]]]:
        """i → its Lap."""
        start = time.perf_counter()
        avatar = open_avatar(self.source)
        load = time.perf_counter() - start
        # The source named here is not opened: shots are planned for the avatar at hand.
        recipe = Recipe.model_validate({"avatars": ["demo"], "count": 1_000_000_000, "size": self.size})
        with contextlib.closing(open_renderer(self.renderer, self.device)) as renderer:
            yield lambda i: (
                StageTimes(
                    {"load": load} | make_picture(renderer, avatar, recipe, i, self.out),
                    renderer.device,
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                ),
            )

    def on_crash(self, piece: int, exit_reason: str) -> tuple[StageTimes]:
        """A benchmark does not go on without one of its workers."""
        raise RenderError("a worker process died while it was drawing", got=exit_reason)


def make_picture(renderer: Renderer, avatar: Avatar, recipe: Recipe, i: int, out: Path) -> Laps:
    """Seconds by stage of everything that happens for one picture of a dataset."""
    laps: Laps = {}
    with lap(laps, "plan"):
        planned = plan_shot(recipe, i, lambda source: avatar)
    with lap(laps, "pose"):
        posed = pose_for(avatar, planned.shot) if planned.posed is None else planned.posed
    view = planned.shot.view()
    if isinstance(renderer, GLRenderer):
        with lap(laps, "draw"):
            renderer.draw(posed, view)
            renderer.finish()
        with lap(laps, "read back"):
            rgba = renderer.read_back(view)
    else:
        with lap(laps, "draw"):
            rgba = renderer.render(posed, view).rgba
    with lap(laps, "encode"):
        data = encode_png(rgba)
    with lap(laps, "write"):
        write_file(out / f"{i:09d}.png", data)
    return laps


@contextlib.contextmanager
def lap(laps: Laps, stage: str) -> Iterator[None]:
    """Seconds of what happens inside, as laps[stage]."""
    start = time.perf_counter()
    yield
    laps[stage] = time.perf_counter() - start


def advice(report: BenchReport) -> list[str]:
    """What the figures say to do, one sentence a line; most telling first."""
    lines = []
    alone, most = report.rates[0], report.rates[-1]
    picture = sum(ms for stage, ms in report.milliseconds.items() if stage != "load")
    if is_software(report.device):
        lines.append(
            "The CPU draws (software OpenGL): a worker a core is best, as long runs have them; a GPU is faster."
        )
    else:
        lines.append(
            "A GPU draws: add --workers until pictures a second no longer grow; what is not drawing limits them."
        )
    found = re.search(r"Mesa (\d+)", report.device)
    if found and int(found[1]) < FAST_MESA and is_software(report.device):
        lines.append(f"Mesa {found[1]} draws; Mesa {FAST_MESA} takes 8 to 20 % less time for the same pictures.")
    share = {s: ms / picture for s, ms in report.milliseconds.items() if s != "load"}
    files = share.get("encode", 0.0) + share.get("write", 0.0)
    if files > 0.25:
        lines.append(f"Encoding and writing take {files:.0%} of a picture's time: more workers help, a GPU does not.")
    if share.get("write", 0.0) > 0.15:
        lines.append("Writing is slow here: a local disk would help.")
    if share.get("draw", 0.0) > 0.6 and is_software(report.device):
        lines.append(
            f"Drawing takes {share['draw']:.0%}: supersample: 1 in the recipe draws a quarter of the samples,"
            " without anti-aliasing."
        )
    if most.workers > 1 and most.per_second < 0.7 * most.workers * alone.per_second:
        lines.append(
            f"{most.workers} workers make {most.per_second / alone.per_second:.1f} times the pictures of one: other"
            " programs use the cores, or there are fewer of them than workers."
        )
    memory = physical_memory()
    if memory and most.memory * most.workers > 0.6 * memory:
        fit = max(1, int(0.6 * memory / most.memory))
        lines.append(f"A worker holds {most.memory / 2**20:.0f} MiB: no more than {fit} fit well.")
    return lines


def physical_memory() -> int:
    """Bytes of the machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _run(task: BenchTask, count: int, workers: int, done: Callable[[], object]) -> tuple[list[StageTimes], float]:
    """The laps that count, and pictures a second of all workers."""
    laps, ends = [], []
    for found in run_task(task, [range((count + WARM_UP) * workers)], workers):
        laps.append(found)
        ends.append(time.perf_counter())
        done()
    skipped = WARM_UP * workers
    return laps[skipped:], (len(ends) - skipped) / (ends[-1] - ends[skipped - 1])
