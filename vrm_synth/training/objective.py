"""Training objective: noise prediction (ε or v), its loss and loss weights.

A sample's noise follows from (seed, its sample number), a batch's timesteps from (seed, step). A batch is therefore the
same for every rank, micro-batch and resumed run that sees it.
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
    """Random draws for n samples.

    noise: (n, c, h, w) float32, standard normal: the noise that is added to the latents.
    posterior_noise: (n, c, h, w) float32, standard normal: with which latents are drawn from the VAE's posterior.
    offset: (n, c, 1, 1) float32, standard normal: offset noise, one value for a whole channel.
    timesteps: (n,) int64, 0 … num_train_timesteps − 1.
    """

    noise: torch.Tensor
    posterior_noise: torch.Tensor
    offset: torch.Tensor
    timesteps: torch.Tensor


def draw_noise(
    seed: int,
    step: int,
    sample_numbers: Sequence[int],
    batch_size: int,
    shape: tuple[int, int, int],
    num_train_timesteps: int,
    stratified: bool,
) -> NoiseDraws:
    """Draw noise and timesteps for some samples of one step.

    sample_numbers: the samples' numbers in the run, all of this step.
    batch_size: samples of the global batch.
    shape: (c, h, w) of a latent.
    stratified: see `draw_timesteps`.
    """
    rngs = [rng(seed, "noise", n) for n in sample_numbers]

    def normal(shape: tuple[int, int, int]) -> torch.Tensor:
        return torch.from_numpy(np.stack([r.standard_normal(shape, np.float32) for r in rngs]))

    # One generator draws all of a sample's values, in this order.
    noise, posterior_noise, offset = normal(shape), normal(shape), normal((shape[0], 1, 1))
    timesteps = draw_timesteps(seed, step, batch_size, num_train_timesteps, stratified)
    return NoiseDraws(
        noise, posterior_noise, offset, torch.from_numpy(timesteps[np.asarray(sample_numbers) - step * batch_size])
    )


def draw_timesteps(
    seed: int, step: int, batch_size: int, num_train_timesteps: int, stratified: bool
) -> NDArray[np.int64]:
    """Timesteps of a global batch: (batch_size,) int64, 0 … num_train_timesteps − 1.

    stratified: one from each of `batch_size` equal parts of the schedule, in random order; else independent.
    """
    step_rng = rng(seed, "timesteps", step)
    if stratified:
        fraction = (step_rng.permutation(batch_size) + step_rng.random(batch_size)) / batch_size
    else:
        fraction = step_rng.random(batch_size)
    return np.minimum((fraction * num_train_timesteps).astype(np.int64), num_train_timesteps - 1)


class Objective:
    """Loss of the U-Net's prediction under the noise schedule of the base.

    scheduler_config: the base's scheduler config, as diffusers writes it.
    prediction: the prediction type that the run expects, "epsilon" or "v_prediction"; None for the scheduler's own.
    min_snr_gamma: γ of min-SNR weighting; None for no weighting.
    zero_terminal_snr: rescale the schedule to end in pure noise.
    background_weight: loss weight of what is not figure, 0 … 1.

    Raises TrainError where prediction and scheduler differ, and for zero terminal SNR without v-prediction.

    Attributes:
    config: the scheduler config that the run trains by.
    prediction: "epsilon" or "v_prediction".
    num_train_timesteps: length of the schedule.
    """

    def __init__(
        self,
        scheduler_config: Mapping[str, Any],
        prediction: str | None = None,
        *,
        min_snr_gamma: float | None = None,
        zero_terminal_snr: bool = False,
        background_weight: float = 1.0,
    ):
        self.config = training_scheduler_config(scheduler_config, prediction, zero_terminal_snr)
        public = {k: v for k, v in self.config.items() if not k.startswith("_")}
        self._scheduler = DDPMScheduler.from_config(public)
        self.prediction: str = self.config["prediction_type"]
        self.num_train_timesteps = int(self._scheduler.config.num_train_timesteps)
        self._min_snr_gamma, self._background_weight = min_snr_gamma, background_weight

    def to(self, device: torch.device) -> None:
        """Move the schedule to a device: every step looks it up."""
        self._scheduler.alphas_cumprod = self._scheduler.alphas_cumprod.to(device)

    def add_noise(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Noisy latents, the U-Net's input: √ᾱ x + √(1 − ᾱ) ε. (n, c, h, w); timesteps (n,)."""
        noisy_latents: torch.Tensor = self._scheduler.add_noise(latents, noise, timesteps)
        return noisy_latents

    def target(self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        """Regression target (n, c, h, w): ε, or v = √ᾱ ε − √(1 − ᾱ) x (arXiv:2202.00512)."""
        if self.prediction == "epsilon":
            return noise
        velocity: torch.Tensor = self._scheduler.get_velocity(latents, noise, timesteps)
        return velocity

    def loss_weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Min-SNR-γ weights (n,) (arXiv:2303.09556): min(SNR, γ) on the clean picture's error, converted to ε's or
        v's; ones where no γ is set."""
        if self._min_snr_gamma is None:
            return torch.ones(len(timesteps), device=timesteps.device)
        snr = compute_snr(self._scheduler, timesteps).float()
        clipped = snr.clamp(max=self._min_snr_gamma)
        return clipped / snr if self.prediction == "epsilon" else clipped / (snr + 1)

    def loss(
        self,
        model_pred: torch.Tensor,
        target: torch.Tensor,
        timesteps: torch.Tensor,
        masks: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Weighted mean squared error of each sample, (n,) float32.

        model_pred, target: (n, c, h, w).
        masks: (n, 1, h, w) float32, share of figure in each latent's pixels, 0 … 1. The weights that they give have
        a mean of 1 over a picture.
        """
        error = (model_pred.float() - target.float()).square()
        if masks is not None and self._background_weight < 1:
            weight = masks + self._background_weight * (1 - masks)
            error = error * (weight / weight.mean(dim=(1, 2, 3), keepdim=True))
        return error.mean(dim=(1, 2, 3)) * self.loss_weights(timesteps)


def training_scheduler_config(
    scheduler_config: Mapping[str, Any], prediction: str | None, zero_terminal_snr: bool
) -> dict[str, Any]:
    """The scheduler config that the run trains by and its model is sampled by. Raises TrainError, see `Objective`."""
    base_prediction = scheduler_config.get("prediction_type", "epsilon")
    if prediction not in (None, base_prediction):
        what = "the base's scheduler has another prediction_type than the run"
        raise TrainError(what, got=prediction, allowed=base_prediction)
    zero = zero_terminal_snr or bool(scheduler_config.get("rescale_betas_zero_snr"))
    if zero and base_prediction != "v_prediction":
        what = "zero terminal SNR needs v_prediction: of pure noise, epsilon says nothing of the picture"
        raise TrainError(what, got=base_prediction, allowed="v_prediction")
    config = {**scheduler_config, "prediction_type": base_prediction}
    return {**config, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"} if zero else config


def sample_latents(moments: torch.Tensor, posterior_noise: torch.Tensor, vae_config: Mapping[str, Any]) -> torch.Tensor:
    """Draw scaled latents from the VAE's posterior.

    moments: (n, 2c, h, w) float32, mean and log variance.
    posterior_noise: (n, c, h, w) float32, standard normal.
    Returns (n, c, h, w) float32, shifted and scaled as the VAE's config says.
    """
    mean, log_variance = moments.chunk(2, dim=1)
    latents = mean + (0.5 * log_variance.clamp(-30, 20)).exp() * posterior_noise
    shift = vae_config.get("shift_factor") or 0.0
    scaled: torch.Tensor = (latents - shift) * vae_config.get("scaling_factor", 0.18215)
    return scaled
