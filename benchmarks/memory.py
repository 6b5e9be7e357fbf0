"""Memory over many pictures: the code path of `vrm-synth shots` in one process, with several avatars in turn.

    python benchmarks/memory.py [--count 20000] [--size 128] [--avatars NAME …] [--block 100] [--dry]

Shots come in blocks of one avatar each, so that avatars are read, drawn and evicted again and again, more of them
than the renderer keeps. After a warm-up (a tenth of the run, at least two rounds of the avatars) the resident memory
is sampled at the end of each round, when the same avatars have been drawn; flat is every later sample within ± 5 %
of the median. GL objects are counted where moderngl's Python objects are alive, at the same moments: the number must
stay within the first rounds' range. Exit status 1 if either check fails.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import moderngl
from random_shots import avatar_files, plain_shot

from vrm_synth.dataset.shot_list.answers import ShotAnswer
from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.dataset.shot_list.shot_list_task import ShotListTask
from vrm_synth.vrm import load

AVATARS = ["m_expressive", "crimsom", "zombie", "robot", "bizdude", "demo"]
ALLOWED = 0.05
DISTINCT = 100  # shots an avatar at most; they repeat
GL_OBJECTS = (
    moderngl.Buffer, moderngl.Texture, moderngl.TextureArray, moderngl.Framebuffer, moderngl.Renderbuffer,
    moderngl.VertexArray, moderngl.Program, moderngl.Sampler, moderngl.Query, moderngl.Context,
)  # fmt: skip


def rss() -> float:
    """Resident memory of the process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def gl_objects() -> Counter[str]:
    """Living moderngl objects by kind."""
    gc.collect()
    return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, GL_OBJECTS))


def endless(files: list[tuple[str, Path]], count: int, block: int, size: int) -> Iterator[ListedShot]:
    """`count` shots, `block` of one avatar after `block` of the next. They repeat, so the folder stays small."""
    cached = {}
    for label, path in files:
        avatar = load(path)
        entries = [plain_shot(avatar, path, label, i, size) for i in range(min(DISTINCT, block))]
        cached[label] = [ListedShot(e["id"], e["avatar"], json.dumps(e), label) for e in entries]
    for i in range(count):
        label, _ = files[(i // block) % len(files)]
        yield cached[label][i % block % len(cached[label])]


def run(files: list[tuple[str, Path]], count: int, block: int, size: int, out: Path) -> list[tuple[int, float, int]]:
    """(pictures so far, MiB, GL objects) at the end of each round of the avatars."""
    every, samples, start = block * len(files), [], time.perf_counter()
    with ShotListTask(out=out, base=out, renderer="gl", device=0).open() as answered:
        for done, shot in enumerate(endless(files, count, block, size), 1):
            for event in answered(shot):
                if isinstance(event, ShotAnswer) and event.error:
                    raise SystemExit(event.error)
            if done % every == 0:
                samples.append((done, rss(), sum(gl_objects().values())))
                rate = done / (time.perf_counter() - start)
                print(
                    f"{done:7d} pictures {samples[-1][1]:8.1f} MiB {samples[-1][2]:6d} GL objects {rate:6.1f}/s",
                    flush=True,
                )
    return samples


def verdict(samples: list[tuple[int, float, int]]) -> dict[str, Any]:
    """Judge the samples: after the warm-up, memory must stay within ± 5 % and GL objects must not increase."""
    warm = max(2, len(samples) // 10)
    before, after = samples[:warm], samples[warm:]
    if len(after) < 2:
        raise SystemExit(f"too few rounds: {len(samples)}; ask for more pictures or smaller blocks")
    middle = statistics.median(s[1] for s in after)
    worst = max(abs(s[1] - middle) for s in after) / middle
    most = max(s[2] for s in before)
    return {
        "pictures": samples[-1][0],
        "mib": round(middle, 1),
        "worst_deviation": round(worst, 4),
        "last_against_first": round(after[-1][1] / after[0][1], 4),
        "gl_objects_first": most,
        "gl_objects_last": max(s[2] for s in after),
        "flat": worst <= ALLOWED and max(s[2] for s in after) <= most,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatars", nargs="+", default=AVATARS, help="names under avatars/, demo, demo:N, or files")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--block", type=int, default=100, help="pictures of one avatar in a row")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    facts = machine.facts()
    sources = [machine.avatar(a) for a in o.avatars]
    os.environ.setdefault("LP_NUM_THREADS", "0")
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        out.mkdir()
        files = avatar_files(sources, Path(name), versions=("1",))
        result = {"avatars": len(files), "size": o.size} | verdict(run(files, o.count, o.block, o.size, out))
    print(result)
    if not o.dry:
        machine.append("memory", [facts | result])
    sys.exit(0 if result["flat"] else 1)


if __name__ == "__main__":
    main()
