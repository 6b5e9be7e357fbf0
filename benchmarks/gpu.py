"""Rendering rate of a GPU in one process and its limits: anti-aliasing, the ring of pixel buffers, encoding.

    python benchmarks/gpu.py [--device 0] [--avatars NAME …] [--shots 400] [--rounds 3] [--dry]
    python benchmarks/workers.py --workers 1 2 4 8 16 --shots 4000      then: how many processes keep it busy

For each avatar and each way of anti-aliasing, pictures a second at 512² of shots that are posed already: `draw` to
the end of glFinish, never read; `one by one` through render(), which waits for each; `stream` through the ring of
pixel buffers; `encoded` the stream with each picture packed as PNG between two draws. The bottleneck
shows as the largest drop: from draw to stream it is reading back, from stream to encoded the encoder; posing comes on
top (raster.py). The
ring is worth its code where `stream` beats `one by one`; both are interleaved, round by round, and medians are printed.

On software OpenGL it runs as well (the ring is then off, as in real runs), which tests the script without a GPU.
No GPU has run it yet: the figures that the design rests on (docs/architecture.md, Renderers) are llvmpipe's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import machine
from random_shots import avatar_files, plain_shot

from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import Shot
from vrm_synth.vrm import load

VARIANTS: dict[str, Callable[[View], View]] = {
    "none": lambda view: replace(view, supersample=1),
    "multisample": lambda view: replace(view, supersample=2, antialias="multisample"),
    "supersample": lambda view: replace(view, supersample=2, antialias="supersample"),
}
Pictures = Sequence[tuple[PosedAvatar, View]]


def draw_only(renderer: GLBackend, pictures: Pictures) -> None:
    for posed, view in pictures:
        renderer.draw(posed, view)
    renderer.finish()


def one_by_one(renderer: GLBackend, pictures: Pictures) -> None:
    for posed, view in pictures:
        renderer.render(posed, view)


def streamed(renderer: GLBackend, pictures: Pictures) -> None:
    for _ in renderer.stream(pictures):
        pass


def encoded(renderer: GLBackend, pictures: Pictures) -> None:
    for frame in renderer.stream(pictures):
        encode_png(frame.rgba)


LOOPS = {"draw": draw_only, "one by one": one_by_one, "stream": streamed, "encoded": encoded}


def rates(renderer: GLBackend, pictures: Pictures, rounds: int) -> dict[str, float]:
    """Pictures per second of each loop, medians of interleaved rounds."""
    samples: dict[str, list[float]] = {name: [] for name in LOOPS}
    for n in range(rounds + 1):
        for name, loop in LOOPS.items():
            start = time.perf_counter()
            loop(renderer, pictures)
            if n:  # the first round compiles shaders and sends textures
                samples[name].append(len(pictures) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatars", nargs="+", default=["m_expressive", "crimsom", "demo"])
    parser.add_argument("--shots", type=int, default=400, help="shots an avatar")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", type=int, default=0, help="index of the EGL device")
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    renderer, facts, rows = GLBackend(o.device), machine.facts(), []
    print(renderer.device)
    print(f"{'avatar':15}{'antialias':13}" + "".join(f"{name:>12}" for name in LOOPS) + "   pictures a second")
    with tempfile.TemporaryDirectory() as name:
        for label, path in avatar_files([machine.avatar(a) for a in o.avatars], Path(name), versions=("1",)):
            avatar = load(path)
            shots = [Shot.from_json(plain_shot(avatar, path, label, i)) for i in range(o.shots)]
            posed = [(pose_for(avatar, shot), shot.view()) for shot in shots]
            for variant, view_of in VARIANTS.items():
                by_loop = rates(renderer, [(p, view_of(view)) for p, view in posed], o.rounds)
                print(
                    f"{label[:14]:15}{variant:13}" + "".join(f"{rate:12.1f}" for rate in by_loop.values()), flush=True
                )
                columns = {k.replace(" ", "_"): round(v, 1) for k, v in by_loop.items()}
                rows.append(facts | {"device": renderer.device, "avatar": label, "antialias": variant} | columns)
    if not o.dry:
        machine.append("gpu", rows)


if __name__ == "__main__":
    main()
