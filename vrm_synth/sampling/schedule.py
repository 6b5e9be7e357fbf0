"""Samplers by name, made from the schedule that a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, SchedulerMixin, UniPCMultistepScheduler

from vrm_synth.sampling.settings import SamplingError, SchedulerName

KINDS: dict[SchedulerName, tuple[type[Any], dict[str, Any]]] = {
    "dpm++2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": (UniPCMultistepScheduler, {"solver_order": 2, "solver_type": "bh2"}),
    "ddim": (DDIMScheduler, {"clip_sample": False}),
}
PREDICTIONS = ("epsilon", "v_prediction")


def make_scheduler(name: SchedulerName, trained: Mapping[str, Any], where: object = None) -> SchedulerMixin:
    """The sampler `name` over the betas, prediction type and spacing of `trained`, a scheduler's config.

    A schedule that ends in pure noise (rescale_betas_zero_snr) is sampled from its very end ("trailing"): any other
    spacing leaves out the one step that it was made for (arXiv:2305.08891, section 3.3). Raises SamplingError where
    the config names no prediction that we know.
    """
    prediction = trained.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise SamplingError("unknown prediction_type", got=prediction, allowed=" or ".join(PREDICTIONS), where=where)
    kind, options = KINDS[name]
    if trained.get("rescale_betas_zero_snr"):
        options = {**options, "timestep_spacing": "trailing"}
    kept = {k: v for k, v in trained.items() if not k.startswith("_") and k not in _OF_OTHERS}
    return kind.from_config(kept, **options)


# Keys of one kind of scheduler that mean something else in another.
_OF_OTHERS = ("algorithm_type", "solver_order", "solver_type", "clip_sample", "skip_prk_steps")
