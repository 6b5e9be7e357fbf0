"""One picture with its ground truth: python examples/ground_truth.py [AVATAR] [FOLDER]"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import vrm_synth as vs

PASSES = ("depth", "normal", "parts", "pose", "lines")


def main(source: str = "demo", out: str = "ground_truth") -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with vs.Renderer() as renderer:
        frame = renderer.render(vs.load(source), pose="wave", view="cowboy_front_level", passes=PASSES, annotate=True)
    frame.image.save(folder / "picture.png")
    for name in ("pose", "lines"):  # (H, W, 3) uint8
        Image.fromarray(frame.passes[name]).save(folder / f"{name}.png")
    depth = frame.passes["depth"]  # (H, W) float32 metres, +inf for the background
    np.savez_compressed(folder / "arrays.npz", depth=depth, parts=frame.passes["parts"], normal=frame.passes["normal"])
    (folder / "annotation.json").write_text(json.dumps(frame.annotation.to_json()))
    drawn = np.isfinite(depth)
    visible = sum(v == "visible" for v in frame.annotation.keypoints.visibility)
    print(f"{out}: depth {depth[drawn].min():.2f} to {depth[drawn].max():.2f} m, {visible} keypoints in sight")


if __name__ == "__main__":
    main(*sys.argv[1:])
