"""Encoder of the latent cache: a frozen diffusers AutoencoderKL."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

BATCH_SIZES = {"cpu": 1}  # pictures at once; a CPU gains nothing from more
GPU_BATCH_SIZE = 8


class VaeEncoder:
    """An `Encoder` (latent_loader.py) that runs AutoencoderKL.

    vae: the model, moved to `device` and frozen.
    sha256: hash of its weights and config.
    device, dtype: where it runs, and in which precision. float16 overflows in some VAEs, whose pictures are then
        quarantined; bfloat16 and float32 do not.

    Always encodes the same number of pictures at once, repeating the last one where there are fewer: a picture's latent
    must not depend on its companions, or a run that was killed would resume with other latents.

    Attributes:
    identity: hash of the VAE and dtype.
    factor: pixels a latent, each way.
    channels: of the latents.
    """

    def __init__(
        self, vae: AutoencoderKL, sha256: str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ):
        self._device, self._dtype = torch.device(device), dtype
        self._vae = vae.to(self._device, dtype).eval().requires_grad_(False)
        self._batch_size = BATCH_SIZES.get(self._device.type, GPU_BATCH_SIZE)
        self.identity = f"{sha256} {str(dtype).removeprefix('torch.')}"
        self.factor = 2 ** (len(vae.config["block_out_channels"]) - 1)
        self.channels = int(vae.config["latent_channels"])

    @torch.no_grad()  # not inference_mode, whose tensors cannot be used in a training step
    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode (n, 3, H, W) float32 in −1 … 1 → moments (n, 2 × channels, H / factor, W / factor) float32; both on
        the CPU."""
        moments_of_chunks = []
        for chunk in pixels.split(self._batch_size):
            padded = torch.cat([chunk, chunk[-1:].expand(self._batch_size - len(chunk), -1, -1, -1)])
            moments = self._vae.encode(padded.to(self._device, self._dtype)).latent_dist.parameters
            moments_of_chunks.append(moments[: len(chunk)].float().cpu())
        return torch.cat(moments_of_chunks)
