"""Random shots: poses, expressions, gaze, springs, cameras and lights.

Everything here is a pure function of (avatar, label, i); fidelity.py compares pictures of these shots, and
against_three_vrm.py, against_pyrender.py and memory.py draw them for time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from vrm_synth.builtin_avatar import DemoParams, build_glb, variant
from vrm_synth.core.rng import rng
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar

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


def plain_shot(avatar: Avatar, path: Path, label: str, i: int, size: int = 512) -> dict[str, Any]:
    """The same with one form for all: `size`² pixels, transparent, outlined, not anti-aliased, mip-mapped, with a
    light; every second one with an expression or more and with springs settled for half a second."""
    shot = random_shot(avatar, path, label, i)
    r = rng(7, f"plain {label}", i)
    shot |= {"size": [size, size], "background": None, "outlines": True, "supersample": 1, "time": 0}
    shot["light"] = shot["light"] or {"direction": [-0.4, -0.7, -0.6], "color": [1, 1, 1], "intensity": 0.8}
    shot.pop("spring_bones", None)
    names = [n for n, e in avatar.expressions.items() if e.is_bound]
    if i % 2 == 0:
        shot["expressions"] = {}
    elif names and not shot["expressions"]:
        shot["expressions"] = {str(r.choice(names)): float(r.uniform(0.2, 1))}
    if i % 2 and avatar.springs:
        shot["spring_bones"] = {"settle_seconds": 0.5}
    return shot


def avatar_files(
    names: list[str], work: Path, versions: tuple[Literal["0", "1"], ...] = ("1", "0")
) -> list[tuple[str, Path]]:
    """(label, file) of each avatar named; built-in ones are written to `work`, once per VRM version."""
    files = []
    for name in names:
        if not name.startswith("demo"):
            files.append((Path(name).stem, Path(name).resolve()))
            continue
        params = variant(int(name.split(":")[1])) if ":" in name else DemoParams()
        for vrm in versions:
            path = work / f"{name.replace(':', '')}_vrm{vrm}.vrm"
            path.write_bytes(build_glb(params, vrm=vrm))
            files.append((path.stem, path))
    return files
