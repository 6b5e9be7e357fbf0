"""Benchmark of this machine: pictures per second with 1 and with N workers, time by stage, and advice.

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

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import RenderError
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.atomic_files import write_file
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.render import RenderBackend, open_backend
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.render.system import is_software
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.vrm import Avatar

STAGES = ("load", "plan", "pose", "draw", "read back", "encode", "write")
# The same pictures, to the bit, in less CPU time with Mesa 25.0 than with 22.3: 19 % (zombie), 20 % (robot), 16 %
# (m_expressive), 8 % (the built-in avatar).
FAST_MESA = 25
WARM_UP = 2  # pictures of each worker that are not counted: shaders are compiled and textures sent

StageSeconds = dict[str, float]


@dataclass(frozen=True)
class StageTimes:
    """Times of one picture.

    seconds: by stage.
    device: the renderer's description of its device.
    memory: peak resident memory of its worker, bytes.
    """

    seconds: StageSeconds
    device: str
    memory: int


@dataclass(frozen=True)
class Rate:
    """Throughput of a number of workers.

    workers: processes.
    per_second: pictures of all together.
    memory: peak resident memory of one worker, bytes.
    """

    workers: int
    per_second: float
    memory: int


@dataclass(frozen=True)
class BenchReport:
    """The result of a benchmark.

    avatar: its source.
    triangles: of the avatar.
    size: of the pictures, pixels a side.
    device: the renderer's description of its device.
    cores: that this process may use.
    milliseconds: by stage, medians of the run with one worker; "load" once per avatar.
    rates: of one worker, and of several.
    """

    avatar: str
    triangles: int
    size: int
    device: str
    cores: int
    milliseconds: StageSeconds
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
    """Time `count` pictures of an avatar with one worker, then `count` per worker with `workers` in parallel.

    done: called for each picture, warm-up included: pictures(count, workers) times. Raises AvatarError, RenderError.
    """
    avatar = open_avatar(source)
    with tempfile.TemporaryDirectory() as folder:
        task = BenchTask(source, Path(folder), size, renderer, device)
        runs = {n: _run(task, count, n, done) for n in dict.fromkeys((1, workers))}
    single = runs[1][0]
    return BenchReport(
        avatar=source,
        triangles=avatar.triangle_count,
        size=size,
        device=single[0].device,
        cores=len(os.sched_getaffinity(0)),
        milliseconds={
            stage: statistics.median(times.seconds[stage] for times in single) * 1e3
            for stage in STAGES
            if stage in single[0].seconds
        },
        rates=tuple(Rate(n, rate, max(t.memory for t in times)) for n, (times, rate) in runs.items()),
    )


def pictures(count: int, workers: int) -> int:
    """Number of pictures that bench() makes."""
    return sum(n * (count + WARM_UP) for n in {1, workers})


@dataclass(frozen=True)
class BenchTask:
    """Make picture i of a default recipe, timed stage by stage."""

    source: str
    out: Path
    size: int
    renderer: str
    device: int

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], tuple[StageTimes]]]:
        """A function from i to the times of its picture."""
        start = time.perf_counter()
        avatar = open_avatar(self.source)
        load = time.perf_counter() - start
        # The source named here is not opened: shots are planned for the avatar at hand.
        recipe = Recipe.model_validate({"avatars": ["demo"], "count": 1_000_000_000, "size": self.size})
        with contextlib.closing(open_backend(self.renderer, self.device)) as backend:
            yield lambda i: (
                StageTimes(
                    {"load": load} | make_picture(backend, avatar, recipe, i, self.out),
                    backend.device,
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                ),
            )

    def on_crash(self, piece: int, exit_reason: str) -> tuple[StageTimes]:
        """Stop: a benchmark does not go on without one of its workers."""
        raise RenderError("a worker process died while it was drawing", got=exit_reason)


def make_picture(backend: RenderBackend, avatar: Avatar, recipe: Recipe, i: int, out: Path) -> StageSeconds:
    """Make one picture as a dataset has it; returns the seconds by stage."""
    seconds: StageSeconds = {}
    with timed(seconds, "plan"):
        planned = plan_shot(recipe, i, lambda source: avatar)
    with timed(seconds, "pose"):
        posed = pose_for(avatar, planned.shot) if planned.posed is None else planned.posed
    view = planned.shot.view()
    if isinstance(backend, GLBackend):
        with timed(seconds, "draw"):
            backend.draw(posed, view)
            backend.finish()
        with timed(seconds, "read back"):
            rgba = backend.read_back(view)
    else:
        with timed(seconds, "draw"):
            rgba = backend.render(posed, view).rgba
    with timed(seconds, "encode"):
        data = encode_png(rgba)
    with timed(seconds, "write"):
        write_file(out / f"{i:09d}.png", data)
    return seconds


@contextlib.contextmanager
def timed(seconds: StageSeconds, stage: str) -> Iterator[None]:
    """A context that measures the seconds spent inside, as seconds[stage]."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def advice(report: BenchReport) -> list[str]:
    """Advice that follows from the figures, one sentence per line, the most important first."""
    lines = []
    single, most = report.rates[0], report.rates[-1]
    picture = sum(ms for stage, ms in report.milliseconds.items() if stage != "load")
    if is_software(report.device):
        lines.append(
            "The CPU draws (software OpenGL): a worker a core is best, as long runs have them; a GPU is faster."
        )
    else:
        lines.append(
            "A GPU draws: add --workers until pictures a second no longer grow; what is not drawing limits them."
        )
    match = re.search(r"Mesa (\d+)", report.device)
    if match and int(match[1]) < FAST_MESA and is_software(report.device):
        lines.append(f"Mesa {match[1]} draws; Mesa {FAST_MESA} takes 8 to 20 % less time for the same pictures.")
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
    if most.workers > 1 and most.per_second < 0.7 * most.workers * single.per_second:
        lines.append(
            f"{most.workers} workers make {most.per_second / single.per_second:.1f} times the pictures of one: other"
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
    """The times of the pictures that count, and pictures per second of all workers."""
    times, ends = [], []
    for seconds in run_task(task, [range((count + WARM_UP) * workers)], workers):
        times.append(seconds)
        ends.append(time.perf_counter())
        done()
    skipped = WARM_UP * workers
    return times[skipped:], (len(ends) - skipped) / (ends[-1] - ends[skipped - 1])
