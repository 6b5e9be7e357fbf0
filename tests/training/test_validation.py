"""Validation loss: the same draws each time, training unchanged by it, and the best checkpoint chosen by it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.patience import HANG, free_port
from tests.training import disk, runs
from vrm_synth.core.errors import TrainError
from vrm_synth.models.checkpoint_files import best_checkpoint, list_checkpoints
from vrm_synth.sampling.run_preview import preview_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset with the splits train, val and test."""
    folder = tmp_path_factory.mktemp("data") / "set"
    for split, count in (("train", 6), ("val", 5), ("test", 3)):
        disk.folder(folder / split, count)
    return folder


def settings(data, **more):
    return runs.settings(data, **{"validation": {"split": "val", "pictures": 6}, **more})


def losses(run):
    return {line["step"]: line["validation_loss"] for line in runs.log(run) if "validation_loss" in line}


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("run") / "run"
    runs.go(settings(data, keep=9), folder)
    return folder


def test_training_is_the_same_and_each_checkpoint_has_its_loss(tmp_path, data, run):
    runs.go(runs.settings(data, keep=9), tmp_path / "plain")
    plain, same = runs.contents(tmp_path / "plain"), runs.contents(run)
    weights = [name for name in plain if name.endswith(".safetensors")]
    assert weights and all(plain[name] == same[name] for name in weights)
    steps = [line for line in runs.log(run) if "loss" in line]
    assert steps == runs.log(tmp_path / "plain")
    assert [*losses(run)] == [2, 4, 6]
    for folder in list_checkpoints(run):
        state = json.loads((folder / "state.json").read_text())
        assert state["validation"]["loss"] == losses(run)[state["step"]]
    assert best_checkpoint(list_checkpoints(run)).name == f"step-{min(losses(run), key=losses(run).get):06d}"


def test_the_ledger_names_only_training_data(run):
    (source,) = json.loads((run / "ledger.json").read_text())["sources"]
    assert (source["name"], source["pictures"]) == ("set", 6)


def test_the_loss_is_that_of_the_ema(run, data):
    """By hand: the running mean's weights, the pictures' latents, the noise and timesteps of the seed."""
    from vrm_synth.models import open_run
    from vrm_synth.training.config import RunConfig
    from vrm_synth.training.data.training_dataset import open_training_dataset
    from vrm_synth.training.latents.vae_encoder import VaeEncoder
    from vrm_synth.training.objective import Objective, draw_noise, sample_latents
    from vrm_synth.training.validation import validation_data_config, validation_seed, validation_steps

    config = RunConfig.model_validate(settings(data, keep=9))
    model = open_run(run, "4")
    val_config, seed = validation_data_config(config), validation_seed(config)
    assert val_config is not None and validation_steps(config) == range(2)
    encoder = VaeEncoder(model.vae, model.vae_sha256, torch.device("cpu"), torch.float32)
    objective, sample_losses = Objective(model.scheduler_config), []
    opened = open_training_dataset(val_config, encoder, seed=seed, batch_size=4, cache=run / "cache")
    for batch in opened.batches(range(2)):
        assert all(batch.captions) and all(k.startswith("set/val/") for k in batch.keys)
        d = draw_noise(seed, batch.step, batch.sample_numbers, 4, (4, 8, 8), 1000, True)
        latents = sample_latents(batch.moments, d.posterior_noise, model.vae.config)
        read = model.tokenizer(list(batch.captions), padding="max_length", max_length=256, return_tensors="pt")
        with torch.no_grad():
            text = model.text_encoder(read.input_ids)[0]
            noisy_latents = objective.add_noise(latents, d.noise, d.timesteps)
            model_pred = model.unet(noisy_latents, d.timesteps, encoder_hidden_states=text).sample
        sample_losses += objective.loss(model_pred, d.noise, d.timesteps).tolist()
    assert losses(run)[4] == pytest.approx(np.mean(sample_losses), rel=1e-5)


def test_a_resumed_run_logs_each_loss_once_and_the_same(tmp_path, data, run):
    runs.go(settings(data, steps=4, keep=9), tmp_path / "run")
    with (tmp_path / "run" / "log.jsonl").open("a") as log:  # of a process that was killed after its checkpoint
        log.write('{"step": 5}\n')
    runs.go(settings(data, keep=9), tmp_path / "run")
    assert runs.log(tmp_path / "run") == runs.log(run)


def test_two_ranks_have_the_loss_of_one(tmp_path, data, run):
    port = free_port()
    config = settings(data, keep=9)
    ranks = [runs.LOOP.Process(target=runs.go_as_rank, args=(config, tmp_path / "two", r, 2, port)) for r in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(HANG)
    assert [rank.exitcode for rank in ranks] == [0, 0]
    assert losses(tmp_path / "two") == pytest.approx(losses(run), rel=1e-3)


def test_a_preview_shows_validation_pictures(run, data):
    assert preview_data(run).split == "val" and preview_data(run, split="test").split == "test"
    assert preview_data(run, data).split is None


def test_a_split_that_is_missing_or_trained_on_is_refused(tmp_path, data):
    cases = {"nothing": "no source has the split", "train": "trained on with its split train"}
    for split, message in cases.items():
        with pytest.raises(TrainError, match=message):
            runs.go(settings(data, validation={"split": split}), tmp_path / split)
    with pytest.raises(TrainError, match="trained on with its split validation"):  # another word for val
        runs.go(
            settings(data, more={"sources": [{"path": str(data), "split": "val"}]}, validation={"split": "validation"}),
            tmp_path / "run",
        )


@pytest.mark.parametrize("split", ["val", "validation", "dev"])
def test_shards_that_are_named_for_a_split_are_kept_back(split, tmp_path):
    from vrm_synth.training.config import RunConfig
    from vrm_synth.training.data.scan.source_scan import find_layout
    from vrm_synth.training.validation import validation_data_config

    folder = tmp_path / "hub"
    for i, name in enumerate(("train-00000-of-00001", "validation-00000-of-00001", "test-00000-of-00001")):
        disk.tar(folder / f"data/{name}.tar", disk.members([i]))
    val_config = validation_data_config(RunConfig.model_validate(settings(folder, validation={"split": split})))
    assert val_config is not None
    assert find_layout(folder, val_config.sources[0].split).parts == ("data/validation-00000-of-00001.tar",)
    assert find_layout(folder, "train").parts == ("data/train-00000-of-00001.tar",)


def test_folders_of_pictures_beside_the_split_that_is_kept_back_are_trained_on(tmp_path):
    disk.folder(tmp_path / "set/some", 4)
    disk.folder(tmp_path / "set/val", 4)
    runs.go(settings(tmp_path / "set", steps=1), tmp_path / "run")
    (source,) = json.loads((tmp_path / "run/ledger.json").read_text())["sources"]
    assert source["pictures"] == 4 and source["quarantined"] == {"of another split": 1}


def test_other_pictures_to_validate_by_are_refused(tmp_path, data):
    import shutil

    shutil.copytree(data, tmp_path / "set")
    runs.go(settings(tmp_path / "set", steps=2), tmp_path / "run")
    with pytest.raises(TrainError, match="another run: validation differs"):
        runs.go(runs.settings(tmp_path / "set", steps=4), tmp_path / "run")
    rows = tmp_path / "set" / "val" / "metadata.jsonl"
    rows.write_text(rows.read_text().replace("seen", "drawn"))
    with pytest.raises(TrainError, match="the pictures to validate by are not what the run began with"):
        runs.go(settings(tmp_path / "set", steps=4), tmp_path / "run")
