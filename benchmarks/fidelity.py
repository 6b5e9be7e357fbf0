"""Fidelity to three-vrm on new random shots, rendered by both in this run.

    python benchmarks/fidelity.py --reference ../shared/reference --count 20 AVATAR.vrm …

For each avatar `count` shots are drawn at random (poses, expressions, gaze, springs, cameras, lights), by the
reference harness in headless Chromium (Node 20 and Debian's chromium; `npm ci` is run in a copy) and by us with
`compat="three-vrm"`; the table compares picture by picture. "demo:N" names a built-in avatar; it is drawn as the
VRM 1.0 and as the VRM 0.x file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
from PIL import Image
from random_shots import avatar_files, random_shot

from vrm_synth.dataset.render_shot import answer, render_shot
from vrm_synth.render import open_backend
from vrm_synth.shot import Shot
from vrm_synth.vrm import load
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


def draw_theirs(reference: Path, shots: Path, out: Path, work: Path) -> None:
    """Render the shots with the reference harness; shots that it refuses are reported and left out."""
    folder = harness.prepare(reference, work)
    process = subprocess.run(harness.draw_command(shots, out), cwd=folder, capture_output=True, text=True)
    failed = sorted({line.split("__")[0] for line in process.stderr.splitlines() if "  FAILED  " in line})
    if failed:
        print(f"three-vrm refuses, left out: {', '.join(failed)}")
    if not any(out.iterdir()):
        sys.exit(f"the reference drew nothing:\n{process.stderr}")


def draw_ours(entries: list[dict[str, Any]], out: Path) -> None:
    """Render the same shots with our renderer in three-vrm compatibility mode."""
    renderer, loaded = open_backend("gl"), {}
    for entry in entries:
        if entry["avatar"] not in loaded:
            loaded = {entry["avatar"]: as_three_vrm(load(entry["avatar"]))}
        avatar, shot = loaded[entry["avatar"]], Shot.from_json(entry)
        posed, frame = render_shot(renderer, avatar, shot, "three-vrm")
        Image.fromarray(frame.rgba).save(out / f"{shot.id}.png", compress_level=1)
        (out / f"{shot.id}.json").write_text(json.dumps(answer(shot, posed, frame)))
    renderer.close()


def main() -> None:
    """Draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatars", nargs="+")
    parser.add_argument("--reference", type=Path, required=True, help="folder with compare.py and renderer/")
    parser.add_argument("--count", type=int, default=20, help="shots an avatar")
    parser.add_argument("--worst", type=int, default=12, help="rows and pictures of the worst cases")
    parser.add_argument("--sheet", type=Path, help="write the worst cases side by side")
    parser.add_argument("--json", type=Path, help="write every case's figures")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        entries = []
        for label, path in avatar_files(o.avatars, work):
            avatar = load(path)
            entries += [random_shot(avatar, path, label, i) for i in range(o.count)]
        (work / "shots.json").write_text(json.dumps(entries))
        for folder in ("theirs", "ours"):
            (work / folder).mkdir()
        draw_theirs(o.reference.resolve(), work / "shots.json", work / "theirs", work)
        draw_ours(entries, work / "ours")
        compare = [sys.executable, o.reference / "compare.py", work / "theirs", work / "ours", "--worst", str(o.worst)]
        for option, value in (("--sheet", o.sheet), ("--json", o.json)):
            compare += [option, value] if value else []
        sys.exit(subprocess.run(compare).returncode)


if __name__ == "__main__":
    main()
