"""What the U-Net learns: the noise that was added, or v, weighted.

Every sample's noise follows from (seed, its number in the run); a batch's timesteps from (seed, step). So a batch is
the same whichever rank, micro-batch or continued run sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from numpy.typing import NDArray

from vrm_synth.core.errors import TrainError
from vrm_synth.core.rng import rng


@dataclass(frozen=True)
class NoiseDraws:
    """The chance of n samples.

    noise, posterior: (n, c, h, w) float32, normal; offset: (n, c, 1, 1), normal; times: (n,) int64.
    """

    noise: torch.Tensor
    posterior: torch.Tensor
    offset: torch.Tensor
    times: torch.Tensor


def draw_noise(
    seed: int, step: int, numbers: Sequence[int], batch: int, shape: tuple[int, int, int], steps: int, stratified: bool
) -> NoiseDraws:
    """Of the samples `numbers` of a step whose global batch is `batch`. steps: timesteps that there are."""
    generators = [rng(seed, "noise", n) for n in numbers]
    # One generator draws all of a sample's, in this order.
    noise, posterior = (
        torch.from_numpy(np.stack([g.standard_normal(shape, np.float32) for g in generators])) for _ in range(2)
    )
    offset = torch.from_numpy(np.stack([g.standard_normal((shape[0], 1, 1), np.float32) for g in generators]))
    times = timesteps(seed, step, batch, steps, stratified)[np.asarray(numbers) - step * batch]
    return NoiseDraws(noise, posterior, offset, torch.from_numpy(times))


def timesteps(seed: int, step: int, batch: int, steps: int, stratified: bool) -> NDArray[np.int64]:
    """(batch,) of 0 … steps − 1; stratified: one from each of `batch` equal parts, in random order."""
    g = rng(seed, "timesteps", step)
    share = (g.permutation(batch) + g.random(batch)) / batch if stratified else g.random(batch)
    return np.minimum((share * steps).astype(np.int64), steps - 1)


class Objective:
    """Loss of a U-Net's answer, by the schedule that the base was trained with.

    scheduler: its config; prediction: what the run expects it to say, None to take what it says. Raises TrainError
    where they differ, and for a schedule that ends in pure noise without v.
    """

    def __init__(
        self,
        scheduler: Mapping[str, Any],
        prediction: str | None = None,
        *,
        min_snr_gamma: float | None = None,
        zero_terminal_snr: bool = False,
        background_weight: float = 1.0,
    ):
        self.config = resolved(scheduler, prediction, zero_terminal_snr)
        kept = {k: v for k, v in self.config.items() if not k.startswith("_")}
        self._scheduler = DDPMScheduler.from_config(kept)
        self.prediction: str = self.config["prediction_type"]
        self.steps = int(self._scheduler.config.num_train_timesteps)
        self._gamma, self._background = min_snr_gamma, background_weight

    def to(self, device: torch.device) -> None:
        """Keep the schedule there: looked up at every step."""
        self._scheduler.alphas_cumprod = self._scheduler.alphas_cumprod.to(device)

    def noised(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """What the U-Net is given: √ᾱ x + √(1 − ᾱ) ε."""
        noised: torch.Tensor = self._scheduler.add_noise(latents, noise, times)
        return noised

    def target(self, latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """What it should say: ε, or v = √ᾱ ε − √(1 − ᾱ) x (arXiv:2202.00512)."""
        if self.prediction == "epsilon":
            return noise
        velocity: torch.Tensor = self._scheduler.get_velocity(latents, noise, times)
        return velocity

    def weights(self, times: torch.Tensor) -> torch.Tensor:
        """(n,) of min-SNR-γ (arXiv:2303.09556): min(SNR, γ) of the clean picture's error, in terms of ε's or v's."""
        if self._gamma is None:
            return torch.ones(len(times), device=times.device)
        snr = compute_snr(self._scheduler, times).float()
        clipped = snr.clamp(max=self._gamma)
        return clipped / snr if self.prediction == "epsilon" else clipped / (snr + 1)

    def loss(
        self, said: torch.Tensor, target: torch.Tensor, times: torch.Tensor, masks: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(n,) losses of (n, c, h, w). masks: (n, 1, h, w), the share of figure in each latent's pixels."""
        error = (said.float() - target.float()).square()
        if masks is not None and self._background < 1:
            weight = masks + self._background * (1 - masks)
            error = error * (weight / weight.mean(dim=(1, 2, 3), keepdim=True))
        return error.mean(dim=(1, 2, 3)) * self.weights(times)


def resolved(scheduler: Mapping[str, Any], prediction: str | None, zero_terminal_snr: bool) -> dict[str, Any]:
    """The config that the run trains by, and that its model is sampled by. Raises TrainError."""
    says = scheduler.get("prediction_type", "epsilon")
    if prediction not in (None, says):
        what = "the base's scheduler has another prediction_type than the run"
        raise TrainError(what, got=prediction, allowed=says)
    zero = zero_terminal_snr or bool(scheduler.get("rescale_betas_zero_snr"))
    if zero and says != "v_prediction":
        what = "zero terminal SNR needs v_prediction: of pure noise, epsilon says nothing of the picture"
        raise TrainError(what, got=says, allowed="v_prediction")
    out = {**scheduler, "prediction_type": says}
    return {**out, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"} if zero else out


def sample_latents(moments: torch.Tensor, posterior: torch.Tensor, vae: Mapping[str, Any]) -> torch.Tensor:
    """Latents (n, c, h, w), scaled, of a VAE's moments (n, 2c, h, w): one draw from each posterior."""
    mean, log_variance = moments.chunk(2, dim=1)
    latents = mean + (0.5 * log_variance.clamp(-30, 20)).exp() * posterior
    shift = vae.get("shift_factor") or 0.0
    scaled: torch.Tensor = (latents - shift) * vae.get("scaling_factor", 0.18215)
    return scaled
