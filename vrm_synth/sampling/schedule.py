"""Samplers by name, made from the schedule that a model was trained with.

Every sampler starts at the schedule's last timestep, where the latents are the noise that it is given, and takes each
timestep once. diffusers' spacings do not always: with 1000 timesteps "leading" starts 600 steps at 600, 250 at 751 and
1 at 1, "linspace" repeats one of 1000 steps, and "trailing" ends in the timestep −1 for 62 of the numbers up to 1000
(a float range that is one too long).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, SchedulerMixin, UniPCMultistepScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput

from vrm_synth.sampling.settings import SamplingError, SchedulerName

PREDICTIONS = ("epsilon", "v_prediction")
Device = str | torch.device | None
SPACINGS = ("leading", "linspace", "trailing")


def _from_the_end(scheduler: Any, set_timesteps: Callable[..., None], steps: int, device: Device) -> None:
    """Set n timesteps that start at the last one of the schedule and fall: in the configured spacing where that gives
    such, in "trailing" elsewhere. set_timesteps: diffusers' own. Raises SamplingError where the schedule has fewer."""
    check_steps(steps, scheduler.config)
    set_timesteps(steps, device=device)
    found = scheduler.timesteps.tolist()
    falling = all(a > b for a, b in itertools.pairwise(found))
    if len(found) == steps and found[0] == scheduler.config.num_train_timesteps - 1 and found[-1] >= 0 and falling:
        return
    configured = scheduler.config.timestep_spacing
    scheduler.register_to_config(timestep_spacing="trailing")
    set_timesteps(steps, device=device)
    scheduler.register_to_config(timestep_spacing=configured)
    # Without what is beyond the last step.
    scheduler.timesteps, scheduler.num_inference_steps = scheduler.timesteps[:steps], steps
    if hasattr(scheduler, "sigmas"):
        scheduler.sigmas = torch.cat([scheduler.sigmas[:steps], scheduler.sigmas[-1:]])


class _Ddim(DDIMScheduler):
    """DDIM whose steps lead to the next timestep. DDIMScheduler's lead num_train_timesteps // n back, which is less
    wherever n does not divide: of 501 steps each removes half the noise that it should."""

    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _from_the_end(self, super().set_timesteps, num_inference_steps, device)

    def step(
        self, model_output: torch.Tensor, timestep: int | torch.Tensor, sample: torch.Tensor, return_dict: bool = True
    ) -> DDIMSchedulerOutput | tuple[torch.Tensor, torch.Tensor]:
        """One step without new noise (arXiv:2010.02502, equation 12 with σ = 0)."""
        alpha = self.alphas_cumprod[timestep]
        following = self.timesteps[self.timesteps < timestep]
        alpha_next = self.alphas_cumprod[following[0]] if len(following) else self.final_alpha_cumprod
        if self.config.prediction_type == "epsilon":
            noise = model_output
            clean = (sample - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        else:
            clean = alpha**0.5 * sample - (1 - alpha) ** 0.5 * model_output
            noise = alpha**0.5 * model_output + (1 - alpha) ** 0.5 * sample
        if self.config.thresholding:
            clean = self._threshold_sample(clean)
        stepped = alpha_next**0.5 * clean + (1 - alpha_next) ** 0.5 * noise
        return DDIMSchedulerOutput(stepped, clean) if return_dict else (stepped, clean)


class _DpmSolver(DPMSolverMultistepScheduler):
    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _from_the_end(self, super().set_timesteps, num_inference_steps, device)


class _UniPc(UniPCMultistepScheduler):
    def set_timesteps(self, num_inference_steps: int, device: Device = None) -> None:
        _from_the_end(self, super().set_timesteps, num_inference_steps, device)


KINDS: dict[SchedulerName, tuple[type[Any], dict[str, Any]]] = {
    "dpm++2m": (_DpmSolver, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": (_UniPc, {"solver_order": 2, "solver_type": "bh2"}),
    "ddim": (_Ddim, {"clip_sample": False}),
}


def make_scheduler(name: SchedulerName, trained: Mapping[str, Any], where: object = None) -> SchedulerMixin:
    """The sampler `name` over the betas, prediction type and spacing of `trained`, a scheduler's config.

    A schedule that ends in pure noise (rescale_betas_zero_snr) is sampled from its very end ("trailing"): any other
    spacing leaves out the one step that it was made for (arXiv:2305.08891, section 3.3). Raises SamplingError where
    the config names no prediction or spacing that we know.
    """
    prediction = trained.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise SamplingError("unknown prediction_type", got=prediction, allowed=" or ".join(PREDICTIONS), where=where)
    spacing = trained.get("timestep_spacing", "leading")
    if spacing not in SPACINGS:
        raise SamplingError("unknown timestep_spacing", got=spacing, allowed=" or ".join(SPACINGS), where=where)
    kind, options = KINDS[name]
    if trained.get("rescale_betas_zero_snr"):
        options = {**options, "timestep_spacing": "trailing"}
    kept = {k: v for k, v in trained.items() if not k.startswith("_") and k not in _OF_OTHERS}
    return kind.from_config(kept, **options)


def check_steps(steps: int, trained: Mapping[str, Any]) -> None:
    """Raises SamplingError where a schedule has fewer timesteps than that."""
    most = trained.get("num_train_timesteps", 1000)
    if not 1 <= steps <= most:
        raise SamplingError("more steps than the model's schedule has timesteps", got=steps, allowed=f"1 to {most}")


# Keys of one kind of scheduler that mean something else in another.
_OF_OTHERS = ("algorithm_type", "solver_order", "solver_type", "clip_sample", "skip_prk_steps")
