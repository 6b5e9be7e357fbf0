"""A run's folder as training leaves it, without the training: the tiny base's U-Net, moved a little."""

from __future__ import annotations

from pathlib import Path

import torch

from vrm_synth.models import DiffusionModel
from vrm_synth.training import checkpoint
from vrm_synth.training.config import RunConfig, to_yaml


def make_run(run: Path, base: DiffusionModel, dataset: Path, steps: tuple[int, ...] = (10, 20)) -> Path:
    """RUN with run.yaml and a checkpoint for each of `steps`; dataset: what it says it is trained on."""
    config = RunConfig.model_validate({"base": str(base.folder), "steps": max(steps), "data": {"sources": [dataset]}})
    run.mkdir(parents=True)
    (run / "run.yaml").write_text(to_yaml(config))
    model = {
        "base": str(base.folder),
        "name": base.name,
        "preset": None,
        "scratch": None,
        "lora": None,
        "hashes": dict(base.file_sha256),
        "scheduler": base.scheduler_config,
    }
    weights = {k: p.detach() for k, p in base.unet.named_parameters()}
    for step in steps:
        moved = torch.Generator().manual_seed(step)
        ema = {k: t + 0.02 * torch.randn(t.shape, generator=moved) for k, t in weights.items()}
        state = {"model": model, "mean_loss": 1 / step}
        checkpoint.save(run, step, weights, ema, {"step": torch.tensor(step)}, state)
    return run
