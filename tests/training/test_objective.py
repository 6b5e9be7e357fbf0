"""The objective against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrm_synth.core.errors import TrainError
from vrm_synth.models.tiny_base import SCHEDULER_CONFIG
from vrm_synth.training.objective import Objective, draw_noise, draw_timesteps, sample_latents

T = torch.tensor([0, 10, 400, 999])


def alphas(zero: bool = False) -> torch.Tensor:
    """ᾱ of the scaled-linear schedule, written out; zero: rescaled as arXiv:2305.08891's algorithm 1 has it."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    roots = (1 - betas).cumprod(0).sqrt()
    if zero:
        roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return roots**2


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("prediction", "zero"), [("epsilon", False), ("v_prediction", False), ("v_prediction", True)])
def test_noisy_latents_and_target_match_the_closed_forms(prediction, zero):
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": prediction}, zero_terminal_snr=zero)
    x, e, a = randn(4, 4, 8, 8), randn(4, 4, 8, 8, seed=1), alphas(zero)[T].float()[:, None, None, None]
    assert torch.allclose(objective.add_noise(x, e, T), a.sqrt() * x + (1 - a).sqrt() * e, atol=1e-4)
    target = e if prediction == "epsilon" else a.sqrt() * e - (1 - a).sqrt() * x
    assert torch.allclose(objective.target(x, e, T), target, atol=1e-4)
    if zero:
        assert torch.allclose(objective.add_noise(x, e, T)[3], e[3], atol=1e-4)
        assert objective.config["timestep_spacing"] == "trailing" and objective.config["rescale_betas_zero_snr"]


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_min_snr_weights_match_the_paper(prediction):
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": prediction}, min_snr_gamma=5.0)
    snr = alphas()[T] / (1 - alphas()[T])
    expected = snr.clamp(max=5) / (snr if prediction == "epsilon" else snr + 1)
    assert torch.allclose(objective.loss_weights(T).double(), expected, rtol=1e-3)
    plain = Objective({**SCHEDULER_CONFIG, "prediction_type": prediction})
    model_pred, target = randn(4, 4, 8, 8), randn(4, 4, 8, 8, seed=1)
    mean = ((model_pred - target) ** 2).flatten(1).mean(1)
    assert torch.allclose(plain.loss(model_pred, target, T), mean)
    assert torch.allclose(objective.loss(model_pred, target, T), mean * expected.float(), rtol=1e-3)


def test_min_snr_weights_of_v_weigh_the_pictures_error():
    """min-SNR of v is that of the picture: with x̂ = √ᾱ z − √(1−ᾱ) v̂, |x̂ − x|² = (1−ᾱ)|v̂ − v|² and
    min(SNR, γ)|x̂ − x|² = min(SNR, γ)/(SNR + 1) |v̂ − v|²."""
    objective = Objective({**SCHEDULER_CONFIG, "prediction_type": "v_prediction"}, min_snr_gamma=5.0)
    x, e, model_pred = randn(4, 4, 8, 8), randn(4, 4, 8, 8, seed=1), randn(4, 4, 8, 8, seed=2)
    a = alphas()[T].float()[:, None, None, None]
    guess = a.sqrt() * objective.add_noise(x, e, T) - (1 - a).sqrt() * model_pred
    snr = (a / (1 - a)).flatten()
    expected = snr.clamp(max=5) * ((guess - x) ** 2).flatten(1).mean(1)
    assert torch.allclose(objective.loss(model_pred, objective.target(x, e, T), T), expected, rtol=1e-2)


def test_background_weight_keeps_the_mean_weight():
    objective = Objective(SCHEDULER_CONFIG, background_weight=0.25)
    model_pred, target = torch.ones(2, 4, 2, 2), torch.zeros(2, 4, 2, 2)
    masks = torch.tensor([[[[1.0, 0], [0, 0]]], [[[0.0, 0], [0, 0]]]])
    assert torch.allclose(objective.loss(model_pred, target, T[:2], masks), torch.ones(2))
    model_pred[0, :, 0, 0] = 3  # wrong on the figure: 9 × 1 against 1 × 0.25 three times
    expected = (9 * 1 + 3 * 0.25) / (1 + 3 * 0.25)
    assert objective.loss(model_pred, target, T[:2], masks)[0].item() == pytest.approx(expected)


def test_an_impossible_prediction_type_is_refused():
    with pytest.raises(TrainError, match="another prediction_type than the run; got v_prediction; allowed: epsilon"):
        Objective({**SCHEDULER_CONFIG, "prediction_type": "epsilon"}, "v_prediction")
    with pytest.raises(TrainError, match="zero terminal SNR needs v_prediction"):
        Objective(SCHEDULER_CONFIG, zero_terminal_snr=True)


def test_stratified_timesteps_come_from_every_part():
    for step in range(5):
        timesteps = np.sort(draw_timesteps(1, step, 8, 1000, True))
        assert (timesteps // 125).tolist() == list(range(8))
    assert draw_timesteps(1, 0, 8, 1000, True).tolist() != draw_timesteps(1, 1, 8, 1000, True).tolist()
    free = draw_timesteps(1, 0, 4000, 1000, False)
    assert free.min() >= 0 and free.max() == 999 and abs(free.mean() - 499.5) < 20


def test_a_samples_draws_do_not_depend_on_the_rank():
    all_draws = draw_noise(7, 3, range(12, 16), 4, (4, 8, 8), 1000, True)
    last_draws = draw_noise(7, 3, range(14, 16), 4, (4, 8, 8), 1000, True)
    assert torch.equal(all_draws.noise[2:], last_draws.noise) and torch.equal(
        all_draws.timesteps[2:], last_draws.timesteps
    )
    assert torch.equal(all_draws.posterior_noise[2:], last_draws.posterior_noise) and torch.equal(
        all_draws.offset[2:], last_draws.offset
    )
    assert not torch.equal(all_draws.noise[0], all_draws.noise[1]) and not torch.equal(
        all_draws.noise, all_draws.posterior_noise
    )


def test_latents_match_diffusers_posterior():
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    moments, e = randn(2, 8, 4, 4), randn(2, 4, 4, 4, seed=1)
    posterior = DiagonalGaussianDistribution(moments)
    expected = (posterior.mean + posterior.std * e) * 0.18215
    assert torch.allclose(sample_latents(moments, e, {"scaling_factor": 0.18215}), expected)
