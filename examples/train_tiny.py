"""Render, train, draw, look: python examples/train_tiny.py [FOLDER [STEPS [PICTURES]]]

A model small enough for a laptop's processor, whose pictures are 8 × 8 colours. In two minutes every part is seen at
work, and a figure begins to stand before its background; the same commands train a real base model on a GPU.
"""

import shlex
import sys

from vrm_synth.cli import main


def run(folder: str = "out/train_tiny", steps: str = "600", pictures: str = "24") -> None:
    where = shlex.quote(folder)
    prompt = "A close-up portrait of a girl with pink hair, on a plain red background."
    for command in (
        f"vrm-synth demo -o {where}/pictures --count {pictures} --size 64",
        f"vrm-synth train --base tiny --data {where}/pictures -o {where}/run --steps {steps}",
        f"vrm-synth sample {where}/run --prompt {shlex.quote(prompt)} --count 4 --guidance-scale 2 -o {where}/samples",
        f"vrm-synth preview {where}/run --guidance-scale 2",
    ):
        print(f"\n$ {command}", flush=True)
        main(shlex.split(command)[1:], standalone_mode=False)


if __name__ == "__main__":
    run(*sys.argv[1:])
