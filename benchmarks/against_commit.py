"""Throughput of this checkout against another one of the same project: whole runs of a recipe, in interleaved pairs.

    git worktree add ../before HEAD~10     # with an environment of its own, in ../before/.venv
    python benchmarks/against_commit.py ../before [--avatar demo ...] [--count 100] [--pairs 5]

Prints wall seconds and CPU seconds of each, the median of the pairs' ratios, ours over theirs: below 1 is faster.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(checkout: Path, recipe: Path, folder: Path) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of rendering a recipe with a checkout's own environment."""
    python = checkout / ".venv" / "bin" / "python"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [str(python), "-m", "vrm_synth", "render", str(recipe), "-o", str(folder), "--workers", "1"]
    subprocess.run(command, check=True, capture_output=True, cwd=checkout, env={**os.environ, "LP_NUM_THREADS": "1"})
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--avatar", action="append", help="sources; default: demo")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    for avatar in options.avatar or ["demo"]:
        with tempfile.TemporaryDirectory() as folder:
            recipe = Path(folder) / "recipe.yaml"
            recipe.write_text(f'avatars: ["{avatar}"]\ncount: {options.count}\naccept_licenses: [none, Other]\n')
            rows = []
            for pair in range(options.pairs + 1):
                order = [ROOT, options.before.resolve()]
                took = {}
                for checkout in order if pair % 2 else order[::-1]:
                    took[checkout] = run(checkout, recipe, Path(folder) / f"{pair}-{order.index(checkout)}")
                if pair:  # the first pair fills caches
                    rows.append((took[order[0]], took[order[1]]))
        wall, cpu = (statistics.median(a[k] / b[k] for a, b in rows) for k in (0, 1))
        ours, theirs = [statistics.median(r[k][1] for r in rows) for k in (0, 1)]
        name = Path(avatar).stem
        print(f"{name}: wall {wall:.3f}, CPU {cpu:.3f} (CPU s: {ours:.1f} and {theirs:.1f}; {options.count} shots)")


if __name__ == "__main__":
    main()
