"""Reader of LoRA files: which layer of the model each tensor belongs to, and the merged weight of a layer.

Tensor names are those of kohya's scripts and LyCORIS (lora_unet_…, lora_te_…), of diffusers' present and former
versions (unet.…, ….processor.to_q_lora.…) and of peft (base_model.model.…, with an adapter_config.json in the same
folder). diffusers' own loader reads them, too, but silently skips what it does not know: magnitudes of kohya's DoRA,
layers that the model lacks, and those of the text encoder under transformers 5. Here every tensor of a file is used, or
the file is refused.
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

from vrm_synth.models.weight_files import read_json, tensor_shapes
from vrm_synth.sampling.settings import SamplingError

Modules = Mapping[tuple[str, str], torch.nn.Module]

# suffix of a tensor's name → role in its layer
_ROLES = {
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
# prefix of a layer's name → component of the model
_PREFIXES = {"unet.": "unet", "text_encoder.": "text_encoder", "lora_unet_": "unet", "lora_te_": "text_encoder",
             "lora_te1_": "text_encoder"}  # fmt: skip
_PEFT = "base_model.model."


@dataclass(frozen=True)
class LoraLayer:
    """A file's tensors of one layer.

    name: as the file has it.
    module: the model's layer.
    tensors: by role, a value of _ROLES.
    scale: factor of up × down, α / rank.
    """

    name: str
    module: torch.nn.Module
    tensors: Mapping[str, torch.Tensor]
    scale: float

    @property
    def weight(self) -> torch.Tensor:
        """The module's weight, (out, in) or (out, in, height, width)."""
        weight = self.module.weight
        assert isinstance(weight, torch.Tensor)
        return weight


@dataclass(frozen=True)
class _AlphaConfig:
    """α of a file, from its header or adapter_config.json.

    alpha: of all layers; None where it is not given.
    alphas: of single layers, by the suffix of their names.
    rank_stabilized: the scale is α / √rank (arXiv:2312.03732) instead of α / rank.
    """

    alpha: float | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    rank_stabilized: bool = False


def lora_modules(components: Mapping[str, torch.nn.Module]) -> Modules:
    """Map (component, name) to the layers that can have a LoRA.

    Each is listed under its own name and under that with "_" for "."; the text encoder's with and without
    "text_model.", which depends on the version of transformers.
    """
    modules = {}
    for component, model in components.items():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                plain = name.removeprefix("text_model.")
                for alias in (name, plain, f"text_model.{plain}") if component == "text_encoder" else (name,):
                    modules[component, alias] = modules[component, alias.replace(".", "_")] = module
    return modules


def read_lora(file: Path, modules: Modules) -> list[LoraLayer]:
    """Read the layers of a file. modules: from `lora_modules`.

    Raises ModelError, and SamplingError for a tensor that belongs to no layer of the model or cannot be applied.
    """
    tensor_shapes(file)
    by_layer: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load_file(str(file)).items():
        layer, role = _split(key, file)
        if not value.is_floating_point() or not value.numel():
            raise _error(file, f"{key}: {value.dtype} {tuple(value.shape)}", "numbers")
        by_layer.setdefault(layer, {})[role] = value.float()
    matches = {layer: _module(layer, modules) for layer in by_layer}
    missing = sorted(layer for layer, match in matches.items() if match is None)
    if missing or not by_layer:
        got = (
            f"{len(missing)} of {len(by_layer)} layers that it does not have, {missing[0]}" if missing else "no layers"
        )
        raise _error(file, got, "layers of the model")
    configs = _alpha_configs(file, any(layer.startswith(_PEFT) for layer in by_layer))
    layers = [_layer(file, name, *match, by_layer[name], configs) for name, match in matches.items() if match]
    duplicates = len(layers) - len({id(layer.module) for layer in layers})
    if duplicates:
        raise _error(file, f"{duplicates} layers twice", "each once")
    return layers


def merged_weight(layer: LoraLayer, file: Path) -> torch.Tensor:
    """The layer's weight with the whole LoRA merged into it; of a DoRA, with the file's magnitudes (arXiv:2402.09353).

    Raises SamplingError where shapes do not fit, or the result is not finite.
    """
    weight = layer.weight
    down, up, mid = (layer.tensors.get(role) for role in ("down", "up", "mid"))
    if down is None or up is None:
        raise _error(file, f"{layer.name}: half a layer", "up and down")
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
        raise _error(file, f"{layer.name}: {shapes}", f"for a weight {tuple(weight.shape)}") from e
    if factors is not None:
        merged = merged * factors
    if not merged.isfinite().all():
        raise _error(file, f"{layer.name}: no finite numbers", "numbers")
    return merged


def _magnitude_factors(layer: LoraLayer, merged: torch.Tensor) -> torch.Tensor | None:
    """A DoRA's magnitudes divided by the norms of the merged weight; None where there are none.

    They are per output, or as LyCORIS may write them per input, which the shape tells.
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


def _split(key: str, file: Path) -> tuple[str, str]:
    """(layer's name, role) of a tensor."""
    for suffix, role in _ROLES.items():
        if key.endswith(suffix):
            layer = key.removesuffix(suffix)
            if suffix.startswith("_"):  # diffusers before peft: attn1.processor.to_out_lora belongs to attn1.to_out.0
                layer = layer.replace(".processor.", ".")
                layer += ".0" if layer.endswith(".to_out") else ""
            return layer, role
    raise _error(file, key, "LoRA, LoCon and DoRA: up, down, mid, alpha, magnitude")


def _module(layer: str, modules: Modules) -> tuple[str, torch.nn.Module] | None:
    """(name in the model, module) of a layer's name in a file; None where the model lacks it."""
    name = layer.removeprefix(_PEFT)
    prefixed = [(c, name.removeprefix(prefix)) for prefix, c in _PREFIXES.items() if name.startswith(prefix)]
    for candidate in prefixed[:1] or [("unet", name), ("text_encoder", name)]:
        if candidate in modules:
            return ".".join(candidate), modules[candidate]
    return None


def _layer(
    file: Path,
    key: str,
    name: str,
    module: torch.nn.Module,
    tensors: dict[str, torch.Tensor],
    configs: Mapping[str, _AlphaConfig],
) -> LoraLayer:
    component, _, path = name.partition(".")
    config = configs.get(component, _AlphaConfig())
    rank = len(tensors["down"]) if "down" in tensors else 1
    alpha = config.alpha
    for suffix, value in config.alphas.items():
        if path == suffix or path.endswith(f".{suffix}"):
            alpha = value
    if "alpha" in tensors:
        if tensors["alpha"].numel() != 1:
            raise _error(file, f"{key}: alpha {tuple(tensors['alpha'].shape)}", "one number")
        alpha = float(tensors["alpha"])
    scale = 1.0 if alpha is None else alpha / (math.sqrt(rank) if config.rank_stabilized else rank)
    return LoraLayer(key, module, {k: v for k, v in tensors.items() if k != "alpha"}, scale)


def _alpha_configs(file: Path, peft: bool) -> Mapping[str, _AlphaConfig]:
    """α of each component, from the file's header or from peft's adapter_config.json."""
    with safe_open(str(file), framework="pt") as f:
        header = (f.metadata() or {}).get("lora_adapter_metadata")
    try:
        if header is not None:
            saved = json.loads(header)
            return {component: _alpha_config(saved, f"{component}.") for component in ("unet", "text_encoder")}
        if peft:
            config = file.with_name("adapter_config.json")
            if not config.is_file():
                raise _error(file, "α is not known", "adapter_config.json beside it")
            return dict.fromkeys(("unet", "text_encoder"), _alpha_config(read_json(config), ""))
    except (ValueError, TypeError, AttributeError, RecursionError) as e:
        raise _error(file, f"settings: {e}", "as diffusers and peft write them") from e
    return {}


def _alpha_config(saved: Mapping[str, Any], prefix: str) -> _AlphaConfig:
    alpha, alphas = saved.get(f"{prefix}lora_alpha"), saved.get(f"{prefix}alpha_pattern") or {}
    return _AlphaConfig(
        None if alpha is None else float(alpha),
        {str(k): float(v) for k, v in alphas.items()},
        bool(saved.get(f"{prefix}use_rslora")),
    )


def _error(file: Path, got: str, allowed: str) -> SamplingError:
    return SamplingError("does not fit the model", got=got, allowed=allowed, where=file)
