"""Base models of a known architecture with random weights, for measuring speed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from vrm_synth.models.base_presets import OPENCLIP_H, SD21_UNET, SD_VAE
from vrm_synth.models.library_logging import silence_libraries
from vrm_synth.models.tiny_base import SCHEDULER_CONFIG, make_tiny_base

SHAPES = ("tiny", "sd21")
WINDOW = 77  # tokens that the text encoder of sd21 reads


def make_base(shape: str, folder: Path) -> Path:
    """Create a diffusers folder. sd21: U-Net, VAE and text encoder as in SD 2.1-base, 5 GB; the tokenizer is tiny's."""
    silence_libraries()
    if shape == "tiny":
        return make_tiny_base(folder)
    tiny = make_tiny_base(folder.with_name("tokenizer-of"))
    for component in ("tokenizer", "model_index.json"):
        (shutil.copytree if (tiny / component).is_dir() else shutil.copyfile)(
            tiny / component, _under(folder) / component
        )
    config_file = folder / "tokenizer" / "tokenizer_config.json"
    config_file.write_text(json.dumps(json.loads(config_file.read_text()) | {"model_max_length": WINDOW}))
    torch.manual_seed(0)
    UNet2DConditionModel(sample_size=64, **SD21_UNET).save_pretrained(folder / "unet")
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    AutoencoderKL(**SD_VAE, **blocks, layers_per_block=2, sample_size=512).save_pretrained(folder / "vae")
    text = CLIPTextConfig(**OPENCLIP_H, intermediate_size=4096, bos_token_id=512, eos_token_id=513, hidden_act="gelu")
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    DDPMScheduler(**{k: v for k, v in SCHEDULER_CONFIG.items() if k.startswith("beta")}).save_pretrained(
        folder / "scheduler"
    )
    return folder


def _under(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def device_name(device: str) -> str:
    """The card's name, or the processor's."""
    import machine

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else machine.cpu_model()


def wait(device: str) -> None:
    """Wait until the device has finished its work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
