"""The base `tiny`: a whole latent diffusion model, small enough for a CPU, that needs no download.

Its U-Net and text encoder have random weights. Its VAE is made by hand: a latent is the mean colour of 8 × 8 pixels,
and decoding gives that colour back, so that pictures drawn by a trained tiny model can be looked at. Its tokenizer
knows the 256 bytes alone.
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

from vrm_synth.models.quiet import quiet

TOKENS = 256  # a token is a letter here: as many as a caption of ours has
# As SD 2.1-base's scheduler has it (training-notes: Mitsua Diffusion CC0's, too).
SCHEDULE: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}
_LEVELS = 4  # of the VAE: 8 pixels a latent
_WIDTH = 12  # its channels, of one group: 4 of colour, their negatives, 4 that hold the group's norm still
_HOLD = 64.0  # what those are set to: far above any colour, so that the norm divides by almost the same everywhere


def make_tiny(folder: Path, seed: int = 0, prediction: str = "epsilon") -> Path:
    """The base as a diffusers folder at `folder`, made once; prediction: "epsilon" or "v_prediction"."""
    if (folder / "model_index.json").is_file():
        return folder
    quiet()
    from diffusers import StableDiffusionPipeline  # here: it asks for what it may lack, aloud

    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".tiny-", dir=folder.parent))
    try:
        part.chmod(0o755)
        pipeline = StableDiffusionPipeline(
            unet=_unet(seed),
            text_encoder=_text_encoder(seed),
            vae=averaging_vae(),
            tokenizer=_tokenizer(part / "tokenizer"),
            scheduler=PNDMScheduler(**SCHEDULE, prediction_type=prediction),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.save_pretrained(part, safe_serialization=True)
        _old_names(part / "text_encoder" / "model.safetensors")
        (part / "README.md").write_text("---\nlicense: cc0-1.0\n---\nRandom weights, made by vrm-synth.\n")
        try:
            os.rename(part, folder)
        except OSError:  # another process was first: it made the same
            if not (folder / "model_index.json").is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def byte_alphabet() -> list[str]:
    """The 256 characters that CLIP's tokenizer writes bytes as, in its order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(moved)) for b in [*plain, *(b for b in range(256) if b not in plain)]]


def _tokenizer(folder: Path) -> CLIPTokenizer:
    alphabet = byte_alphabet()
    words = [*alphabet, *(f"{c}</w>" for c in alphabet), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()  # these two stay beside tokenizer.json, for transformers 4
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS)


def _text_encoder(seed: int) -> CLIPTextModel:
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPTextModel(config)


def _old_names(file: Path) -> None:
    """CLIPTextModel's tensors under the names that published bases have: transformers 5 reads them, too, but 4 takes
    its own for another model's and goes on with random weights."""
    found = load_file(str(file))
    save_file({f"text_model.{k.removeprefix('text_model.')}": v for k, v in found.items()}, file, {"format": "pt"})


def _unet(seed: int) -> UNet2DConditionModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
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

    Every residual is zero, so that blocks pass on what they get; halving takes means; and the norm and the SiLU
    before each last layer are made linear, the one by channels far larger than the colours, the other by a bias.
    """
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * _LEVELS,
        up_block_types=("UpDecoderBlock2D",) * _LEVELS,
        block_out_channels=(_WIDTH,) * _LEVELS,
        layers_per_block=1,
        norm_num_groups=1,
        latent_channels=4,
        sample_size=64,
        scaling_factor=2.0,  # drawn pictures' colours then spread about as much as noise does
        force_upcast=False,
    )
    for parameter in vae.parameters():
        parameter.zero_()
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]])
    vae.encoder.conv_in.weight[:8, :, 1, 1] = torch.cat([colours, -colours])
    for block in vae.encoder.down_blocks[:-1]:
        # A stride of 2 with one row and column of padding below and right: the mean of 2 × 2 is rows 0 and 1.
        block.downsamplers[0].conv.weight[:, :, :2, :2] = torch.eye(_WIDTH)[:, :, None, None] / 4
    for i in range(4):
        vae.quant_conv.weight[i, i, 0, 0] = 1
        vae.post_quant_conv.weight[i, i, 0, 0] = 1
        vae.decoder.conv_in.weight[i, i, 1, 1] = 1
        vae.decoder.conv_in.weight[4 + i, i, 1, 1] = -1
    vae.quant_conv.bias[4:] = -12  # log variance: next to none
    for block in vae.decoder.up_blocks[:-1]:
        block.upsamplers[0].conv.weight[:, :, 1, 1] = torch.eye(_WIDTH)
    _straight(vae.encoder.conv_in, vae.encoder.conv_norm_out, vae.encoder.conv_out, torch.eye(4))
    to_rgb = torch.tensor([[0.75, -0.25, -0.25, 0.75], [-0.25, 0.75, -0.25, 0.75], [-0.25, -0.25, 0.75, 0.75]])
    _straight(vae.decoder.conv_in, vae.decoder.conv_norm_out, vae.decoder.conv_out, to_rgb)
    return vae.eval()


def _straight(first: torch.nn.Conv2d, norm: torch.nn.GroupNorm, last: torch.nn.Conv2d, mix: torch.Tensor) -> None:
    """Make conv → norm → SiLU → conv the linear map `mix` of the first four channels."""
    # The negatives keep the group's mean at nothing, whatever a picture's is. Channels 8 to 11 hold ±_HOLD, so that its
    # deviation is _HOLD / √3, whatever small the colours add.
    assert first.bias is not None and last.bias is not None
    first.bias[8:] = torch.tensor([_HOLD, -_HOLD, _HOLD, -_HOLD])
    raised = 20.0  # SiLU is the identity there
    norm.weight[:] = _HOLD / 3**0.5
    norm.bias[:] = raised
    last.weight[: len(mix), :4, 1, 1] = mix
    last.bias[: len(mix)] = -raised * mix.sum(1)
