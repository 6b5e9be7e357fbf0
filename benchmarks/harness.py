"""The reference renderer: three-vrm in headless Chromium, run on a copy of ../shared/reference/renderer.

Needs Node 20 and Debian's chromium; `npm ci` is run in the copy, so that the reference folder stays as it is.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from machine import environment


def prepare(reference: Path, work: Path) -> Path:
    """A copy of the harness in `work`, ready to run. reference: the folder with compare.py and renderer/."""
    harness = work / "harness"
    shutil.copytree(reference / "renderer", harness, copy_function=shutil.copyfile)
    harness.chmod(0o755)
    (harness / "src").chmod(0o755)
    subprocess.run(["npm", "ci", "--silent"], cwd=harness, check=True)
    return harness


def draw_command(shots: Path, out: Path) -> list[str]:
    """Command of the harness that renders a list of shots into `out`."""
    return ["node", "render.mjs", "--shots", str(shots), "--out", str(out), "--quiet"]


def bench(harness: Path, avatar: Path, count: int) -> float:
    """Pictures per second that the page poses, draws and reads back: no encoding, no trip to Node."""
    command = ["node", "render.mjs", "bench", "--vrm", str(avatar), "--n", str(count), "--size", "512"]
    process = subprocess.run(command, cwd=harness, env=environment(), check=True, capture_output=True, text=True)
    rate: float = json.loads(process.stdout)["readPixels"]["imagesPerSecond"]
    return rate


# The page's own jobs as shots: the harness's light is in its units, where π on a white surface is white.
_JOBS = """
import { open } from './render.mjs';
const session = await open();
const jobs = await session.page.evaluate(
  (n) => Array.from({ length: n }, (_, i) => window.ref.randomJob(i, { size: 512 })), +process.argv[2]);
await session.close();
const light = (l) => ({ color: [1, 1, 1], ...l, intensity: l.intensity / Math.PI });
console.log(JSON.stringify(jobs.map((j) => ({
  id: j.id, avatar: process.argv[3], pose: { bones: j.pose }, expressions: j.expressions, size: [j.width, j.height],
  camera: { position: j.camera.position, target: j.camera.target, up: [0, 1, 0], fov_y: j.camera.fovY_deg,
    near: j.camera.near, far: j.camera.far },
  light: light(j.light), ambient: light(j.ambient), background: null, outlines: true }))));
"""


def bench_shots(harness: Path, avatar: Path, count: int) -> list[dict[str, Any]]:
    """The jobs that bench() draws, in the shots format."""
    script = harness / "bench_jobs.mjs"
    script.write_text(_JOBS)
    command = ["node", script.name, str(count), str(avatar)]
    process = subprocess.run(command, cwd=harness, env=environment(), check=True, capture_output=True, text=True)
    shots: list[dict[str, Any]] = json.loads(process.stdout)
    return shots
