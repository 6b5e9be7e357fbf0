"""A model as sampling needs it: the parts of a latent diffusion pipeline, from a diffusers folder of safetensors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from vrm_synth.sampling.settings import SamplingError


@dataclass(frozen=True)
class Model:
    """name: what pictures say they were drawn by; identity: what else they say of it (hashes, step)."""

    name: str
    unet: Any  # UNet2DConditionModel; Any, for diffusers' classes get most of what they can from their config
    vae: Any  # AutoencoderKL
    text_encoder: Any  # CLIPTextModel
    tokenizer: Any  # CLIPTokenizer
    scheduler_config: dict[str, Any]
    identity: dict[str, Any]

    @property
    def vae_scale(self) -> int:
        """Pixels a side of one latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_multiple(self) -> int:
        """What width and height must be multiples of, so that the U-Net can halve them."""
        return int(self.vae_scale * 2 ** (len(self.unet.config.down_block_types) - 1))

    @property
    def side(self) -> int:
        """Pixels of the square that the model was made for."""
        return int(self.unet.config.sample_size * self.vae_scale)


def open_folder(folder: Path, name: str = "") -> Model:
    """The model of a diffusers folder, on the CPU in single precision. Raises SamplingError."""
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    try:
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_bytes())
        found = Model(
            name or folder.resolve().name,
            UNet2DConditionModel.from_pretrained(folder, subfolder="unet", use_safetensors=True, local_files_only=True),
            AutoencoderKL.from_pretrained(folder, subfolder="vae", use_safetensors=True, local_files_only=True),
            CLIPTextModel.from_pretrained(
                folder, subfolder="text_encoder", use_safetensors=True, local_files_only=True
            ),
            CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True),
            config,
            {"unet_sha256": _sha256(weights)},
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as e:
        what = "not a model that can be opened"
        raise SamplingError(what, got=str(e), allowed="a diffusers folder of safetensors", where=folder) from e
    return found


def add_lora(model: Model, file: Path, scale: float = 1.0) -> Model:
    """The model with a LoRA's or DoRA's weights added into its own. Raises SamplingError.

    file: .safetensors, as diffusers, peft and kohya's scripts write them.
    """
    if file.suffix != ".safetensors" or not file.is_file():
        raise SamplingError("not a LoRA that can be opened", allowed="a .safetensors file", where=file)
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
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, IndexError) as e:
        raise SamplingError("does not fit the model", got=str(e), where=file) from e
    loras = [*model.identity.get("loras", []), {"sha256": _sha256(file), "scale": scale}]
    return replace(model, identity={**model.identity, "loras": loras})


def _sha256(file: Path) -> str:
    with file.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
