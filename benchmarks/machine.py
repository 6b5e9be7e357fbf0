"""Facts about the machine for the results of a benchmark, and timing of whole commands.

No host names and no paths go into results. The share of CPU time that the hypervisor stole is beside every
figure, because on a rented machine it explains more of the spread than anything else.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import datetime
import os
import platform
import re
import resource
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
STEAL = 7  # of the fields of "cpu" in /proc/stat
FIELDS = 8  # user … steal; guest time, which follows, is part of user time


@dataclass(frozen=True)
class Timed:
    """A command that ran: seconds by the clock, CPU-seconds of it and all that it started, share of the machine's
    CPU time that was stolen meanwhile, and what it printed."""

    seconds: float
    cpu: float
    stolen: float
    output: str


def run_timed(command: Sequence[str], cwd: Path, extra: Mapping[str, str] | None = None) -> Timed:
    """Run a command to its end and time it. Exit statuses other than 0 are errors. extra: environment variables."""
    # Orphans (Chromium leaves some) come to this process, so that their CPU time is counted, too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    used, ticks, start = _children(), cpu_ticks(), time.perf_counter()
    process = subprocess.run(command, cwd=cwd, env=environment(extra), capture_output=True, text=True)
    seconds = time.perf_counter() - start
    stolen = stolen_share(ticks, cpu_ticks())
    _reap()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{process.stderr[-2000:]}")
    return Timed(seconds, _children() - used, stolen, process.stdout)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without a number of llvmpipe threads (every side chooses its own), with this checkout, and with
    byte code kept, as users have it."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("LP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(extra or {})


def cpu_ticks() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal since the machine started; zeros where unknown."""
    try:
        return [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : 1 + FIELDS]]
    except OSError:
        return [0] * FIELDS


def stolen_share(before: Sequence[int], after: Sequence[int]) -> float:
    """Fraction of the time between two readings of cpu_ticks() that other guests of the host had."""
    passed = [b - a for a, b in zip(before, after, strict=True)]
    return passed[STEAL] / max(sum(passed), 1)


def avatar(name: str) -> str:
    """The source that an avatar's short name stands for: a file of the corpus, else the name itself."""
    named = os.environ.get("VRM_SYNTH_CORPUS")
    file = (Path(named) if named else ROOT.parent / "shared") / "avatars" / f"{name}.vrm"
    return str(file) if file.is_file() else name


def cpu_model() -> str:
    """The processor's name, or the architecture if the system has none."""
    with contextlib.suppress(OSError):
        if match := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return match[1].strip()
    return platform.machine()


def commit() -> str:
    """The commit's short name, with a + where the tree differs from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "vrm_synth") else "")


def facts() -> dict[str, object]:
    """The first columns of every row of results; load: of the last minute, before this benchmark."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
    }


def append(name: str, rows: Sequence[Mapping[str, object]]) -> Path:
    """Add rows to benchmarks/results/NAME.csv. A file with other columns is refused."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    columns = list(rows[0])
    if path.exists():
        with path.open(newline="", encoding="utf-8") as f:
            if (had := next(csv.reader(f))) != columns:
                raise SystemExit(f"{path.name} has other columns: {set(had) ^ set(columns)}")
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, columns, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows(rows)
    return path


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, mid, high


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _reap(patience: float = 3.0) -> None:
    """Wait for orphaned processes to end."""
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
        except ChildProcessError:
            return
