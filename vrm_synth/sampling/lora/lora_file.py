"""Reader of LoRA files: tensors by layer, with the scale of each.

diffusers' own loader reads them, too, but silently skips what it does not know: magnitudes of kohya's DoRA, layers that
the model lacks, and those of the text encoder under transformers 5. Here every tensor of a file is used, or the file is
refused.
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
from vrm_synth.sampling.lora.lora_keys import PEFT_PREFIX, Modules, find_module, lora_error, split_key


@dataclass(frozen=True)
class LoraLayer:
    """A file's tensors of one layer.

    name: as the file has it.
    module: the model's layer.
    tensors: by role, see lora_keys.py.
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


def read_lora(file: Path, modules: Modules) -> list[LoraLayer]:
    """Read the layers of a file. modules: from `lora_modules`.

    Raises ModelError, and SamplingError for a tensor that belongs to no layer of the model or cannot be applied.
    """
    tensor_shapes(file)
    by_layer: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load_file(str(file)).items():
        layer, role = split_key(key, file)
        if not value.is_floating_point() or not value.numel():
            raise lora_error(file, f"{key}: {value.dtype} {tuple(value.shape)}", "numbers")
        by_layer.setdefault(layer, {})[role] = value.float()
    matches = {layer: find_module(layer, modules) for layer in by_layer}
    missing = sorted(layer for layer, match in matches.items() if match is None)
    if missing or not by_layer:
        got = (
            f"{len(missing)} of {len(by_layer)} layers that it does not have, {missing[0]}" if missing else "no layers"
        )
        raise lora_error(file, got, "layers of the model")
    configs = _read_alpha_configs(file, any(layer.startswith(PEFT_PREFIX) for layer in by_layer))
    layers = [_make_layer(file, name, *match, by_layer[name], configs) for name, match in matches.items() if match]
    duplicates = len(layers) - len({id(layer.module) for layer in layers})
    if duplicates:
        raise lora_error(file, f"{duplicates} layers twice", "each once")
    return layers


def _make_layer(
    file: Path,
    key: str,
    name: str,
    module: torch.nn.Module,
    tensors: dict[str, torch.Tensor],
    configs: Mapping[str, _AlphaConfig],
) -> LoraLayer:
    """Make a layer from a file's tensors. key: its name in the file; name: in the model, with its component."""
    component, _, path = name.partition(".")
    config = configs.get(component, _AlphaConfig())
    rank = len(tensors["down"]) if "down" in tensors else 1
    alpha = config.alpha
    for suffix, value in config.alphas.items():
        if path == suffix or path.endswith(f".{suffix}"):
            alpha = value
    if "alpha" in tensors:
        if tensors["alpha"].numel() != 1:
            raise lora_error(file, f"{key}: alpha {tuple(tensors['alpha'].shape)}", "one number")
        alpha = float(tensors["alpha"])
    scale = 1.0 if alpha is None else alpha / (math.sqrt(rank) if config.rank_stabilized else rank)
    return LoraLayer(key, module, {k: v for k, v in tensors.items() if k != "alpha"}, scale)


def _read_alpha_configs(file: Path, peft: bool) -> Mapping[str, _AlphaConfig]:
    """Read the α settings of each component from the file's header or from peft's adapter_config.json."""
    with safe_open(str(file), framework="pt") as f:
        header = (f.metadata() or {}).get("lora_adapter_metadata")
    try:
        if header is not None:
            adapter_config = json.loads(header)
            return {
                component: _parse_alpha_config(adapter_config, f"{component}.")
                for component in ("unet", "text_encoder")
            }
        if peft:
            config = file.with_name("adapter_config.json")
            if not config.is_file():
                raise lora_error(file, "α is not known", "adapter_config.json beside it")
            return dict.fromkeys(("unet", "text_encoder"), _parse_alpha_config(read_json(config), ""))
    except (ValueError, TypeError, AttributeError, RecursionError) as e:
        raise lora_error(file, f"settings: {e}", "as diffusers and peft write them") from e
    return {}


def _parse_alpha_config(adapter_config: Mapping[str, Any], prefix: str) -> _AlphaConfig:
    """Parse the α settings of one component from peft's adapter config, whose keys start with `prefix`."""
    alpha, alphas = adapter_config.get(f"{prefix}lora_alpha"), adapter_config.get(f"{prefix}alpha_pattern") or {}
    return _AlphaConfig(
        None if alpha is None else float(alpha),
        {str(k): float(v) for k, v in alphas.items()},
        bool(adapter_config.get(f"{prefix}use_rslora")),
    )
