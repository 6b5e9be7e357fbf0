"""Our renderer without a dataset: pose, draw, read back, in one process or in several.

    python benchmarks/drawing_loop.py SHOTS.json COMPAT      one process; prints pictures per second

against_three_vrm.py and against_pyrender.py start it; it prints "ready" once its avatar is drawn, waits for a line on
stdin and then draws the list once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from machine import ROOT, environment

from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render import Compat, open_backend
from vrm_synth.shot import Shot
from vrm_synth.vrm import load
from vrm_synth.vrm.three_vrm_compat import as_three_vrm

WARM_UP = 5


def rate(shots: Sequence[dict[str, Any]], processes: int, compat: Compat) -> float:
    """Pictures per second of `processes` processes that share the list, after a warm-up."""
    with tempfile.TemporaryDirectory() as name:
        crew = []
        for k in range(processes):
            part = Path(name) / f"{k}.json"
            part.write_text(json.dumps(shots[k::processes]))
            crew.append(
                subprocess.Popen(
                    [sys.executable, __file__, str(part), compat],
                    cwd=ROOT,
                    env=environment({"LP_NUM_THREADS": "0"}),
                    text=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
        for process in crew:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit("a drawing process died")
        start = time.perf_counter()
        for process in crew:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in crew:
            assert process.stdout is not None
            process.stdout.readline()
        seconds = time.perf_counter() - start
        for process in crew:
            process.communicate()
    return len(shots) / seconds


def main() -> None:
    file, compat = sys.argv[1:]
    assert compat in get_args(Compat)
    entries = json.loads(Path(file).read_text())
    avatar = load(entries[0]["avatar"])
    avatar = as_three_vrm(avatar) if compat == "three-vrm" else avatar
    shots = [Shot.from_json(e) for e in entries]
    renderer = open_backend("gl")
    for shot in shots[:WARM_UP]:
        render_shot(renderer, avatar, shot, compat)  # type: ignore[arg-type]
    print("ready", flush=True)
    sys.stdin.readline()
    for shot in shots:
        render_shot(renderer, avatar, shot, compat)  # type: ignore[arg-type]
    print("done", flush=True)
    renderer.close()


if __name__ == "__main__":
    main()
