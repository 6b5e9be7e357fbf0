"""How much arithmetic an update is, counted and not timed, and what share of a card's peak that makes (MFU)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

# Dense bfloat16 peaks in FLOP/s, from NVIDIA's data sheets; by a part of the device's name, the longer ones first.
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
    """FLOP of one picture of (width, height) pixels: forward, and forward with backward. On the meta device."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(config))
        width, height = size
        latents = torch.empty(1, unet.config.in_channels, height // factor, width // factor)
        times = torch.zeros(1, dtype=torch.long)
        text = torch.empty(1, 77, unet.config.cross_attention_dim)
    counted = []
    for backward in (False, True):
        with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
            said = unet(latents, times, encoder_hidden_states=text, return_dict=False)[0]
            if backward:
                said.sum().backward()
        counted.append(counter.get_total_flops())
    return counted[0], counted[1]


def peak(device: torch.device) -> float | None:
    """FLOP/s in bfloat16; None where we know none."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((v for k, v in PEAKS.items() if k in name), None)
