"""A LoRA from elsewhere, added into a model's own weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vrm_synth.models import Base
from vrm_synth.models.files import sha256, tensors
from vrm_synth.sampling.settings import SamplingError


def add_lora(model: Base, file: Path, scale: float = 1.0) -> Base:
    """The model with a LoRA's or DoRA's weights added into its own. Raises ModelError, SamplingError.

    file: .safetensors, as diffusers, peft and kohya's scripts write them.
    """
    if file.suffix != ".safetensors" or not file.is_file():
        raise SamplingError("not a LoRA that can be opened", allowed="a .safetensors file", where=file)
    tensors(file)
    from diffusers import StableDiffusionPipeline  # takes seconds to import, and only its LoRA loader is of use

    pipeline: Any = StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.unet,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    try:
        pipeline.load_lora_weights(
            str(file.parent), weight_name=file.name, use_safetensors=True, local_files_only=True, adapter_name="added"
        )
        if not pipeline.get_active_adapters():
            raise ValueError("none of its layers is one of the model's")
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, IndexError) as e:
        raise SamplingError("does not fit the model", got=str(e), where=file) from e
    loras = [*model.identity.get("loras", []), {"sha256": sha256(file), "scale": scale}]
    return replace(model, identity={**model.identity, "loras": loras})
