"""Merge a LoRA file into a model's weights, completely or not at all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from vrm_synth.models import DiffusionModel
from vrm_synth.models.weight_files import sha256
from vrm_synth.sampling.lora.lora_file import LoraLayer, read_lora
from vrm_synth.sampling.lora.lora_keys import lora_error, lora_modules
from vrm_synth.sampling.model_source import check_lora


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


def merged_weight(layer: LoraLayer, file: Path) -> torch.Tensor:
    """The layer's weight with the whole LoRA merged into it; of a DoRA, with the file's magnitudes (arXiv:2402.09353).

    Raises SamplingError where shapes do not fit, or the result is not finite.
    """
    weight = layer.weight
    down, up, mid = (layer.tensors.get(role) for role in ("down", "up", "mid"))
    if down is None or up is None:
        raise lora_error(file, f"{layer.name}: half a layer", "up and down")
    try:
        a, b = down.flatten(1), up.flatten(1)
        product = b @ a if mid is None else torch.einsum("or,rs...,si->oi...", b, mid, a)
        kernel = (down if mid is None else mid).shape[2:]
        if down.shape[1] != weight.shape[1] or (math.prod(kernel) > 1 and kernel != weight.shape[2:]):
            raise ValueError
        merged = weight + layer.scale * product.reshape(weight.shape)
        factors = _magnitude_factors(layer, merged)
    except (RuntimeError, ValueError, IndexError) as e:
        shapes = ", ".join(f"{k} {tuple(v.shape)}" for k, v in layer.tensors.items())
        raise lora_error(file, f"{layer.name}: {shapes}", f"for a weight {tuple(weight.shape)}") from e
    if factors is not None:
        merged = merged * factors
    if not merged.isfinite().all():
        raise lora_error(file, f"{layer.name}: no finite numbers", "numbers")
    return merged


def _magnitude_factors(layer: LoraLayer, merged: torch.Tensor) -> torch.Tensor | None:
    """Factors that give the merged weight the norms that a DoRA stores as magnitudes; None for a LoRA without any.

    Norms are per output channel, or per input channel as LyCORIS may write them; the shape tells which.
    """
    for role in ("magnitude", "dora_scale"):
        magnitude = layer.tensors.get(role)
        if magnitude is None:
            continue
        ones = (1,) * (merged.ndim - 2)
        if role == "dora_scale" and magnitude.ndim > 1 and magnitude.shape[0] == 1 != merged.shape[0]:
            norm = merged.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *ones)
        else:
            norm = merged.flatten(1).norm(dim=1).reshape(-1, 1, *ones)
        return magnitude.reshape(norm.shape) / norm
    return None
