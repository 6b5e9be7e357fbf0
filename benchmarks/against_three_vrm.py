"""PNG files per second against three-vrm in headless Chromium: whole commands, the same shots, interleaved.

    python benchmarks/against_three_vrm.py [--shots 200] [--pairs 7] [--reference ../shared/reference]
        [--avatars m_expressive crimsom zombie robot demo] [--workers 2] [--dry]

A pair is the reference harness and `vrm-synth shots --compat three-vrm` answering one shots.json each into a fresh
folder, at 512², transparent, outlined, not anti-aliased; which goes first alternates. Nothing is subtracted: both
pay for their start, for reading the avatar and for compiling shaders (the driver's own cache is warm for both, and so
is ours of mip chains).
`steady` leaves the start out for both, by the times of the first and the last file. `no PNG` is the harness's
figure for posing, drawing and reading back, and ours for the same jobs in the same number of processes.
`CPU` is the ratio of CPU-seconds, everything that a command started included. After the run the pictures of the
first pair are compared. A row an avatar goes to benchmarks/results/against_three_vrm.csv, unless --dry.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import drawing_loop
import harness
import machine
from machine import Timed, quartiles
from random_shots import avatar_files, plain_shot

from vrm_synth.vrm import load

AVATARS = ["m_expressive", "crimsom", "zombie", "robot", "demo"]
WARM_UP = 4  # shots that each side draws before anything counts
READ_BACK_JOBS = 60


@dataclass
class Side:
    """One side's runs of one avatar. rates, steady: files a second, run by run; size: bytes of a first run."""

    runs: list[Timed] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    steady: list[float] = field(default_factory=list)
    size: int = 0

    def add(self, timed: Timed, out: Path, count: int) -> None:
        """Add a run that wrote `count` pictures to `out`."""
        files = list(out.glob("*.png"))
        if len(files) != count:
            raise SystemExit(f"{len(files)} pictures of {count} in {out.name}")
        written = sorted(f.stat().st_mtime_ns for f in files)
        self.runs.append(timed)
        self.rates.append(count / timed.seconds)
        self.steady.append((count - 1) / max((written[-1] - written[0]) / 1e9, 1e-9))
        self.size = self.size or sum(f.stat().st_size for f in files)

    @property
    def cpu(self) -> float:
        """CPU-seconds of the median run."""
        return statistics.median(r.cpu for r in self.runs)


@dataclass(frozen=True)
class Bench:
    """Settings that are the same for all avatars."""

    reference: Path
    harness: Path
    work: Path
    workers: int

    def theirs(self, shots: Path, out: Path) -> Timed:
        return machine.run_timed(harness.draw_command(shots, out), self.harness)

    def ours(self, shots: Path, out: Path) -> Timed:
        command = [sys.executable, "-m", "vrm_synth", "shots", str(shots), "-o", str(out)]
        return machine.run_timed([*command, "--workers", str(self.workers), "--compat", "three-vrm"], self.work)


def measure(bench: Bench, label: str, path: Path, count: int, pairs: int) -> dict[str, Any]:
    """One row: `pairs` pairs of one avatar, then the comparison and the rates without encoding."""
    avatar = load(path)
    shots = [plain_shot(avatar, path, label, i) for i in range(count)]
    listed, few = bench.work / f"{label}.json", bench.work / f"{label}_few.json"
    listed.write_text(json.dumps(shots))
    few.write_text(json.dumps(shots[:WARM_UP]))
    sides = {"theirs": Side(), "ours": Side()}
    for name in sides:
        getattr(bench, name)(few, bench.work / f"{label}_warm_{name}")
    for n in range(pairs):
        for name in list(sides) if n % 2 == 0 else reversed(list(sides)):
            out = bench.work / f"{label}_{name}_{n}"
            sides[name].add(getattr(bench, name)(listed, out), out, count)
            if n:
                shutil.rmtree(out)
    theirs, ours = sides["theirs"], sides["ours"]
    ratios = quartiles([o / t for o, t in zip(ours.rates, theirs.rates, strict=True)])
    steady = quartiles([o / t for o, t in zip(ours.steady, theirs.steady, strict=True)])
    pictures = compare(bench, label)
    without = rates_without_png(bench, path)
    return {
        "avatar": label,
        "triangles": avatar.triangle_count,
        "mtoon": any(m.kind == "mtoon" for m in avatar.materials),
        "shots": count,
        "pairs": pairs,
        "workers": bench.workers,
        **_named("ours", quartiles(ours.rates)),
        **_named("theirs", quartiles(theirs.rates)),
        **_named("ratio", ratios),
        "steady_ours": round(statistics.median(ours.steady), 2),
        "steady_theirs": round(statistics.median(theirs.steady), 2),
        "steady_ratio": round(steady[1], 2),
        "cpu_ratio": round(theirs.cpu / ours.cpu, 2),
        "stolen": round(statistics.median(r.stolen for s in sides.values() for r in s.runs), 3),
        "bytes_ratio": round(ours.size / theirs.size, 3),
        "ssim_mean": round(statistics.mean(s["ssim"] for s in pictures.values()), 5),
        "ssim_min": round(min(s["ssim"] for s in pictures.values()), 5),
        "no_png_ours": round(without[0], 2),
        "no_png_theirs": round(without[1], 2),
        "no_png_ratio": round(without[0] / without[1], 2),
    }


def compare(bench: Bench, label: str) -> dict[str, dict[str, float]]:
    """compare.py's figures of the first pair, by shot."""
    folders = [bench.work / f"{label}_{side}_0" for side in ("theirs", "ours")]
    comparison = bench.work / f"{label}_compared.json"
    command: list[str | Path] = [
        sys.executable,
        bench.reference / "compare.py",
        *folders,
        "--worst",
        "0",
        "--json",
        comparison,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for folder in folders:
        shutil.rmtree(folder)
    figures: dict[str, dict[str, float]] = json.loads(comparison.read_text())
    return figures


def rates_without_png(bench: Bench, path: Path) -> tuple[float, float]:
    """(ours, theirs): the harness's own jobs posed, drawn and read back, pictures a second."""
    theirs = harness.bench(bench.harness, path, READ_BACK_JOBS)
    jobs = harness.bench_shots(bench.harness, path, READ_BACK_JOBS)
    return drawing_loop.rate(jobs, bench.workers, "three-vrm"), theirs


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text, with a summary."""
    lines = [
        f"{'avatar':15}{'triangles':>10}{'ours/s (quartiles)':>24}{'three-vrm/s (quartiles)':>26}{'ratio':>7}"
        f"{'(quartiles)':>14}{'steady':>8}{'CPU':>7}{'no PNG':>8}{'stolen':>8}{'bytes':>7}{'SSIM':>9}"
    ]
    for r in rows:
        lines.append(
            f"{r['avatar'][:14]:15}{r['triangles']:10d}"
            f"{r['ours']:10.1f}{_range(r, 'ours'):>14}{r['theirs']:12.1f}{_range(r, 'theirs'):>14}"
            f"{r['ratio']:7.2f}{_range(r, 'ratio'):>14}{r['steady_ratio']:8.2f}{r['cpu_ratio']:7.2f}"
            f"{r['no_png_ratio']:8.2f}{r['stolen']:8.1%}{r['bytes_ratio']:7.2f}{r['ssim_mean']:9.5f}"
        )
    mtoon = [r["ssim_mean"] for r in rows if r["mtoon"]]
    lines.append(
        f"geometric means: ratio {_geometric(rows, 'ratio'):.2f}, steady {_geometric(rows, 'steady_ratio'):.2f},"
        f" CPU {_geometric(rows, 'cpu_ratio'):.2f}, no PNG {_geometric(rows, 'no_png_ratio'):.2f};"
        f" mean SSIM of MToon {statistics.mean(mtoon) if mtoon else math.nan:.5f}"
    )
    return "\n".join(lines)


def _named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return {name: round(values[1], 2), f"{name}_q1": round(values[0], 2), f"{name}_q3": round(values[2], 2)}


def _range(row: dict[str, Any], name: str) -> str:
    return f"({row[f'{name}_q1']:.1f}–{row[f'{name}_q3']:.1f})"


def _geometric(rows: list[dict[str, Any]], key: str) -> float:
    return statistics.geometric_mean(r[key] for r in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, default=machine.ROOT.parent / "shared" / "reference")
    parser.add_argument("--shots", type=int, default=200, help="shots an avatar")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--avatars", nargs="+", default=AVATARS, help="names under avatars/, demo, demo:N, or files")
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    reference, rows, facts = o.reference.resolve(), [], machine.facts()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bench = Bench(reference, harness.prepare(reference, work), work, o.workers)
        sources = [machine.avatar(a) for a in o.avatars]
        for label, path in avatar_files(sources, work, versions=("1",)):
            rows.append(measure(bench, label, path, o.shots, o.pairs))
            print(table(rows[-1:]).splitlines()[1], flush=True)
    print(f"{facts['cpu']}, {facts['cores']} cores, load before {facts['load']}, commit {facts['commit']}")
    print(table(rows))
    if not o.dry:
        print(f"added to {machine.append('against_three_vrm', [facts | r for r in rows]).relative_to(machine.ROOT)}")


if __name__ == "__main__":
    main()
