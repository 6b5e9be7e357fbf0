"""Scaling with workers: PNG files per second of `vrm-synth shots` by number of workers.

    python benchmarks/workers.py [--workers 1 2] [--shots 200] [--rounds 5] [--avatars NAME …] [--dry]
    python benchmarks/workers.py --workers 1 2 4 8 16 --shots 4000 --rounds 3      on a machine with a GPU

Whole commands on the same shots.json at 512², transparent, outlined, not anti-aliased, round by round in alternating
order. `steady` leaves the start out, by the times of the first and the last file; `adds` is the gain in steady
rate per further worker, relative to the first worker's rate (1.00 is linear scaling; the target for two is 0.80).
One worker has one llvmpipe thread, as each of several has. Then, by `vrm-synth bench`, the stages of one
worker and the device: on a GPU the largest stage beside drawing is the bottleneck, which more workers hide.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import machine
from random_shots import avatar_files, plain_shot

from vrm_synth.vrm import load

ONE_CORE = {"LP_NUM_THREADS": "0"}


def answered(shots: Path, out: Path, workers: int, count: int) -> tuple[float, float, float]:
    """(files a second of the whole command, of its steady part, share of stolen time) of one run."""
    command = [sys.executable, "-m", "vrm_synth", "shots", str(shots), "-o", str(out), "--workers", str(workers)]
    timed = machine.run_timed(command, shots.parent, ONE_CORE)
    times = sorted(f.stat().st_mtime_ns for f in out.glob("*.png"))
    if len(times) != count:
        raise SystemExit(f"{len(times)} pictures of {count}")
    shutil.rmtree(out)
    return count / timed.seconds, (count - 1) / max((times[-1] - times[0]) / 1e9, 1e-9), timed.stolen


def measure(label: str, path: Path, crews: list[int], count: int, rounds: int, work: Path) -> list[dict[str, Any]]:
    """Measure one row for each number of workers."""
    avatar, listed = load(path), work / f"{label}.json"
    listed.write_text(json.dumps([plain_shot(avatar, path, label, i) for i in range(count)]))
    runs = defaultdict(list)
    for n in range(rounds + 1):  # the first round fills the driver's caches
        for workers in crews if n % 2 else reversed(crews):
            rate = answered(listed, work / "out", workers, count)
            if n:
                runs[workers].append(rate)
    rows = []
    for workers in crews:
        total, steady, stolen = (statistics.median(column) for column in zip(*runs[workers], strict=True))
        rows.append(
            {
                "avatar": label,
                "shots": count,
                "rounds": rounds,
                "workers": workers,
                "whole": round(total, 2),
                "steady": round(steady, 2),
                "adds": "",
                "stolen": round(stolen, 3),
            }
        )
        if workers > crews[0]:
            gained = steady / rows[0]["steady"] - 1
            rows[-1]["adds"] = round(gained * crews[0] / (workers - crews[0]), 3)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatars", nargs="+", default=["m_expressive", "demo"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shots", type=int, default=200, help="shots an avatar")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    facts, rows = machine.facts(), []
    print(f"{facts['cpu']}, {facts['cores']} cores, load before {facts['load']}, commit {facts['commit']}")
    print(f"{'avatar':15}{'workers':>8}{'whole/s':>10}{'steady/s':>10}{'adds':>8}{'stolen':>8}")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for label, path in avatar_files([machine.avatar(a) for a in o.avatars], work, versions=("1",)):
            for r in measure(label, path, sorted(o.workers), o.shots, o.rounds, work):
                rows.append(r)
                print(
                    f"{r['avatar'][:14]:15}{r['workers']:8d}{r['whole']:10.1f}{r['steady']:10.1f}{r['adds']:>8}"
                    f"{r['stolen']:8.1%}",
                    flush=True,
                )
            command = [sys.executable, "-m", "vrm_synth", "bench", str(path), "--workers", "1"]
            print(machine.run_timed(command, work, ONE_CORE).output.replace(str(path), label))
    if not o.dry:
        machine.append("workers", [facts | r for r in rows])


if __name__ == "__main__":
    main()
