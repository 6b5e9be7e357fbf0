"""Images a second at 512×512, split by stage, on the built-in avatar and on a real one, for each renderer.

    python benchmarks/stages.py [--shots 60] [--size 512] [--avatar SOURCE ...] [--renderer NAME ...]

One process; every renderer draws the same shots (the default recipe: poses, views, springs, 2 × 2
supersampling) in the same run, so that their ratio means something. Medians, after a warm-up.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.bench import STAGES, StageSeconds, make_picture, timed
from vrm_synth.render import RenderBackend, open_backend
from vrm_synth.shot import Recipe

WARM_UP = 3
LOADS = 3


def measure(name: str, renderer: RenderBackend, source: str, shots: int, size: int, folder: Path) -> dict[str, Any]:
    """One row: medians by stage of `shots` pictures of one avatar by one renderer."""
    loads: list[StageSeconds] = [{} for _ in range(LOADS)]
    for seconds in loads:
        with timed(seconds, "load"):
            avatar = open_avatar(source)
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": shots, "size": size})
    pictures = []
    for i in range(-WARM_UP, shots):
        start = time.perf_counter()
        seconds = make_picture(renderer, avatar, recipe, i % shots, folder)
        pictures.append(seconds | {"whole": time.perf_counter() - start})
    del pictures[:WARM_UP]
    return {
        "renderer": name,
        "avatar": Path(source).name,
        "triangles": avatar.triangle_count,
        "images_per_second": 1 / statistics.median(seconds["whole"] for seconds in pictures),
        "ms": {
            stage: statistics.median(seconds[stage] for seconds in samples) * 1e3
            for stage in STAGES
            for samples in (loads if stage == "load" else pictures,)
            if stage in samples[0]
        },
    }


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
    parser.add_argument("--avatar", action="append", help="demo, demo:3 or a VRM file")
    parser.add_argument("--renderer", action="append", choices=["gl", "pyrender"])
    parser.add_argument("--device", type=int, default=0, help="index of the EGL device")
    chosen = parser.parse_args()
    installed = ["gl", *(["pyrender"] if importlib.util.find_spec("pyrender") else [])]
    rows, device = [], ""
    with tempfile.TemporaryDirectory() as folder:
        for source in chosen.avatar or default_avatars():
            for name in chosen.renderer or installed:
                renderer = open_backend(name, chosen.device)
                device = device or renderer.device
                rows.append(measure(name, renderer, source, chosen.shots, chosen.size, Path(folder)))
                renderer.close()
    print(device)
    print(table(rows))


if __name__ == "__main__":
    main()
