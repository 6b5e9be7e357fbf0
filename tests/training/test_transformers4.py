"""Exported models are opened by transformers 4, too, with the libraries of its day, and draw the same pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training import runs
from vrm_synth.training.export import export

# The last of them: no diffusers that needs huggingface_hub 1 or newer goes with it.
OLD = (
    "transformers==4.57.6",
    "tokenizers==0.22.1",
    "huggingface_hub==0.36.0",
    "diffusers==0.35.2",
    "peft==0.17.1",
    "accelerate==1.10.1",
)
DRAW = """
import sys
import numpy as np, torch, transformers
from diffusers import StableDiffusionPipeline
from transformers import CLIPTokenizer

model, lora, out = sys.argv[1:]
torch.set_num_threads(1)
pipe = StableDiffusionPipeline.from_pretrained(model, use_safetensors=True, local_files_only=True)
pipe.set_progress_bar_config(disable=True)
prompt = "A girl's café, 桜; left-handed 1999!"

def draw():
    generator = torch.Generator().manual_seed(0)
    return pipe(prompt, generator=generator, num_inference_steps=3, height=64, width=64, output_type="np").images[0]

plain = draw()
pipe.load_lora_weights(lora, weight_name="pytorch_lora_weights.safetensors")
np.savez(out, plain=plain, lora=draw(), tokens=pipe.tokenizer(prompt).input_ids, version=transformers.__version__)
"""


def drawn(made: Path, name: str, path: str) -> dict[str, np.ndarray]:
    out = made / f"{name}.npz"
    command = [sys.executable, "-c", DRAW, str(made / "model"), str(made / "lora"), str(out)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return dict(np.load(out))


@pytest.mark.slow
def test_transformers_4_gives_the_pictures_of_5(tmp_path):
    old = tmp_path / "old"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(old), *OLD]
    got = subprocess.run(command, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"transformers 4 cannot be installed here: {' '.join(got.stderr.split())[-300:]}")
    data = runs.dataset(tmp_path / "data")
    for name, lora in (("model", None), ("lora", {"rank": 4, "alpha": 8.0})):
        settings = runs.settings(data, steps=3, lora=lora, learning_rate=1e-2)
        runs.go(settings, tmp_path / f"run-{name}")
        export(tmp_path / f"run-{name}", tmp_path / name)
    now, then = drawn(tmp_path, "now", ""), drawn(tmp_path, "then", str(old))
    assert (str(now["version"])[0], str(then["version"])[0]) == ("5", "4")
    assert now["tokens"].tolist() == then["tokens"].tolist()
    assert np.abs(now["plain"] - now["lora"]).max() > 0.01
    for name in ("plain", "lora"):
        assert np.abs(now[name] - then[name]).max() < 1e-3, name
