"""Small stages of a dataset's picture against their former versions, in one run: CPU milliseconds per picture.

    python benchmarks/small_stages.py [--shots 60] [--size 512] [--avatars demo m_expressive crimsom]

check: dataset/image_checks.py's `find_fault` on packed pixels, against the same checks on single channels.
parts: the primitives that are drawn (for what an expression moves, shot/body_view.py), against a list from skinning
the body. pose: the pose of a shot that planning has posed already, against posing it again (dataset/render_task.py;
only where no gaze turns the eyes). gaze: the angles of a gaze at a point, against those of the whole pose. What both
return must be equal; they alternate; the least of three rounds counts, and means over the pictures are shown,
before → now.

First seen (2 cores at load 4.6): check 3.94 → 0.23, parts 1.02 → 0.01, pose 0.56 → 0.00 and gaze 0.55 → 0.26 ms of
the built-in avatar's pictures; 3.78 → 0.21, 0.45 → 0.01, 0.35 → 0.00 and 0.30 → 0.20 of m_expressive's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.image_checks import find_fault
from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.pose.evaluate import evaluate, gaze_of
from vrm_synth.pose.skinning import drawn_primitives, posed_primitives
from vrm_synth.render import RenderBackend, open_backend
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.vrm import Avatar

STAGES = ("check", "parts", "pose", "gaze")
ROUNDS = 3
# What a stage finds, as it was and as it is, in a form that can be compared.
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def fault_by_channels(rgba: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """The former image check."""
    if rgba.shape[1::-1] != size:
        return "of another size"
    colors = np.ascontiguousarray(rgba).view("<u4")[..., 0]
    if (colors == colors[0, 0]).all():
        return "empty: every pixel is the same"
    visible = rgba[(rgba[..., 3] > 0) & (colors != colors[0, 0])]
    if not len(visible):
        return "empty: nothing that can be seen"
    if (visible[:, :3].max(1) <= 8).mean() >= 0.995:
        return "black"
    if (visible[:, :3].min(1) == 255).mean() >= 0.995:
        return "blown out: all white"
    return ""


def pairs(renderer: RenderBackend, avatar: Avatar, recipe: Recipe, i: int) -> Iterator[tuple[str, Pair]]:
    """The stages that picture i goes through."""
    planned = plan_shot(recipe, i, lambda _: avatar)
    shot = planned.shot
    posed, frame = render_shot(renderer, avatar, shot, posed=planned.posed)
    yield "check", (lambda: fault_by_channels(frame.rgba, shot.size), lambda: find_fault(frame.rgba, shot.size))
    yield (
        "parts",
        (
            lambda: [(node, id(p)) for node, p, *_ in posed_primitives(posed, with_normals=False)],
            lambda: [(node, id(p)) for node, _, p in drawn_primitives(avatar)],
        ),
    )
    if planned.posed is not None:
        known = planned.posed.world_from_node
        yield "pose", (lambda: pose_for(avatar, shot).world_from_node, lambda: known)
    where: dict[str, Any] = {
        "bones": shot.figure.bones,
        "hips_offset": shot.figure.hips_offset,
        "look_at": shot.camera.position,
    }
    yield "gaze", (lambda: evaluate(avatar, **where).look_at, lambda: gaze_of(avatar, **where))


def measure(pair: Pair) -> tuple[float, float]:
    """CPU milliseconds of (the former version, the present one)."""
    least = [np.inf, np.inf]
    for _ in range(ROUNDS):
        results = []
        for k, f in enumerate(pair):
            start = time.process_time()
            results.append(f())
            least[k] = min(least[k], (time.process_time() - start) * 1e3)
        assert np.array_equal(*results)
    return least[0], least[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=60, help="shots an avatar")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--avatars", nargs="+", default=["demo", "m_expressive", "crimsom"])
    o = parser.parse_args()
    os.environ.setdefault("LP_NUM_THREADS", "0")
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": o.shots, "size": o.size})
    print(f"load {machine.facts()['load']}, ms a picture" + "".join(f"{s:>17}" for s in STAGES))
    with contextlib.closing(open_backend("gl")) as renderer:
        for name in o.avatars:
            avatar = open_avatar(machine.avatar(name))
            times = defaultdict(list)
            for i in range(o.shots):
                for stage, pair in pairs(renderer, avatar, recipe, i):
                    times[stage].append(measure(pair))
            means = {s: [statistics.mean(side) for side in zip(*times[s], strict=True)] for s in STAGES if times[s]}
            cells = (f"{means[s][0]:.2f} → {means[s][1]:.2f}" if s in means else "" for s in STAGES)
            print(f"{name:23}" + "".join(f"{c:>17}" for c in cells))


if __name__ == "__main__":
    main()
