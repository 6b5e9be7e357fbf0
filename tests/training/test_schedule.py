"""The learning rate: a function of an update's number that never rises again after the warm-up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training import runs
from vrm_synth.core.errors import RecipeError
from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.loop import train
from vrm_synth.training.trainer import make_lr_lambda
from vrm_synth.yaml_models.strict_yaml import parse


def rates(steps: int, **settings: object) -> list[float]:
    config = RunConfig.model_validate({"base": "tiny", "steps": steps, "data": {"sources": ["x"]}, **settings})
    rate = make_lr_lambda(config, torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0))
    return [rate(step) for step in range(steps)]


@settings(max_examples=50, deadline=None)
@given(warmup=st.integers(0, 20), more=st.integers(1, 40), past=st.integers(0, 60))
def test_a_cosine_falls_to_zero_and_stays_there(warmup, more, past):
    decay = warmup + more
    factors = rates(decay + past, schedule="cosine", decay_steps=decay, warmup=warmup)
    assert all(0 <= r <= 1 for r in factors)
    risen, fallen = factors[:warmup], factors[max(warmup - 1, 0) :]
    assert risen == sorted(risen) and fallen == sorted(fallen, reverse=True)
    assert max(factors[decay - 1 :]) < 1e-12


def test_a_constant_rate_stays_after_its_warm_up():
    assert rates(6, warmup=3) == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])


def test_a_cosine_that_ends_within_its_warm_up_is_refused():
    text = "base: tiny\nsteps: 9\ndata: {sources: [x]}\nschedule: cosine\nwarmup: 5\ndecay_steps: 5\n"
    words = r"run\.yaml:6: decay_steps: the cosine ends before the warm-up.*more than warmup, 5"
    with pytest.raises(RecipeError, match=words):
        parse(text, RunConfig, "run.yaml")


def test_a_run_longer_than_its_cosine_says_so(tmp_path):
    data, messages = runs.dataset(tmp_path / "set"), []
    settings = runs.settings(data, steps=2, schedule="cosine", decay_steps=2, learning_rate=1e-3)
    runs.go(settings, tmp_path / "run")
    train(
        RunConfig.model_validate({**settings, "steps": 4}),
        tmp_path / "run",
        Callbacks(on_message=messages.append),
        device="cpu",
    )
    assert [line["learning_rate"] for line in runs.log(tmp_path / "run")] == pytest.approx([5e-4, 0, 0, 0])
    assert messages == ["The learning rate is 0 after step 2 (decay_steps) of 4."]
