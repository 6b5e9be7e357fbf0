"""FLOP of a U-Net, counted and not timed, and peak FLOP/s of cards: what model FLOP utilization (MFU) follows from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

# Dense bfloat16 peaks in FLOP/s, from NVIDIA's data sheets; by a part of the device's name, longer ones first.
PEAKS = {
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H200": 989e12,
    "H800": 989e12,
    "A100": 312e12,
    "A800": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
}


def unet_flop(config: Mapping[str, Any], size: tuple[int, int], factor: int = 8) -> tuple[int, int]:
    """FLOP of one picture: forward, and forward with backward. Computed on the meta device.

    config: the U-Net's config.
    size: (width, height) in pixels.
    factor: pixels a latent, each way.
    """
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(config))
        width, height = size
        latents = torch.empty(1, unet.config.in_channels, height // factor, width // factor)
        timesteps = torch.zeros(1, dtype=torch.long)
        text = torch.empty(1, 77, unet.config.cross_attention_dim)
    counts = []
    for backward in (False, True):
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
            noise_pred = unet(latents, timesteps, encoder_hidden_states=text, return_dict=False)[0]
            if backward:
                noise_pred.sum().backward()
        counts.append(counter.get_total_flops())
    return counts[0], counts[1]


def peak_flops(device: torch.device) -> float | None:
    """Peak FLOP/s of a device in dense bfloat16; None where it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((v for k, v in PEAKS.items() if k in name), None)
