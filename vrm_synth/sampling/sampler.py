"""From noise to pictures: the loop, its fixed shape, and the way through the VAE and back.

Every batch has the same shape, filled up with copies of its last picture, so that the same kernels run whatever is
asked for: at that shape a picture's bytes depend on its prompt, seed and settings, not on order or companions.

Our own loop and not diffusers' pipeline, which in half precision keeps the latents themselves in it from step to
step. Here the U-Net alone is in half precision; latents, guidance and the scheduler are in single. In single precision
both give the same bytes (tests/sampling/test_sampler.py). The VAE stays in single precision, too: in bfloat16 its
pictures band, in float16 some VAEs overflow into black; on CUDA its convolutions run in TF32, as torch has it by
default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.models import Base
from vrm_synth.sampling.requests import Request, describe
from vrm_synth.sampling.schedule import check_steps, make_scheduler
from vrm_synth.sampling.settings import DeviceConfig, SamplingError, SamplingSettings
from vrm_synth.sampling.start_noise import start_noise

Pixels = NDArray[np.uint8]


class DiffusionSampler:
    """Draws pictures with one model on one device.

    The model's parts are moved there and keep the place's precision. Raises SamplingError where the size does not
    suit the model, or its schedule has fewer timesteps than steps are asked for.
    """

    def __init__(self, model: Base, settings: SamplingSettings, place: DeviceConfig):
        self.model, self.settings, self.place = model, settings, place
        self._dtype: torch.dtype = getattr(torch, place.precision)
        self._device = torch.device(place.device)
        fit_size(model, settings)
        check_steps(settings.steps, model.scheduler_config)
        cuda = self._device.type == "cuda"
        layout = torch.channels_last if cuda else torch.contiguous_format
        self._unet = model.unet.to(self._device, self._dtype, memory_format=layout).eval()
        self._text = model.text_encoder.to(self._device, self._dtype).eval()
        self._vae = model.vae.to(self._device, torch.float32, memory_format=layout).eval()
        if place.compiled:
            self._unet.compile(fullgraph=True, dynamic=False)
            self._vae.decoder.compile(fullgraph=True, dynamic=False)

    def check(self, requests: Sequence[Request]) -> None:
        """Raises SamplingError for the first text that is longer than the text encoder's window."""
        texts = dict.fromkeys(t for r in requests for t in (r.prompt, r.negative_prompt))
        for text in texts:
            length, most = len(self.model.tokenizer(text).input_ids), self.model.tokenizer.model_max_length
            if length > most:
                got, allowed = f"{length} tokens", f"up to {most}, which is all that the model reads"
                raise SamplingError("prompt is too long", got=got, allowed=allowed, where=describe(Request(text)))

    def draw(
        self, requests: Sequence[Request], tick: Callable[[float], object] = lambda share: None
    ) -> Iterator[Pixels]:
        """(height, width, 3) uint8 sRGB for each request, in order; `tick` is told shares of pictures as they are done.

        Raises SamplingError for a prompt that is too long, and for a picture that comes out as no number.
        """
        self.check(requests)
        size = self.place.batch_size
        for first in range(0, len(requests), size):
            yield from self._draw_batch(requests[first : first + size], tick)

    def _draw_batch(self, asked: Sequence[Request], tick: Callable[[float], object]) -> list[Pixels]:
        full = [*asked, *[asked[-1]] * (self.place.batch_size - len(asked))]
        latents = self.denoise(full, lambda done: tick(done * len(asked)))
        bad = [r for r, ok in zip(asked, finite(latents), strict=False) if not ok]
        if bad:
            hint = "another precision, float32 for example; or the model's training has diverged"
            what = "the picture is not made of numbers"
            raise SamplingError(what, got=f"NaN in {self.place.precision}", allowed=hint, where=describe(bad[0]))
        return self.decode(latents)[: len(asked)]

    @torch.no_grad()
    def denoise(self, batch: Sequence[Request], tick: Callable[[float], object] = lambda share: None) -> torch.Tensor:
        """Latents (batch_size, channels, h, w) float32 of exactly batch_size requests."""
        s = self.settings
        guided = s.guidance > 1
        text = self.embed([r.prompt for r in batch])
        if guided:
            text = torch.cat([self.embed([r.negative_prompt for r in batch]), text])
        scheduler: Any = make_scheduler(s.scheduler, self.model.scheduler_config)
        scheduler.set_timesteps(s.steps, device=self._device)
        noise = start_noise([r.seed for r in batch], self._latent_shape())
        latents = noise.to(self._device) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            given = torch.cat([latents, latents]) if guided else latents
            given = scheduler.scale_model_input(given, t).to(self._dtype)
            said = self._unet(given, t, encoder_hidden_states=text, return_dict=False)[0].float()
            if guided:
                without, with_prompt = said.chunk(2)
                said = without + s.guidance * (with_prompt - without)
                if s.guidance_rescale > 0:
                    said = rescale(said, with_prompt, s.guidance_rescale)
            latents = scheduler.step(said, t, latents, return_dict=False)[0]
            tick(1 / len(scheduler.timesteps))
        return latents

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """What the text encoder makes of each text, (n, tokens, width) in the place's precision."""
        tokenizer = self.model.tokenizer
        read = tokenizer(
            list(texts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        mask = None
        if getattr(self.model.text_encoder.config, "use_attention_mask", False):
            mask = read.attention_mask.to(self._device)
        found: torch.Tensor = self._text(read.input_ids.to(self._device), attention_mask=mask)[0]
        return found

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> list[Pixels]:
        """Pictures (H, W, 3) uint8 of scaled latents (n, channels, h, w)."""
        found = self._vae.decode(latents / self._vae.config.scaling_factor, return_dict=False)[0]
        levels = (found.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        return list((levels * 255).round().astype(np.uint8))

    @torch.no_grad()
    def reconstruct(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Pictures (H, W, 3) uint8 of one size through the VAE's encoder (its mean) and decoder, one by one."""
        found = []
        for picture in pictures:
            given = torch.from_numpy(picture.copy()).to(self._device).permute(2, 0, 1)[None].float() / 127.5 - 1
            moments = self._vae.encode(given).latent_dist
            found += self.decode(moments.mode() * self._vae.config.scaling_factor)
        return found

    def _latent_shape(self) -> tuple[int, int, int]:
        scale = self.model.vae_scale
        return self.model.unet.config.in_channels, self.settings.height // scale, self.settings.width // scale


def fit_size(model: Base, settings: SamplingSettings) -> None:
    """Raises SamplingError unless width and height suit the model."""
    for name, side in (("width", settings.width), ("height", settings.height)):
        if side % model.side_multiple:
            allowed = f"multiples of {model.side_multiple}"
            raise SamplingError(f"{name} does not suit the model", got=side, allowed=allowed)


def rescale(guided: torch.Tensor, plain: torch.Tensor, share: float) -> torch.Tensor:
    """`guided` (n, …) with that share of what it adds to each picture's standard deviation taken back
    (arXiv:2305.08891, equations 15 and 16)."""
    axes = tuple(range(1, guided.ndim))
    taken_back = guided * (plain.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True))
    return share * taken_back + (1 - share) * guided


def finite(latents: torch.Tensor) -> list[bool]:
    """For each picture, whether all its latents are numbers."""
    rows: list[bool] = latents.isfinite().flatten(1).all(dim=1).tolist()
    return rows
