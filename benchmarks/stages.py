"""Images a second at 512×512, split by stage, on the built-in avatar and on a real one, for each renderer.

    python benchmarks/stages.py [--shots 60] [--size 512] [--json] [--avatar SOURCE ...] [--renderer NAME ...]

One process; every renderer draws the same shots (the default recipe: poses, views, springs, 2 × 2
supersampling) in the same run, so that their ratio means something. Medians, after a warm-up.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vrm_synth.avatar import Avatar, open_avatar
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.files import write_file
from vrm_synth.dataset.take import pose_for
from vrm_synth.render import Renderer, open_renderer
from vrm_synth.render.gl.renderer import GLRenderer
from vrm_synth.shot import load_recipe, shot_at

WARM_UP = 3
LOADS = 3
STAGES = ("load", "shot", "pose", "draw", "read back", "encode", "write")


class Clock:
    """Milliseconds by stage, one list entry a lap."""

    def __init__(self) -> None:
        self.laps: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def lap(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.laps[stage].append((time.perf_counter() - start) * 1e3)

    def medians(self) -> dict[str, float]:
        return {s: statistics.median(self.laps[s]) for s in STAGES if s in self.laps}


def measure(name: str, renderer: Renderer, source: str, shots: int, size: int, folder: Path) -> dict[str, Any]:
    """One row: medians by stage of `shots` pictures of one avatar by one renderer."""
    clock = Clock()
    for _ in range(LOADS):
        with clock.lap("load"):
            avatar = open_avatar(source)
    recipe_file = folder / "recipe.yaml"
    recipe_file.write_text(f"avatars: [{json.dumps(source)}]\ncount: {shots}\nsize: {size}\n", encoding="utf-8")
    recipe = load_recipe(recipe_file)
    for i in range(-WARM_UP, shots):
        if i == 0:
            loads, clock = clock.laps["load"], Clock()
            clock.laps["load"] = loads
        with clock.lap("whole"):
            one_shot(clock, renderer, avatar, recipe, i % shots, folder)
    return {
        "renderer": name,
        "avatar": Path(source).name,
        "triangles": avatar.triangle_count,
        "images_per_second": 1e3 / statistics.median(clock.laps["whole"]),
        "ms": clock.medians(),
    }


def one_shot(clock: Clock, renderer: Renderer, avatar: Avatar, recipe: Any, i: int, folder: Path) -> None:
    """Everything that happens for one picture of a dataset."""
    with clock.lap("shot"):
        shot = shot_at(recipe, i, lambda source: avatar)
    with clock.lap("pose"):
        posed = pose_for(avatar, shot)
    view = shot.view()
    if isinstance(renderer, GLRenderer):
        with clock.lap("draw"):
            renderer.draw(posed, view)
            renderer.finish()
        with clock.lap("read back"):
            rgba = renderer.read_back(view)
    else:
        with clock.lap("draw"):
            rgba = renderer.render(posed, view).rgba
    with clock.lap("encode"):
        data = encode_png(rgba)
    with clock.lap("write"):
        write_file(folder / f"{i:06d}.png", data)


def default_avatars() -> list[str]:
    """The built-in avatar, and m_expressive.vrm where the corpus is."""
    named = os.environ.get("VRM_SYNTH_CORPUS")
    corpus = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    real = corpus / "avatars" / "m_expressive.vrm"
    return ["demo", *([str(real)] if real.is_file() else [])]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text, and the ratio of the renderers."""
    head = f"{'renderer':10}{'avatar':20}{'triangles':>10}{'images/s':>10}" + "".join(f"{s:>11}" for s in STAGES)
    lines = [head + "   (ms, medians)"]
    for row in rows:
        cells = "".join(f"{row['ms'][s]:11.2f}" if s in row["ms"] else f"{'':11}" for s in STAGES)
        lines.append(
            f"{row['renderer']:10}{row['avatar'][:19]:20}{row['triangles']:10d}{row['images_per_second']:10.1f}{cells}"
        )
    for row in rows:
        for other in rows:
            if row["renderer"] == "gl" and other["renderer"] != "gl" and row["avatar"] == other["avatar"]:
                ratio = row["images_per_second"] / other["images_per_second"]
                lines.append(f"{row['avatar']}: gl draws {ratio:.1f} × as many images a second as {other['renderer']}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="images/s by stage")
    parser.add_argument("--shots", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--avatar", action="append", help="demo, demo:3 or a VRM file")
    parser.add_argument("--renderer", action="append", choices=["gl", "pyrender"])
    parser.add_argument("--device", type=int, default=0, help="index of the EGL device")
    chosen = parser.parse_args()
    installed = ["gl", *(["pyrender"] if importlib.util.find_spec("pyrender") else [])]
    rows, device = [], ""
    with tempfile.TemporaryDirectory() as folder:
        for source in chosen.avatar or default_avatars():
            for name in chosen.renderer or installed:
                renderer = open_renderer(name, chosen.device)
                device = device or renderer.device
                rows.append(measure(name, renderer, source, chosen.shots, chosen.size, Path(folder)))
                renderer.close()
    if chosen.json:
        result = {"device": device, "size": [chosen.size, chosen.size], "shots": chosen.shots, "rows": rows}
        print(json.dumps(result, indent=1))
    else:
        print(device)
        print(table(rows))


if __name__ == "__main__":
    main()
