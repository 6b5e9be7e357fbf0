"""A LoRA from elsewhere, added into a model's own weights: the whole of it, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from vrm_synth.models import Base
from vrm_synth.models.weight_files import sha256
from vrm_synth.sampling.lora_file import changed, modules_of, read_lora
from vrm_synth.sampling.run_facts import check_lora


@torch.no_grad()
def add_lora(model: Base, file: Path, scale: float = 1.0) -> Base:
    """The model with a LoRA's, LoCon's or DoRA's weights added into its own. Raises ModelError, SamplingError.

    file: .safetensors, as diffusers, peft, kohya's scripts and LyCORIS write them. scale: how far weights go from the
    model's (0) to those that the file makes of them (1).
    """
    check_lora(file)
    modules = modules_of({"unet": model.unet, "text_encoder": model.text_encoder})
    layers = read_lora(file, modules)
    made = [changed(layer, file) for layer in layers]  # all, before any is put in its place
    for layer, whole in zip(layers, made, strict=True):
        layer.weight.add_(whole - layer.weight, alpha=scale)
    loras = [*model.identity.get("loras", []), {"sha256": sha256(file), "scale": scale}]
    return replace(model, identity={**model.identity, "loras": loras})
