"""The frozen VAE as the latent cache's encoder."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

MICRO = {"cpu": 1}  # pictures at once; a CPU gains nothing from more
MICRO_GPU = 8


class VaeEncoder:
    """An `Encoder` (data.py) of diffusers' AutoencoderKL.

    sha256: the VAE's hash. device, dtype: where and in what it computes; half precision overflows in some VAEs,
    whose pictures are then quarantined: bfloat16 or float32 do not.

    Pictures are encoded a fixed number at once, the last ones made up with repeats: a picture's latent must not
    depend on its companions, or a run that was killed would go on with others.
    """

    def __init__(
        self, vae: AutoencoderKL, sha256: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ):
        self._device, self._dtype = torch.device(device), dtype
        self._vae = vae.to(self._device, dtype).eval().requires_grad_(False)
        self._micro = MICRO.get(self._device.type, MICRO_GPU)
        self.identity = f"{sha256} {str(dtype).removeprefix('torch.')}"
        self.factor = 2 ** (len(vae.config["block_out_channels"]) - 1)
        self.channels = int(vae.config["latent_channels"])

    @torch.no_grad()  # not inference_mode, whose tensors no training step may take
    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, H, W) float32 in −1…1 → (n, 2 × channels, H / factor, W / factor) float32, both on the CPU."""
        parts = []
        for part in pixels.split(self._micro):
            padded = torch.cat([part, part[-1:].expand(self._micro - len(part), -1, -1, -1)])
            made = self._vae.encode(padded.to(self._device, self._dtype)).latent_dist.parameters
            parts.append(made[: len(part)].float().cpu())
        return torch.cat(parts)
