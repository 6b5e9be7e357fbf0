"""Weights are drawn from torch's generator without a trace in it."""

from __future__ import annotations

import torch

from vrm_synth.models.torch_seed import torch_seed


def test_draws_follow_the_seed_and_leave_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    draws = []
    for seed in (3, 3, 4):
        with torch_seed(seed):
            draws.append(torch.randn(8))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert torch.equal(draws[0], torch.randn(8, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(torch.get_rng_state(), before)
