"""Render, train, sample, compare: python examples/train_tiny.py [FOLDER [STEPS [PICTURES]]]

A model small enough for a laptop's processor, whose pictures are 8 × 8 colours. In two minutes every part is seen at
work, and a figure begins to stand before its background; the same calls train a real base model on a GPU.
"""

import sys
from pathlib import Path

import vrm_synth as vs


def main(folder: str = "out/train_tiny", steps: str = "600", pictures: str = "24") -> None:
    out, count = Path(folder), int(steps)
    print("1. render", flush=True)
    recipe = vs.default_recipe(["demo:0..7"], count=int(pictures), size=64)
    dataset = vs.render_dataset(recipe, out / "pictures")
    print(dataset, flush=True)

    print("2. train", flush=True)
    data = {"sources": [str((out / "pictures").absolute())]}
    vs.train(
        {"base": "tiny", "steps": count, "data": data, "checkpoint_every": count, "preview_every": count}, out / "run"
    )

    print("3. sample", flush=True)
    prompt = "A close-up portrait of a girl with pink hair, on a plain red background."
    vs.sample(out / "run", prompt, out / "samples", count=4, guidance_scale=2)

    print(f"4. compare: {out / 'run' / 'preview.html'}, {out / 'samples' / 'grid.png'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
