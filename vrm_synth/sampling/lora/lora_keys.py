"""Tensor names of LoRA files: the layer of the model that each belongs to, and its role there.

They are those of kohya's scripts and LyCORIS (lora_unet_…, lora_te_…), of diffusers' present and former versions
(unet.…, ….processor.to_q_lora.…) and of peft (base_model.model.…, with an adapter_config.json in the same folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from vrm_synth.sampling.sampler_settings import SamplingError

Modules = Mapping[tuple[str, str], torch.nn.Module]  # (component, layer's name) → layer of the model

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
PEFT_PREFIX = "base_model.model."


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


def split_key(key: str, file: Path) -> tuple[str, str]:
    """Split a tensor's name into (layer's name, role). Raises SamplingError for one that no LoRA has."""
    for suffix, role in _ROLES.items():
        if key.endswith(suffix):
            layer = key.removesuffix(suffix)
            if suffix.startswith("_"):  # diffusers before peft: attn1.processor.to_out_lora belongs to attn1.to_out.0
                layer = layer.replace(".processor.", ".")
                layer += ".0" if layer.endswith(".to_out") else ""
            return layer, role
    raise lora_error(file, key, "LoRA, LoCon and DoRA: up, down, mid, alpha, magnitude")


def find_module(layer: str, modules: Modules) -> tuple[str, torch.nn.Module] | None:
    """Find a file's layer in the model: ("component.name", module); None where the model lacks it."""
    name = layer.removeprefix(PEFT_PREFIX)
    prefixed = [(c, name.removeprefix(prefix)) for prefix, c in _PREFIXES.items() if name.startswith(prefix)]
    for candidate in prefixed[:1] or [("unet", name), ("text_encoder", name)]:
        if candidate in modules:
            return ".".join(candidate), modules[candidate]
    return None


def lora_error(file: Path, got: str, allowed: str) -> SamplingError:
    """Make the error for a file that cannot be merged into the model."""
    return SamplingError("does not fit the model", got=got, allowed=allowed, where=file)
