"""Schedulers by name, with the noise schedule that a model was trained with.

Every scheduler starts at the last timestep of the noise schedule, where the latents are pure noise, and uses each
timestep once. diffusers' spacings do not always: with 1000 timesteps "leading" starts 600 steps at 600, 250 at 751 and
1 at 1, "linspace" repeats one of 1000 steps, and "trailing" ends in the timestep −1 for 62 of the numbers up to 1000
(a float range with one element too many).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, SchedulerMixin, UniPCMultistepScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput

from vrm_synth.sampling.sampler_settings import SamplingError, SchedulerName

PREDICTIONS = ("epsilon", "v_prediction")
Device = str | torch.device | None
SPACINGS = ("leading", "linspace", "trailing")


def _set_timesteps_from_last(scheduler: Any, set_timesteps: Callable[..., None], steps: int, device: Device) -> None:
    """Set `steps` decreasing timesteps that start at the last one of the noise schedule.

    They have the configured spacing where that starts at the last timestep, else "trailing". set_timesteps: diffusers'
    method. Raises SamplingError where the noise schedule has fewer timesteps.
    """
    check_steps(steps, scheduler.config)
    set_timesteps(steps, device=device)
    timesteps, last = scheduler.timesteps.tolist(), scheduler.config.num_train_timesteps - 1
    decreasing = all(a > b for a, b in itertools.pairwise(timesteps))
    if len(timesteps) == steps and timesteps[0] == last and timesteps[-1] >= 0 and decreasing:
        return
    spacing = scheduler.config.timestep_spacing
    scheduler.register_to_config(timestep_spacing="trailing")
    set_timesteps(steps, device=device)
    scheduler.register_to_config(timestep_spacing=spacing)
    # Cut off the elements beyond the last step.
    scheduler.timesteps, scheduler.num_inference_steps = scheduler.timesteps[:steps], steps
    if hasattr(scheduler, "sigmas"):
        scheduler.sigmas = torch.cat([scheduler.sigmas[:steps], scheduler.sigmas[-1:]])


class _Ddim(DDIMScheduler):
    """DDIM that steps to the next timestep.

    DDIMScheduler steps num_train_timesteps // n back, which is too little wherever n does not divide: with 501 steps
    each removes half the noise that it should.
    """

    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _set_timesteps_from_last(self, super().set_timesteps, num_inference_steps, device)

    def step(
        self, model_output: torch.Tensor, timestep: int | torch.Tensor, sample: torch.Tensor, return_dict: bool = True
    ) -> DDIMSchedulerOutput | tuple[torch.Tensor, torch.Tensor]:
        """Step without added noise (arXiv:2010.02502, equation 12 with σ = 0)."""
        alpha_prod_t = self.alphas_cumprod[timestep]
        remaining = self.timesteps[self.timesteps < timestep]
        alpha_prod_next = self.alphas_cumprod[remaining[0]] if len(remaining) else self.final_alpha_cumprod
        if self.config.prediction_type == "epsilon":
            pred_noise = model_output
            pred_original = (sample - (1 - alpha_prod_t) ** 0.5 * pred_noise) / alpha_prod_t**0.5
        else:
            pred_original = alpha_prod_t**0.5 * sample - (1 - alpha_prod_t) ** 0.5 * model_output
            pred_noise = alpha_prod_t**0.5 * model_output + (1 - alpha_prod_t) ** 0.5 * sample
        if self.config.thresholding:
            pred_original = self._threshold_sample(pred_original)
        prev_sample = alpha_prod_next**0.5 * pred_original + (1 - alpha_prod_next) ** 0.5 * pred_noise
        return DDIMSchedulerOutput(prev_sample, pred_original) if return_dict else (prev_sample, pred_original)


class _DpmSolver(DPMSolverMultistepScheduler):
    """DPM-Solver++ that starts at the last timestep."""

    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _set_timesteps_from_last(self, super().set_timesteps, num_inference_steps, device)


class _UniPc(UniPCMultistepScheduler):
    """UniPC that starts at the last timestep."""

    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _set_timesteps_from_last(self, super().set_timesteps, num_inference_steps, device)


SCHEDULER_CLASSES: dict[SchedulerName, tuple[type[Any], dict[str, Any]]] = {
    "dpm++2m": (_DpmSolver, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": (_UniPc, {"solver_order": 2, "solver_type": "bh2"}),
    "ddim": (_Ddim, {"clip_sample": False}),
}


def make_scheduler(name: SchedulerName, config: Mapping[str, Any], where: object = None) -> SchedulerMixin:
    """Make a scheduler with the betas, prediction type and timestep spacing of a model's scheduler config.

    A noise schedule that ends in pure noise (rescale_betas_zero_snr) is sampled with "trailing" spacing: any other
    spacing leaves out the last timestep, the only one that it changes (arXiv:2305.08891, section 3.3).

    where: what the config belongs to, for errors. Raises SamplingError for an unknown prediction type or spacing.
    """
    prediction = config.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise SamplingError("unknown prediction_type", got=prediction, allowed=" or ".join(PREDICTIONS), where=where)
    spacing = config.get("timestep_spacing", "leading")
    if spacing not in SPACINGS:
        raise SamplingError("unknown timestep_spacing", got=spacing, allowed=" or ".join(SPACINGS), where=where)
    scheduler_class, options = SCHEDULER_CLASSES[name]
    if config.get("rescale_betas_zero_snr"):
        options = {**options, "timestep_spacing": "trailing"}
    shared = {k: v for k, v in config.items() if not k.startswith("_") and k not in _SPECIFIC_KEYS}
    return scheduler_class.from_config(shared, **options)


def check_steps(steps: int, config: Mapping[str, Any]) -> None:
    """Raises SamplingError where a scheduler config has fewer timesteps than `steps`."""
    limit = config.get("num_train_timesteps", 1000)
    if not 1 <= steps <= limit:
        raise SamplingError("more steps than the model's schedule has timesteps", got=steps, allowed=f"1 to {limit}")


# Config keys of one scheduler class that mean something else in another.
_SPECIFIC_KEYS = ("algorithm_type", "solver_order", "solver_type", "clip_sample", "skip_prk_steps")
