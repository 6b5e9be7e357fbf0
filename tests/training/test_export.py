"""Exported schedules: diffusers must sample by what the model was trained by."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import StableDiffusionPipeline

from tests.training import runs
from vrm_synth.models.tiny_base import SCHEDULER_CONFIG, make_tiny_base
from vrm_synth.training.export import export, scheduler_config
from vrm_synth.training.objective import Objective, training_scheduler_config


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


V = {**SCHEDULER_CONFIG, "prediction_type": "v_prediction"}


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_a_scheduler_class_that_supports_the_schedule_is_kept(name):
    trained = training_scheduler_config({**V, "_class_name": name, "clip_sample": False}, None, True)
    assert scheduler_config(trained) == trained


@pytest.mark.parametrize("name", ["PNDMScheduler", "HeunDiscreteScheduler", "StableDiffusionPipeline", "os", "Nothing"])
def test_a_class_that_ignores_it_becomes_ddim(name):
    config = scheduler_config(training_scheduler_config({**V, "_class_name": name, "clip_sample": True}, None, True))
    expected = {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction", "rescale_betas_zero_snr": True,
              "timestep_spacing": "trailing", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1,
              "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
              "num_train_timesteps": 1000}  # fmt: skip
    assert config == expected


def test_an_ordinary_schedule_keeps_its_class():
    trained = training_scheduler_config({**V, "_class_name": "PNDMScheduler"}, None, False)
    assert scheduler_config(trained) == trained


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


def test_zero_snr_is_read_by_diffusers_from_the_exported_folder(tmp_path, data):
    settings = runs.settings(data, steps=1, init="scratch", prediction="v_prediction", zero_terminal_snr=True)
    runs.go(settings, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model")
    scheduler = StableDiffusionPipeline.from_pretrained(tmp_path / "model", use_safetensors=True).scheduler
    trained = Objective(V, zero_terminal_snr=True)._scheduler.alphas_cumprod
    assert torch.equal(scheduler.alphas_cumprod, trained) and float(trained[-1]) == 0
    scheduler.set_timesteps(20)
    assert int(scheduler.timesteps[0]) == 999


def test_a_lora_of_another_schedule_than_its_bases_is_exported_with_it(tmp_path, data):
    base = make_tiny_base(tmp_path / "base", prediction_type="v_prediction")
    settings = {**runs.settings(data, steps=1, lora={"rank": 2}), "base": str(base)}
    runs.go(settings, tmp_path / "plain")
    export(tmp_path / "plain", tmp_path / "plain_lora")
    assert not (tmp_path / "plain_lora" / "scheduler").exists()
    runs.go({**settings, "zero_terminal_snr": True}, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "lora")
    config = json.loads((tmp_path / "lora" / "scheduler" / "scheduler_config.json").read_text())
    assert config["_class_name"] == "DDIMScheduler" and config["rescale_betas_zero_snr"] is True
    card = (tmp_path / "lora" / "README.md").read_text()
    code = card.partition("```python\n")[2].partition("```")[0].replace("FOLDER", repr(str(tmp_path / "lora")))
    pipe = StableDiffusionPipeline.from_pretrained(base, use_safetensors=True)
    exec(code, {"pipe": pipe})
    assert type(pipe.scheduler).__name__ == "DDIMScheduler" and float(pipe.scheduler.alphas_cumprod[-1]) == 0
