"""Presets: known base models and training settings, as data.

There are no hub ids: the SD 2.1 repositories were removed from the hub, and which mirror to trust is the user's choice.
The facts are from the models' cards and configuration files. The authors publish no hashes of safetensors (both Mitsua
models are published as pickles): hashes are recorded when a run first opens a base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ConfigValues = Mapping[str, Any]

# The values of each component's config.json that decide which components fit together.
SD21_UNET: ConfigValues = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "norm_num_groups": 32,
}
OPENCLIP_H: ConfigValues = {
    "hidden_size": 1024,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}
SD_VAE: ConfigValues = {"latent_channels": 4, "scaling_factor": 0.18215, "block_out_channels": [128, 256, 512, 512]}


@dataclass(frozen=True)
class ModelLicense:
    """License of a model.

    name: as on the model's card.
    terms: what it requires of derived models, in a sentence.
    url: of its text.
    """

    name: str
    terms: str = ""
    url: str = ""


OPENRAIL_M = ModelLicense(
    "CreativeML OpenRAIL++-M",
    "The use restrictions of its Attachment A go with every derived model and must be passed on with it.",
    "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL",
)
MITSUA_RAIL = ModelLicense(
    "Mitsua Open RAIL-M",
    "Its use restrictions go with every derived model and must be passed on with it; read the base's own license file.",
)
CC0 = ModelLicense("CC0-1.0")


@dataclass(frozen=True)
class Preset:
    """A base model and its training settings.

    name: as in `--preset`.
    about: a sentence for `--presets`.
    license: of the base; None where the base's own card tells it.
    unet, text_encoder, vae: values that the component's config.json must have; empty allows any.
    prediction_type: of the scheduler; None allows any.
    run: settings of a run (vrm_synth/training/config.py) that differ from the defaults; the user's settings override
        them.
    """

    name: str
    about: str
    license: ModelLicense | None
    unet: ConfigValues = field(default_factory=dict)
    text_encoder: ConfigValues = field(default_factory=dict)
    vae: ConfigValues = field(default_factory=dict)
    prediction_type: Literal["epsilon", "v_prediction"] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)


_ALL = (
    Preset(
        "tiny",
        "Random weights made in seconds: runs on a CPU, without a download.",
        CC0,
        prediction_type="epsilon",
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
        # The authors published the order of the stages, but not their lengths, which are our choice.
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
