"""A LoRA's file: whose layers its tensors are, and what they add to a layer's weight.

Names as kohya's scripts and LyCORIS write them (lora_unet_…, lora_te_…), as diffusers does now and did (unet.…,
….processor.to_q_lora.…) and as peft does (base_model.model.…, with adapter_config.json beside). diffusers' own loader
reads them, too, and leaves out what it does not know: magnitudes of kohya's DoRA, layers that the model lacks, and the
text encoder's under transformers 5. Here every tensor of a file has its place, or the file is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from vrm_synth.models.weight_files import read_json, tensors
from vrm_synth.sampling.settings import SamplingError

Modules = Mapping[tuple[str, str], torch.nn.Module]

# How a tensor's name ends → which part of its layer it is.
_PARTS = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".alpha": "alpha",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    ".dora_scale": "dora_scale",
}
# How a layer's name begins → which part of the model it is of.
_PREFIXES = {"unet.": "unet", "text_encoder.": "text_encoder", "lora_unet_": "unet", "lora_te_": "text_encoder",
             "lora_te1_": "text_encoder"}  # fmt: skip
_PEFT = "base_model.model."


@dataclass(frozen=True)
class Layer:
    """What a file has for one layer. module: the model's; parts: its tensors by what they are (_PARTS); scale: of
    up × down, α / rank."""

    name: str
    module: torch.nn.Module
    parts: Mapping[str, torch.Tensor]
    scale: float

    @property
    def weight(self) -> torch.Tensor:
        """The module's: (out, in) or (out, in, height, width)."""
        found = self.module.weight
        assert isinstance(found, torch.Tensor)
        return found


@dataclass(frozen=True)
class _Settings:
    """α as a file's header or adapter_config.json has it. alphas: of single layers, by the ends of their names."""

    alpha: float | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    rank_stabilized: bool = False  # α / √rank (arXiv:2312.03732)


def modules_of(parts: Mapping[str, torch.nn.Module]) -> Modules:
    """(part of the model, name) → layers that have LoRAs, under their own names and with "_" for "."; the text
    encoder's with and without "text_model.", which depends on the version of transformers."""
    found = {}
    for part, model in parts.items():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                plain = name.removeprefix("text_model.")
                for alias in (name, plain, f"text_model.{plain}") if part == "text_encoder" else (name,):
                    found[part, alias] = found[part, alias.replace(".", "_")] = module
    return found


def read_lora(file: Path, modules: Modules) -> list[Layer]:
    """The layers of a file. modules: of `modules_of`. Raises ModelError, SamplingError where a tensor is of no layer of
    the model, or of a kind that cannot be applied."""
    tensors(file)
    by_layer: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load_file(str(file)).items():
        layer, part = _split(key, file)
        if not value.is_floating_point() or not value.numel():
            raise _refused(file, f"{key}: {value.dtype} {tuple(value.shape)}", "numbers")
        by_layer.setdefault(layer, {})[part] = value.float()
    found = {layer: _module(layer, modules) for layer in by_layer}
    missing = sorted(layer for layer, known in found.items() if known is None)
    if missing or not by_layer:
        got = (
            f"{len(missing)} of {len(by_layer)} layers that it does not have, {missing[0]}" if missing else "no layers"
        )
        raise _refused(file, got, "layers of the model")
    settings = _settings(file, any(layer.startswith(_PEFT) for layer in by_layer))
    layers = [_layer(file, name, *known, by_layer[name], settings) for name, known in found.items() if known]
    twice = len(layers) - len({id(layer.module) for layer in layers})
    if twice:
        raise _refused(file, f"{twice} layers twice", "each once")
    return layers


def changed(layer: Layer, file: Path) -> torch.Tensor:
    """The layer's weight with the whole LoRA in it; DoRA: of lengths that the file gives (arXiv:2402.09353). Raises
    SamplingError where shapes do not fit, or what comes out is no number."""
    weight = layer.weight
    down, up, mid = (layer.parts.get(part) for part in ("down", "up", "mid"))
    if down is None or up is None:
        raise _refused(file, f"{layer.name}: half a layer", "up and down")
    try:
        a, b = down.flatten(1), up.flatten(1)
        product = b @ a if mid is None else torch.einsum("or,rs...,si->oi...", b, mid, a)
        kernel = (down if mid is None else mid).shape[2:]
        if down.shape[1] != weight.shape[1] or (math.prod(kernel) > 1 and kernel != weight.shape[2:]):
            raise ValueError
        full = weight + layer.scale * product.reshape(weight.shape)
        lengths = _lengths(layer, full)
    except (RuntimeError, ValueError, IndexError) as e:
        shapes = ", ".join(f"{k} {tuple(v.shape)}" for k, v in layer.parts.items())
        raise _refused(file, f"{layer.name}: {shapes}", f"for a weight {tuple(weight.shape)}") from e
    whole = full if lengths is None else full * lengths
    if not whole.isfinite().all():
        raise _refused(file, f"{layer.name}: no finite numbers", "numbers")
    return whole


def _lengths(layer: Layer, full: torch.Tensor) -> torch.Tensor | None:
    """What a DoRA's weight is multiplied by, given length over its own: of each output, or as LyCORIS may have it of
    each input, which the shape tells."""
    for part in ("magnitude", "dora_scale"):
        given = layer.parts.get(part)
        if given is None:
            continue
        ones = (1,) * (full.ndim - 2)
        if part == "dora_scale" and given.ndim > 1 and given.shape[0] == 1 != full.shape[0]:
            own = full.transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *ones)
        else:
            own = full.flatten(1).norm(dim=1).reshape(-1, 1, *ones)
        return given.reshape(own.shape) / own
    return None


def _split(key: str, file: Path) -> tuple[str, str]:
    for end, part in _PARTS.items():
        if key.endswith(end):
            layer = key.removesuffix(end)
            if end.startswith("_"):  # diffusers before peft: attn1.processor.to_out_lora is attn1.to_out.0's
                layer = layer.replace(".processor.", ".")
                layer += ".0" if layer.endswith(".to_out") else ""
            return layer, part
    raise _refused(file, key, "LoRA, LoCon and DoRA: up, down, mid, alpha, magnitude")


def _module(layer: str, modules: Modules) -> tuple[str, torch.nn.Module] | None:
    """(its name in the model, module)."""
    name = layer.removeprefix(_PEFT)
    places = [(part, name.removeprefix(prefix)) for prefix, part in _PREFIXES.items() if name.startswith(prefix)]
    for place in places[:1] or [("unet", name), ("text_encoder", name)]:
        if place in modules:
            return ".".join(place), modules[place]
    return None


def _layer(
    file: Path,
    key: str,
    name: str,
    module: torch.nn.Module,
    parts: dict[str, torch.Tensor],
    settings: Mapping[str, _Settings],
) -> Layer:
    part, _, below = name.partition(".")
    own = settings.get(part, _Settings())
    rank = len(parts["down"]) if "down" in parts else 1
    alpha = own.alpha
    for end, value in own.alphas.items():
        if below == end or below.endswith(f".{end}"):
            alpha = value
    if "alpha" in parts:
        if parts["alpha"].numel() != 1:
            raise _refused(file, f"{key}: alpha {tuple(parts['alpha'].shape)}", "one number")
        alpha = float(parts["alpha"])
    scale = 1.0 if alpha is None else alpha / (math.sqrt(rank) if own.rank_stabilized else rank)
    return Layer(key, module, {k: v for k, v in parts.items() if k != "alpha"}, scale)


def _settings(file: Path, peft: bool) -> Mapping[str, _Settings]:
    """Of each part of the model: from the file's header, or from peft's file beside it."""
    with safe_open(str(file), framework="pt") as f:
        header = (f.metadata() or {}).get("lora_adapter_metadata")
    try:
        if header is not None:
            saved = json.loads(header)
            return {part: _read_settings(saved, f"{part}.") for part in ("unet", "text_encoder")}
        if peft:
            beside = file.with_name("adapter_config.json")
            if not beside.is_file():
                raise _refused(file, "α is not known", "adapter_config.json beside it")
            return dict.fromkeys(("unet", "text_encoder"), _read_settings(read_json(beside), ""))
    except (ValueError, TypeError, AttributeError, RecursionError) as e:
        raise _refused(file, f"settings: {e}", "as diffusers and peft write them") from e
    return {}


def _read_settings(saved: Mapping[str, Any], prefix: str) -> _Settings:
    alpha, alphas = saved.get(f"{prefix}lora_alpha"), saved.get(f"{prefix}alpha_pattern") or {}
    return _Settings(
        None if alpha is None else float(alpha),
        {str(k): float(v) for k, v in alphas.items()},
        bool(saved.get(f"{prefix}use_rslora")),
    )


def _refused(file: Path, got: str, allowed: str) -> SamplingError:
    return SamplingError("does not fit the model", got=got, allowed=allowed, where=file)
