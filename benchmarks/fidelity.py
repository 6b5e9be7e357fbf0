"""How close our pictures are to three-vrm's, on shots that neither has seen: drawn by both in this run.

    python benchmarks/fidelity.py --reference ../shared/reference --count 20 AVATAR.vrm …

For each avatar `count` shots are drawn at random (poses, expressions, gaze, springs, cameras, lights), by the
reference harness in headless Chromium (Node 20 and Debian's chromium; `npm ci` is run in a copy) and by us with
`compat="three-vrm"`; the table compares picture by picture. "demo:N" names a built-in avatar; it is drawn as the
VRM 1.0 and as the VRM 0.x file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from vrm_synth.avatar import load
from vrm_synth.avatar.compat import as_three_vrm
from vrm_synth.avatar.model import Avatar
from vrm_synth.core.rng import rng
from vrm_synth.dataset.take import answer, take
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render import open_renderer
from vrm_synth.shot import Shot

# Degrees of a random turn about x, y, z (normal distribution, twice this is rare).
LIMBER = {"Finger": (5, 5, 25), "Eye": (0, 0, 0), "jaw": (0, 0, 0), "hips": (5, 60, 5)}
USUAL = (14, 14, 14)


def random_shot(avatar: Avatar, path: Path, label: str, i: int) -> dict[str, Any]:
    """One entry of the shots format; a pure function of its arguments."""
    r = rng(7, f"fidelity {label}", i)
    bones = {}
    for bone in avatar.humanoid:
        spread = next((v for k, v in LIMBER.items() if k in bone), USUAL)
        if any(f in bone for f in ("Thumb", "Index", "Middle", "Ring", "Little")):
            spread = LIMBER["Finger"]
        if any(spread) and r.random() < 0.7:
            bones[bone] = Rotation.from_euler("xyz", r.normal(0, spread), degrees=True).as_quat().tolist()
    names = [n for n, e in avatar.expressions.items() if e.is_bound]
    picked: list[str] = []
    if names:
        picked = r.choice(names, size=min(len(names), int(r.integers(0, 4))), replace=False).tolist()
    points = np.concatenate([p for *_, p, _ in posed_primitives(evaluate(avatar, bones=bones))] or [np.zeros((1, 3))])
    low, high = points.min(0), points.max(0)
    size = max(float(np.linalg.norm(high - low)), 0.01)
    target = low + (high - low) * r.uniform(0.3, 0.7, 3)
    direction = r.normal(size=3) * (1, 0.4, 1)
    direction /= np.linalg.norm(direction)
    fov = float(r.uniform(15, 60))
    distance = size * float(r.uniform(0.25, 0.7)) / np.tan(np.radians(fov) / 2) + size * 0.5
    shot: dict[str, Any] = {
        "id": f"{label}__{i:03d}",
        "avatar": str(path),
        "pose": {"bones": bones},
        "expressions": {str(n): float(r.uniform(0, 1)) for n in picked},
        "camera": {
            "position": (target + direction * distance).tolist(), "target": target.tolist(), "up": [0, 1, 0],
            "near": distance * 0.05, "far": distance * 6,
        },
        "size": [512, 512] if r.random() < 0.7 else [384, 640],
        "light": {"direction": r.normal(size=3).tolist(), "color": r.uniform(0.6, 1, 3).tolist(),
                  "intensity": float(r.uniform(0.3, 1.1))} if r.random() < 0.9 else None,
        "ambient": {"color": r.uniform(0.6, 1, 3).tolist(), "intensity": float(r.uniform(0, 0.5))},
        "background": None if r.random() < 0.5 else [*r.uniform(0, 1, 3).tolist(), 1],
        "outlines": bool(r.random() < 0.85),
        "time": float(r.uniform(0, 3)) if r.random() < 0.5 else 0,
        "supersample": 2 if r.random() < 0.2 else 1,
    }  # fmt: skip
    shot["camera"] |= {"ortho_height": size * 0.8} if r.random() < 0.15 else {"fov_y": fov}
    if avatar.look_at is not None and r.random() < 0.5:
        shot["look_at"] = {"yaw": float(r.uniform(-50, 50)), "pitch": float(r.uniform(-30, 30))}
    if avatar.springs and r.random() < 0.5:
        shot["spring_bones"] = {"settle_seconds": float(r.choice([0.1, 0.5, 2.0]))}
    return shot


def draw_theirs(reference: Path, shots: Path, out: Path, work: Path) -> None:
    """Run the harness on a copy, so that the reference folder stays as it is."""
    harness = work / "harness"
    shutil.copytree(reference / "renderer", harness)
    subprocess.run(["npm", "ci", "--silent"], cwd=harness, check=True)
    command = ["node", "render.mjs", "--shots", str(shots), "--out", str(out), "--quiet"]
    done = subprocess.run(command, cwd=harness, capture_output=True, text=True)
    failed = sorted({line.split("__")[0] for line in done.stderr.splitlines() if "  FAILED  " in line})
    if failed:
        print(f"three-vrm refuses, left out: {', '.join(failed)}")
    if not any(out.iterdir()):
        sys.exit(f"the reference drew nothing:\n{done.stderr}")


def draw_ours(entries: list[dict[str, Any]], out: Path) -> None:
    """The same shots through our renderer, the reference's way."""
    renderer, loaded = open_renderer("gl"), {}
    for entry in entries:
        if entry["avatar"] not in loaded:
            loaded = {entry["avatar"]: as_three_vrm(load(entry["avatar"]))}
        avatar, shot = loaded[entry["avatar"]], Shot.from_json(entry)
        posed, frame = take(renderer, avatar, shot, "three-vrm")
        Image.fromarray(frame.rgba).save(out / f"{shot.id}.png", compress_level=1)
        (out / f"{shot.id}.json").write_text(json.dumps(answer(shot, posed, frame)))
    renderer.close()


def avatar_files(names: list[str], work: Path) -> list[tuple[str, Path]]:
    """(label, file) of each avatar named; built-in ones are written to `work` in both versions."""
    from vrm_synth.avatar.demo import DemoParams, build_glb, variant

    files = []
    for name in names:
        if not name.startswith("demo"):
            files.append((Path(name).stem, Path(name).resolve()))
            continue
        params = variant(int(name.split(":")[1])) if ":" in name else DemoParams()
        for vrm in ("1", "0"):
            path = work / f"{name.replace(':', '')}_vrm{vrm}.vrm"
            path.write_bytes(build_glb(params, vrm=vrm))
            files.append((path.stem, path))
    return files


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
