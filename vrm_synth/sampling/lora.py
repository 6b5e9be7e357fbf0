"""Merge a LoRA file into a model's weights, completely or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from vrm_synth.models import DiffusionModel
from vrm_synth.models.weight_files import sha256
from vrm_synth.sampling.lora_file import lora_modules, merged_weight, read_lora
from vrm_synth.sampling.run_settings import check_lora


@torch.no_grad()
def merge_lora(model: DiffusionModel, file: Path, scale: float = 1.0) -> DiffusionModel:
    """Merge a LoRA, LoCon or DoRA into the model's weights, in place.

    file: .safetensors, as diffusers, peft, kohya's scripts and LyCORIS write them.
    scale: 0 keeps the model's weights, 1 gives those with the whole LoRA; values between and beyond interpolate.

    Returns the model with the LoRA in its identity. Raises ModelError, SamplingError.
    """
    check_lora(file)
    modules = lora_modules({"unet": model.unet, "text_encoder": model.text_encoder})
    layers = read_lora(file, modules)
    merged = [merged_weight(layer, file) for layer in layers]  # all, before the first is assigned
    for layer, weight in zip(layers, merged, strict=True):
        layer.weight.add_(weight - layer.weight, alpha=scale)
    loras = [*model.identity.get("loras", []), {"sha256": sha256(file), "scale": scale}]
    return replace(model, identity={**model.identity, "loras": loras})
