"""The base `tiny`: a complete latent diffusion model, small enough for a CPU, that needs no download.

Its U-Net and text encoder have random weights. The weights of its VAE are set by hand: a latent is the mean color of
8 × 8 pixels, and decoding gives that color back, so that images of a trained tiny model show something. Its tokenizer
has one token per byte.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vrm_synth.models.library_logging import silence_libraries
from vrm_synth.models.torch_seed import torch_seed

TOKENS = 256  # one per byte, as many as our longest captions have
# The scheduler config of SD 2.1-base and of Mitsua Diffusion CC0.
SCHEDULER_CONFIG: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
_LEVELS = 4  # of the VAE: 8 pixels per latent
_CHANNELS = 12  # of the VAE, in one group: 4 of color, their negatives, 4 constants that fix the group norm
_CONSTANT = 64.0  # value of those: far above any color, so that the norm divides by almost the same number everywhere


def make_tiny_base(folder: Path, seed: int = 0, prediction_type: str = "epsilon") -> Path:
    """Create the base as a diffusers folder, unless it exists. prediction_type: "epsilon" or "v_prediction"."""
    if (folder / "model_index.json").is_file():
        return folder
    silence_libraries()
    from diffusers import StableDiffusionPipeline  # not at the top: it warns about optional packages

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".tiny-", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        pipeline = StableDiffusionPipeline(
            unet=_unet(seed),
            text_encoder=_text_encoder(seed),
            vae=averaging_vae(),
            tokenizer=_tokenizer(temporary / "tokenizer"),
            scheduler=PNDMScheduler(**SCHEDULER_CONFIG, prediction_type=prediction_type),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.save_pretrained(temporary, safe_serialization=True)
        _rename_for_transformers_4(temporary / "text_encoder" / "model.safetensors")
        (temporary / "README.md").write_text("---\nlicense: cc0-1.0\n---\nRandom weights, made by vrm-synth.\n")
        try:
            os.rename(temporary, folder)
        except OSError:  # another process was first and created the same
            if not (folder / "model_index.json").is_file():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def byte_alphabet() -> list[str]:
    """The 256 characters that CLIP's tokenizer represents bytes with, in its order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256, 512))
    order = [*printable, *(b for b in range(256) if b not in printable)]
    return [chr(b) if b in printable else chr(next(others)) for b in order]


def _tokenizer(folder: Path) -> CLIPTokenizer:
    alphabet = byte_alphabet()
    words = [*alphabet, *(f"{c}</w>" for c in alphabet), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()  # transformers 4 reads these two files beside tokenizer.json
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS)


def _text_encoder(seed: int) -> CLIPTextModel:
    """Make a CLIP text encoder of two layers with random weights."""
    config = CLIPTextConfig(
        vocab_size=514,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    with torch_seed(seed):
        return CLIPTextModel(config)


def _rename_for_transformers_4(file: Path) -> None:
    """Rename CLIPTextModel's tensors to the names that published bases have.

    transformers 5 reads both names; transformers 4 does not recognize those that version 5 writes, and continues with
    random weights.
    """
    weights = load_file(str(file))
    save_file({f"text_model.{k.removeprefix('text_model.')}": v for k, v in weights.items()}, file, {"format": "pt"})


def _unet(seed: int) -> UNet2DConditionModel:
    """Make a U-Net of two levels with random weights."""
    with torch_seed(seed + 1):
        return UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32, 64),
            norm_num_groups=8,
            layers_per_block=1,
            cross_attention_dim=64,
            attention_head_dim=(4, 8),
            use_linear_projection=True,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )


@torch.no_grad()
def averaging_vae() -> AutoencoderKL:
    """A VAE whose latents are the mean red, green and blue of 8 × 8 pixels, and their mean brightness.

    Every residual branch is zero, so that blocks are the identity; downsampling takes means; and the norm and the SiLU
    before each last layer are made linear, the norm by channels far larger than the colors, the SiLU by a bias.
    """
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * _LEVELS,
        up_block_types=("UpDecoderBlock2D",) * _LEVELS,
        block_out_channels=(_CHANNELS,) * _LEVELS,
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
        sample_size=64,
        scaling_factor=2.0,  # latents of renders then have about the standard deviation of the noise
        force_upcast=False,
    )
    for parameter in vae.parameters():
        parameter.zero_()
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])
    vae.encoder.conv_in.weight[:8, :, 1, 1] = torch.cat([colors, -colors])
    for block in vae.encoder.down_blocks[:-1]:
        # A stride of 2 with one row and column of padding below and right: the mean of 2 × 2 is rows 0 and 1.
        block.downsamplers[0].conv.weight[:, :, :2, :2] = torch.eye(_CHANNELS)[:, :, None, None] / 4
    for i in range(4):
        vae.quant_conv.weight[i, i, 0, 0] = 1
        vae.post_quant_conv.weight[i, i, 0, 0] = 1
        vae.decoder.conv_in.weight[i, i, 1, 1] = 1
        vae.decoder.conv_in.weight[4 + i, i, 1, 1] = -1
    vae.quant_conv.bias[4:] = -12  # log variance: almost zero
    for block in vae.decoder.up_blocks[:-1]:
        block.upsamplers[0].conv.weight[:, :, 1, 1] = torch.eye(_CHANNELS)
    _make_linear(vae.encoder.conv_in, vae.encoder.conv_norm_out, vae.encoder.conv_out, torch.eye(4))
    to_rgb = torch.tensor([[0.75, -0.25, -0.25, 0.75], [-0.25, 0.75, -0.25, 0.75], [-0.25, -0.25, 0.75, 0.75]])
    _make_linear(vae.decoder.conv_in, vae.decoder.conv_norm_out, vae.decoder.conv_out, to_rgb)
    return vae.eval()


def _make_linear(first: torch.nn.Conv2d, norm: torch.nn.GroupNorm, last: torch.nn.Conv2d, mix: torch.Tensor) -> None:
    """Make conv → norm → SiLU → conv the linear map `mix` of the first four channels."""
    # The negatives keep the group's mean at 0 for any image. Channels 8 to 11 are ±_CONSTANT, so that the standard
    # deviation is about _CONSTANT / √3; the colors add little to it.
    assert first.bias is not None and last.bias is not None
    first.bias[8:] = torch.tensor([_CONSTANT, -_CONSTANT, _CONSTANT, -_CONSTANT])
    offset = 20.0  # SiLU is the identity there
    norm.weight[:] = _CONSTANT / 3**0.5
    norm.bias[:] = offset
    last.weight[: len(mix), :4, 1, 1] = mix
    last.bias[: len(mix)] = -offset * mix.sum(1)
