"""Seconds from the start of `vrm-synth render` to the first picture on disk, with cold and warm caches.

    python benchmarks/first_picture.py [--avatar crimsom] [--runs 7] [--dry]

The command is whole: `vrm-synth render` of a recipe with one shot. Cold: every cache folder is new (HOME,
XDG_CACHE_HOME, MESA_SHADER_CACHE_DIR), so that shaders are compiled and mip chains made; the files are in the page
cache and Python's byte code is compiled. Warm: the same folders again. Cold and warm alternate, after one run of each
as a warm-up. `picture`: until the PNG exists; `exit`: until the command has ended, dataset card included.
The targets are 2.5 s and 1.2 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import machine
from machine import quartiles


def one_run(recipe: Path, out: Path, caches: Path) -> tuple[float, float]:
    """(seconds to the picture, seconds to the exit)."""
    cache_folders = {"HOME": caches, "XDG_CACHE_HOME": caches / "cache", "MESA_SHADER_CACHE_DIR": caches / "mesa"}
    for folder in cache_folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "vrm_synth", "render", str(recipe), "-o", str(out)]
    started = time.time()
    timed = machine.run_timed(command, recipe.parent, {k: str(v) for k, v in cache_folders.items()})
    (picture,) = out.glob("train/*/*.png")
    return picture.stat().st_mtime - started, timed.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatar", default="crimsom", help="a CC0 avatar: a name under avatars/, demo, or a file")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    facts, before = machine.facts(), machine.cpu_ticks()
    source = machine.avatar(o.avatar)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        recipe = work / "recipe.yaml"
        recipe.write_text(f"avatars: [{json.dumps(source)}]\ncount: 1\nseed: 1\n", encoding="utf-8")
        for n in range(o.runs + 1):
            for kind in ("cold", "warm"):
                picture, ended = one_run(recipe, work / f"{kind}{n}", work / f"caches{n}")
                if n:
                    seconds[kind, "picture"].append(picture)
                    seconds[kind, "exit"].append(ended)
    row = {"avatar": Path(source).stem, "runs": o.runs, "stolen": 0.0}
    row["stolen"] = round(machine.stolen_share(before, machine.cpu_ticks()), 3)
    for (kind, cache), samples in seconds.items():
        low, mid, high = quartiles(samples)
        print(f"{kind} {cache:8}{mid:6.2f} s ({low:.2f}–{high:.2f})")
        row[f"{kind}_{cache}"] = round(mid, 3)
    print(f"stolen {row['stolen']:.1%}, load before {facts['load']}, {facts['cpu']}, commit {facts['commit']}")
    if not o.dry:
        machine.append("first_picture", [facts | row])


if __name__ == "__main__":
    main()
