"""Every sampler's timesteps, for every number of steps; and DDIM against its own formula and diffusers'."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler

from tests.sampling.conftest import variant
from vrm_synth.core.errors import ModelError
from vrm_synth.models.tiny_base import SCHEDULER_CONFIG
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import SCHEDULERS, DeviceConfig, SamplerSettings, SamplingError
from vrm_synth.sampling.schedulers import SPACINGS, make_scheduler


def scheduler(name: str, **trained: object):
    return make_scheduler(name, {**SCHEDULER_CONFIG, "prediction_type": "epsilon", **trained})


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize(
    "trained",
    [{}, *({"timestep_spacing": s} for s in SPACINGS),
     {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}],
    ids=lambda x: "-".join(map(str, x.values())),
)  # fmt: skip
def test_any_number_of_steps_starts_at_the_last_timestep_and_repeats_none(name, trained):
    made = scheduler(name, **trained)
    for n in range(1, 1001):
        made.set_timesteps(n)
        timesteps = made.timesteps.tolist()
        assert len(timesteps) == made.num_inference_steps == n and timesteps[0] == 999, n
        assert all(a > b for a, b in itertools.pairwise(timesteps)) and timesteps[-1] >= 0, n
        assert not hasattr(made, "sigmas") or len(made.sigmas) == n + 1, n


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_bases_spacing_stays_where_it_begins_at_the_end(name):
    made = scheduler(name, timestep_spacing="linspace")
    reference = type(made).__mro__[1].from_config(made.config)  # diffusers' own class
    for n in (1000, 20):  # what one number needs is nothing to the next
        made.set_timesteps(n)
        reference.set_timesteps(n)
        assert (name != "ddim" and n == 1000) or torch.equal(made.timesteps, reference.timesteps)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("n", [1, 4, 20, 50])
def test_ddim_is_diffusers_where_the_steps_divide_the_schedule(prediction, n):
    ours = scheduler("ddim", timestep_spacing="trailing", prediction_type=prediction)
    reference = DDIMScheduler.from_config(ours.config)
    ours.set_timesteps(n)
    reference.set_timesteps(n)
    assert torch.equal(ours.timesteps, reference.timesteps)
    generator = torch.Generator().manual_seed(n)
    x, noise_pred = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    for t in ours.timesteps:
        assert torch.equal(ours.step(noise_pred, t, x).prev_sample, reference.step(noise_pred, t, x).prev_sample)
        x = ours.step(noise_pred, t, x, return_dict=False)[0]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("n", [50, 61, 300, 501, 1000])
def test_a_model_that_knows_its_pictures_draws_their_spread(name, n):
    """Pictures that are normal of deviation 0.5 have an exact ε: what is left of the noise would add to that."""
    made = scheduler(name, timestep_spacing="leading")
    made.set_timesteps(n)
    x = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    start = float(x.std())
    for t in made.timesteps:
        a = made.alphas_cumprod[t]
        x = made.step((1 - a).sqrt() * x / (0.25 * a + 1 - a), t, x, return_dict=False)[0]
    assert float(x.std()) / start == pytest.approx(0.5, abs=0.03 if n == 50 else 0.02)


def test_more_steps_than_timesteps_are_refused_before_anything_is_drawn(tmp_path):
    short = variant(tmp_path / "short", num_train_timesteps=100)
    for name in SCHEDULERS:
        settings = SamplerSettings(32, 32, steps=100, scheduler=name)
        DiffusionSampler(short, settings, DeviceConfig())
        with pytest.raises(SamplingError, match=r"more steps than.*timesteps; got 101; allowed: 1 to 100"):
            DiffusionSampler(short, replace(settings, steps=101), DeviceConfig())


def test_a_schedule_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(SamplingError, match="unknown timestep_spacing; got sideways; allowed: leading or linspace"):
        scheduler("ddim", timestep_spacing="sideways")
    for i, wrong in enumerate((0, -5, "1000", 10**12, True)):
        with pytest.raises(ModelError, match="num_train_timesteps out of range"):
            variant(tmp_path / str(i), num_train_timesteps=wrong)
