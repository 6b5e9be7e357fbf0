"""A run's folder as training leaves it, without the training: the tiny base's U-Net, moved a little."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vrm_synth.models import Base
from vrm_synth.models.files import sha256
from vrm_synth.train.config import RunConfig, to_yaml


def make_run(run: Path, base: Base, dataset: Path, steps: tuple[int, ...] = (10, 20), **state: Any) -> Path:
    """RUN with run.yaml and a checkpoint for each of `steps`; dataset: what it says it is trained on."""
    config = RunConfig.model_validate({"base": str(base.folder), "steps": max(steps), "data": {"sources": [dataset]}})
    run.mkdir(parents=True)
    (run / "run.yaml").write_text(to_yaml(config))
    for step in steps:
        place = run / "checkpoints" / f"step-{step:06d}"
        place.mkdir(parents=True)
        tensors = {k: p.detach().clone() for k, p in base.unet.named_parameters()}
        save_file(tensors, place / "unet.safetensors")
        moved = torch.Generator().manual_seed(step)
        save_file(
            {k: t + 0.02 * torch.randn(t.shape, generator=moved) for k, t in tensors.items()}, place / "ema.safetensors"
        )
        model = {"base": str(base.folder), "preset": None, "scratch": None, "lora": None, "hashes": dict(base.hashes)}
        hashes = {f"{name}.safetensors": sha256(place / f"{name}.safetensors") for name in ("unet", "ema")}
        said = {"step": step, "model": model | state, "sha256": hashes, "mean_loss": 1 / step}
        (place / "state.json").write_text(json.dumps(said))
    return run
