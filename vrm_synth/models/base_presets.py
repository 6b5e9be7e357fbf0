"""Known base models and recipes, as data.

No hub id stands here: the SD 2.1 repositories left their hub, and which mirror to trust is the user's choice. Where
facts are from: the models' own cards and configuration files. No hash of their safetensors is publicly stated by the
authors (both Mitsua models are published as pickles): hashes are pinned when a run first opens a base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Shape = Mapping[str, Any]

# The parts of each component's configuration that decide what fits what.
SD21_UNET: Shape = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "norm_num_groups": 32,
}
OPENCLIP_H: Shape = {
    "hidden_size": 1024,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}
SD_VAE: Shape = {"latent_channels": 4, "scaling_factor": 0.18215, "block_out_channels": [128, 256, 512, 512]}


@dataclass(frozen=True)
class License:
    """name: as the model's card has it; terms: what it asks of derived models, in a sentence; url: its text."""

    name: str
    terms: str = ""
    url: str = ""


OPENRAIL_M = License(
    "CreativeML OpenRAIL++-M",
    "The use restrictions of its Attachment A go with every derived model and must be passed on with it.",
    "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL",
)
MITSUA_RAIL = License(
    "Mitsua Open RAIL-M",
    "Its use restrictions go with every derived model and must be passed on with it; read the base's own license file.",
)
CC0 = License("CC0-1.0")


@dataclass(frozen=True)
class Preset:
    """A base model, and how it is trained.

    unet, text_encoder, vae: what the configurations must say; empty: anything. prediction: None where the folder's
    scheduler alone knows. license: the base's. run: settings of a run (vrm_synth/train/config.py) that differ from
    the defaults; a user's own settings win.
    """

    name: str
    about: str
    license: License | None
    unet: Shape = field(default_factory=dict)
    text_encoder: Shape = field(default_factory=dict)
    vae: Shape = field(default_factory=dict)
    prediction: Literal["epsilon", "v_prediction"] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)


_ALL = (
    Preset(
        "tiny",
        "Random weights made in seconds: everything runs with it on a CPU, without a download.",
        CC0,
        prediction="epsilon",
        run={"batch": 4, "data": {"size": 64}, "learning_rate": 1e-3, "ema": {"decay": 0.99}},
    ),
    Preset(
        "mitsua-cc0",
        "Mitsua Diffusion CC0: VAE and text encoder of SD 2.1-base, a U-Net trained on CC0 pictures.",
        OPENRAIL_M,
        SD21_UNET,
        OPENCLIP_H,
        SD_VAE,
        "epsilon",
    ),
    Preset(
        "mitsua-one",
        "Mitsua Diffusion One: OpenCLIP ViT-H/14's text encoder and a VAE of its own.",
        MITSUA_RAIL,
        SD21_UNET,
        OPENCLIP_H,
        SD_VAE,
    ),
    Preset("sd21-base", "Stable Diffusion 2.1-base.", OPENRAIL_M, SD21_UNET, OPENCLIP_H, SD_VAE, "epsilon"),
    Preset(
        "mitsua-vroid-scratch",
        "The Mitsua authors' test on VRM renders: a U-Net from scratch at 256², batch 48, 45,000 steps.",
        None,
        SD21_UNET,
        OPENCLIP_H,
        SD_VAE,
        run={
            "init": "scratch",
            "steps": 45_000,
            "batch": 48,
            "learning_rate": 1e-5,
            "warmup": 1000,
            "data": {"size": 256},
        },
    ),
    Preset(
        "mitsua-one-schedule",
        "As Mitsua Diffusion One grew: from scratch at 256², then 512², then buckets, offset noise near the end.",
        None,
        SD21_UNET,
        OPENCLIP_H,
        SD_VAE,
        # The order of the stages is the authors'; how long each lasts is not published, and is ours.
        run={
            "init": "scratch",
            "steps": 450_000,
            "batch": 256,
            "learning_rate": 1e-4,
            "warmup": 1000,
            "stages": [
                {"until": 250_000, "size": 256},
                {"until": 350_000, "size": 512},
                {"until": 430_000, "size": 512, "buckets": 6},
                {"size": 512, "buckets": 6, "offset_noise": 0.05},
            ],
        },
    ),
)
PRESETS: Mapping[str, Preset] = {p.name: p for p in _ALL}
