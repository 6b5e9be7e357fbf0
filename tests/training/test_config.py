"""Configurations of runs: what is refused, and presets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vrm_synth.core.errors import RecipeError
from vrm_synth.training.config import RunConfig
from vrm_synth.yaml_models.strict_yaml import parse


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
    staged = parse("base: b\npreset: mitsua-one-schedule\ndata: {sources: [x]}\n", RunConfig, "run.yaml")
    stages = [stage for _, stage in staged.stage_ranges()]
    assert [s.size for s in stages] == [256, 512, 512, 512] and stages[-1].offset_noise > 0
    with pytest.raises(ValidationError):
        RunConfig.model_validate({"base": "tiny", "steps": 0, "data": {"sources": ["x"]}})
