"""The objective against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from vrm_synth.core.errors import RecipeError, TrainError
from vrm_synth.models.tiny import SCHEDULER_CONFIG
from vrm_synth.train.config import RunConfig
from vrm_synth.train.memory_probe import find_micro_batch
from vrm_synth.train.objective import Objective, draw_noise, sample_latents, timesteps
from vrm_synth.yaml_models.strict_yaml import parse

T = torch.tensor([0, 10, 400, 999])


def alphas(zero: bool = False) -> torch.Tensor:
    """ᾱ of the scaled-linear schedule, written out; zero: rescaled as arXiv:2305.08891's algorithm 1 has it."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    roots = (1 - betas).cumprod(0).sqrt()
    if zero:
        roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return roots**2


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("says", "zero"), [("epsilon", False), ("v_prediction", False), ("v_prediction", True)])
def test_noise_and_target_are_the_closed_forms(says, zero):
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": says}, zero_terminal_snr=zero)
    x, e, a = some(4, 4, 8, 8), some(4, 4, 8, 8, seed=1), alphas(zero)[T].float()[:, None, None, None]
    assert torch.allclose(objective.noised(x, e, T), a.sqrt() * x + (1 - a).sqrt() * e, atol=1e-4)
    target = e if says == "epsilon" else a.sqrt() * e - (1 - a).sqrt() * x
    assert torch.allclose(objective.target(x, e, T), target, atol=1e-4)
    if zero:
        assert torch.allclose(objective.noised(x, e, T)[3], e[3], atol=1e-4)
        assert objective.config["timestep_spacing"] == "trailing" and objective.config["rescale_betas_zero_snr"]


@pytest.mark.parametrize("says", ["epsilon", "v_prediction"])
def test_min_snr_weights_are_the_papers(says):
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": says}, min_snr_gamma=5.0)
    snr = alphas()[T] / (1 - alphas()[T])
    wanted = snr.clamp(max=5) / (snr if says == "epsilon" else snr + 1)
    assert torch.allclose(objective.weights(T).double(), wanted, rtol=1e-3)
    plain = Objective({**SCHEDULER_CONFIG, "prediction_type": says})
    said, target = some(4, 4, 8, 8), some(4, 4, 8, 8, seed=1)
    mean = ((said - target) ** 2).flatten(1).mean(1)
    assert torch.allclose(plain.loss(said, target, T), mean)
    assert torch.allclose(objective.loss(said, target, T), mean * wanted.float(), rtol=1e-3)


def test_an_error_in_v_weighs_as_the_picture_it_means():
    """min-SNR of v is that of the picture: with x̂ = √ᾱ z − √(1−ᾱ) v̂, |x̂ − x|² = (1−ᾱ)|v̂ − v|² and
    min(SNR, γ)|x̂ − x|² = min(SNR, γ)/(SNR + 1) |v̂ − v|²."""
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": "v_prediction"}, min_snr_gamma=5.0)
    x, e, said = some(4, 4, 8, 8), some(4, 4, 8, 8, seed=1), some(4, 4, 8, 8, seed=2)
    a = alphas()[T].float()[:, None, None, None]
    guess = a.sqrt() * objective.noised(x, e, T) - (1 - a).sqrt() * said
    snr = (a / (1 - a)).flatten()
    wanted = snr.clamp(max=5) * ((guess - x) ** 2).flatten(1).mean(1)
    assert torch.allclose(objective.loss(said, objective.target(x, e, T), T), wanted, rtol=1e-2)


def test_masks_weigh_the_figure_and_keep_the_mean():
    objective = Objective(SCHEDULER_CONFIG, background_weight=0.25)
    said, target = torch.ones(2, 4, 2, 2), torch.zeros(2, 4, 2, 2)
    masks = torch.tensor([[[[1.0, 0], [0, 0]]], [[[0.0, 0], [0, 0]]]])
    assert torch.allclose(objective.loss(said, target, T[:2], masks), torch.ones(2))
    said[0, :, 0, 0] = 3  # wrong on the figure: 9 × 1 against 1 × 0.25 three times
    wanted = (9 * 1 + 3 * 0.25) / (1 + 3 * 0.25)
    assert objective.loss(said, target, T[:2], masks)[0].item() == pytest.approx(wanted)


def test_what_cannot_be_is_refused():
    with pytest.raises(TrainError, match="another prediction_type than the run; got v_prediction; allowed: epsilon"):
        Objective({**SCHEDULER_CONFIG, "prediction_type": "epsilon"}, "v_prediction")
    with pytest.raises(TrainError, match="zero terminal SNR needs v_prediction"):
        Objective(SCHEDULER_CONFIG, zero_terminal_snr=True)


def test_stratified_timesteps_are_one_of_each_part():
    for step in range(5):
        found = np.sort(timesteps(1, step, 8, 1000, True))
        assert (found // 125).tolist() == list(range(8))
    assert timesteps(1, 0, 8, 1000, True).tolist() != timesteps(1, 1, 8, 1000, True).tolist()
    free = timesteps(1, 0, 4000, 1000, False)
    assert free.min() >= 0 and free.max() == 999 and abs(free.mean() - 499.5) < 20


def test_a_samples_chance_is_its_own():
    whole = draw_noise(7, 3, range(12, 16), 4, (4, 8, 8), 1000, True)
    part = draw_noise(7, 3, range(14, 16), 4, (4, 8, 8), 1000, True)
    assert torch.equal(whole.noise[2:], part.noise) and torch.equal(whole.times[2:], part.times)
    assert torch.equal(whole.posterior[2:], part.posterior) and torch.equal(whole.offset[2:], part.offset)
    assert not torch.equal(whole.noise[0], whole.noise[1]) and not torch.equal(whole.noise, whole.posterior)


def test_latents_are_a_draw_from_the_posterior():
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    moments, e = some(2, 8, 4, 4), some(2, 4, 4, 4, seed=1)
    posterior = DiagonalGaussianDistribution(moments)
    wanted = (posterior.mean + posterior.std * e) * 0.18215
    assert torch.allclose(sample_latents(moments, e, {"scaling_factor": 0.18215}), wanted)


def test_memory_that_does_not_suffice_raises_accumulation_and_not_the_batch():
    said: list[str] = []
    tried = []

    def fits(size: tuple[int, int], count: int) -> bool:
        tried.append((size, count))
        return size[0] * count <= 512

    assert find_micro_batch(12, 1, [(64, 64), (128, 128)], fits, said.append) == 3
    assert tried == [((64, 64), 12), ((64, 64), 6), ((128, 128), 6), ((128, 128), 4)]
    assert "12 pictures of 64×64 at once do not fit" in said[0] and "2 parts of 6" in said[0]
    with pytest.raises(TrainError, match="not even one picture"):
        find_micro_batch(4, 1, [(64, 64)], lambda size, count: False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch: 5\nmicro_batch: 2", "micro_batch does not divide batch"),
        ("schedule: cosine", "decay_steps belongs to schedule: cosine"),
        ("lora: {rank: 4}\ninit: scratch", "a LoRA needs weights"),
        ("learning_rat: 1", "did you mean learning_rate"),
        ("preset: nothing", "no such preset"),
        ("stages: [{until: 5, size: 64}, {until: 3, size: 64}, {size: 64}]", "stages end one after the other"),
        ("stages: [{size: 64}, {size: 64}]", "every stage but the last"),
        ("precision: float16", "not allowed"),
    ],
)
def test_configurations_are_refused_with_their_line(line, message):
    with pytest.raises(RecipeError, match=message) as e:
        parse(f"base: tiny\nsteps: 5\ndata: {{sources: [x]}}\n{line}\n", RunConfig, "run.yaml")
    assert str(e.value).startswith("run.yaml:")


def test_presets_are_defaults_that_a_user_overrides():
    text = "base: b\npreset: mitsua-vroid-scratch\nlearning_rate: 2.e-5\ndata: {sources: [x]}\n"
    config = parse(text, RunConfig, "run.yaml")
    assert (config.steps, config.batch, config.data.size, config.warmup) == (45_000, 48, 256, 1000)
    assert config.learning_rate == 2e-5 and config.init == "scratch"
    grown = parse("base: b\npreset: mitsua-one-schedule\ndata: {sources: [x]}\n", RunConfig, "run.yaml")
    assert [s.size for _, s in grown.parts()] == [256, 512, 512, 512] and grown.parts()[-1][1].offset_noise > 0
    with pytest.raises(ValidationError):
        RunConfig.model_validate({"base": "tiny", "steps": 0, "data": {"sources": ["x"]}})
