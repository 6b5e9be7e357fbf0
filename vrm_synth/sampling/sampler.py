"""Sampling from noise to images: the denoising loop at a fixed batch shape, and the VAE's encoder and decoder.

Every batch has the same shape, padded with copies of its last request, so that the same kernels run whatever is
requested: at that shape an image's bytes depend on its prompt, seed and settings, not on its order or its batch.

The loop is our own and not diffusers' pipeline, which in half precision keeps the latents themselves in half precision
from step to step. Here only the U-Net runs in half precision; latents, guidance and the scheduler are in single. In
single precision both give the same bytes (tests/sampling/test_sampler.py). The VAE stays in single precision, too: in
bfloat16 its images show banding, in float16 some VAEs overflow into black; on CUDA its convolutions run in TF32, which
is torch's default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.rng import rng
from vrm_synth.models import DiffusionModel
from vrm_synth.sampling.image_requests import ImageRequest, quoted_prompt
from vrm_synth.sampling.progress import ImageProgress
from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings, SamplingError
from vrm_synth.sampling.schedulers import check_steps, make_scheduler

Pixels = NDArray[np.uint8]  # (height, width, 3), sRGB


class DiffusionSampler:
    """Samples images with one model on one device.

    The model's modules are moved to the device and stay in its precision. Raises SamplingError where the model cannot
    make images of that size, or its schedule has fewer timesteps than the settings' steps.
    """

    def __init__(self, model: DiffusionModel, settings: SamplerSettings, device_config: DeviceConfig):
        self.model, self.settings, self.device_config = model, settings, device_config
        self._dtype: torch.dtype = getattr(torch, device_config.precision)
        self._device = torch.device(device_config.device)
        check_size(model, settings)
        check_steps(settings.steps, model.scheduler_config)
        cuda = self._device.type == "cuda"
        layout = torch.channels_last if cuda else torch.contiguous_format
        self._unet = model.unet.to(self._device, self._dtype, memory_format=layout).eval()
        self._text_encoder = model.text_encoder.to(self._device, self._dtype).eval()
        self._vae = model.vae.to(self._device, torch.float32, memory_format=layout).eval()
        if device_config.compiled:
            self._unet.compile(fullgraph=True, dynamic=False)
            self._vae.decoder.compile(fullgraph=True, dynamic=False)

    def check(self, requests: Sequence[ImageRequest]) -> None:
        """Raises SamplingError for the first prompt that has more tokens than the text encoder takes."""
        texts = dict.fromkeys(t for r in requests for t in (r.prompt, r.negative_prompt))
        for text in texts:
            length, limit = len(self.model.tokenizer(text).input_ids), self.model.tokenizer.model_max_length
            if length > limit:
                got, allowed = f"{length} tokens", f"up to {limit}, which is all that the model reads"
                raise SamplingError(
                    "prompt is too long", got=got, allowed=allowed, where=quoted_prompt(ImageRequest(text))
                )

    def generate(
        self, requests: Sequence[ImageRequest], progress: ImageProgress = lambda fraction: None
    ) -> Iterator[Pixels]:
        """Sample an image for each request, in order: (height, width, 3) uint8 sRGB.

        Raises SamplingError for a prompt that is too long, and for an image that comes out as NaN.
        """
        self.check(requests)
        size = self.device_config.batch_size
        for first in range(0, len(requests), size):
            yield from self._generate_batch(requests[first : first + size], progress)

    def _generate_batch(self, requests: Sequence[ImageRequest], progress: ImageProgress) -> list[Pixels]:
        """Sample up to batch_size requests, padded to a whole batch. Raises SamplingError for a NaN."""
        padded = [*requests, *[requests[-1]] * (self.device_config.batch_size - len(requests))]
        latents = self.denoise(padded, lambda done: progress(done * len(requests)))
        bad = [r for r, ok in zip(requests, all_finite(latents), strict=False) if not ok]
        if bad:
            hint = "another precision, float32 for example; or the model's training has diverged"
            what, got = "the image is not made of numbers", f"NaN in {self.device_config.precision}"
            raise SamplingError(what, got=got, allowed=hint, where=quoted_prompt(bad[0]))
        return self.decode(latents)[: len(requests)]

    @torch.no_grad()
    def denoise(
        self, requests: Sequence[ImageRequest], progress: ImageProgress = lambda fraction: None
    ) -> torch.Tensor:
        """Denoise a batch of exactly batch_size requests.

        Returns latents, (batch_size, channels, height, width) float32.
        """
        s = self.settings
        do_guidance = s.guidance_scale > 1
        prompt_embeds = self.encode_prompts([r.prompt for r in requests])
        if do_guidance:
            negative = self.encode_prompts([r.negative_prompt for r in requests])
            prompt_embeds = torch.cat([negative, prompt_embeds])
        scheduler: Any = make_scheduler(s.scheduler, self.model.scheduler_config)
        scheduler.set_timesteps(s.steps, device=self._device)
        noise = initial_noise([r.seed for r in requests], self._latent_shape())
        latents = noise.to(self._device) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            latent_model_input = torch.cat([latents, latents]) if do_guidance else latents
            latent_model_input = scheduler.scale_model_input(latent_model_input, t).to(self._dtype)
            noise_pred = self._unet(latent_model_input, t, encoder_hidden_states=prompt_embeds, return_dict=False)[0]
            noise_pred = noise_pred.float()
            if do_guidance:
                noise_pred_uncond, noise_pred_text = noise_pred.chunk(2)
                noise_pred = noise_pred_uncond + s.guidance_scale * (noise_pred_text - noise_pred_uncond)
                if s.guidance_rescale > 0:
                    noise_pred = rescale_noise_pred(noise_pred, noise_pred_text, s.guidance_rescale)
            latents = scheduler.step(noise_pred, t, latents, return_dict=False)[0]
            progress(1 / len(scheduler.timesteps))
        return latents

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Text embeddings of prompts, (n, tokens, width) in the device config's precision."""
        tokenizer = self.model.tokenizer
        tokens = tokenizer(
            list(prompts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        mask = None
        if getattr(self.model.text_encoder.config, "use_attention_mask", False):
            mask = tokens.attention_mask.to(self._device)
        prompt_embeds: torch.Tensor = self._text_encoder(tokens.input_ids.to(self._device), attention_mask=mask)[0]
        return prompt_embeds

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> list[Pixels]:
        """Decode scaled latents (n, channels, height, width) to images (H, W, 3) uint8."""
        decoded = self._vae.decode(latents / self._vae.config.scaling_factor, return_dict=False)[0]
        levels = (decoded.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        return list((levels * 255).round().astype(np.uint8))

    @torch.no_grad()
    def reconstruct(self, images: Sequence[Pixels]) -> list[Pixels]:
        """Encode images (H, W, 3) uint8 of one size with the VAE (its mean) and decode them again, one by one."""
        reconstructions = []
        for image in images:
            pixels = torch.from_numpy(image.copy()).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1
            latent_dist = self._vae.encode(pixels).latent_dist
            reconstructions += self.decode(latent_dist.mode() * self._vae.config.scaling_factor)
        return reconstructions

    def _latent_shape(self) -> tuple[int, int, int]:
        scale = self.model.vae_scale
        return self.model.unet.config.in_channels, self.settings.height // scale, self.settings.width // scale


def check_size(model: DiffusionModel, settings: SamplerSettings) -> None:
    """Raises SamplingError unless width and height are multiples that the model can process."""
    for name, side in (("width", settings.width), ("height", settings.height)):
        if side % model.side_multiple:
            allowed = f"multiples of {model.side_multiple}"
            raise SamplingError(f"{name} does not suit the model", got=side, allowed=allowed)


def rescale_noise_pred(noise_pred: torch.Tensor, noise_pred_text: torch.Tensor, rescale: float) -> torch.Tensor:
    """Reduce the standard deviation that guidance adds to each prediction (n, …) by the fraction `rescale`
    (arXiv:2305.08891, equations 15 and 16)."""
    axes = tuple(range(1, noise_pred.ndim))
    rescaled = noise_pred * (noise_pred_text.std(dim=axes, keepdim=True) / noise_pred.std(dim=axes, keepdim=True))
    return rescale * rescaled + (1 - rescale) * noise_pred


def all_finite(latents: torch.Tensor) -> list[bool]:
    """Tell for each image whether all its latents are finite numbers."""
    rows: list[bool] = latents.isfinite().flatten(1).all(dim=1).tolist()
    return rows


def initial_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> torch.Tensor:
    """Standard normal noise, (n, channels, height, width) float32 on the CPU; row i depends on seeds[i] and shape."""
    rows = [rng(seed, "start noise").standard_normal(shape, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))
