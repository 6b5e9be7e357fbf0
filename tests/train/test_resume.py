"""A run that is killed goes on to the same bits; so does one on more ranks to the same samples."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from tests.patience import HANG, free_port, wait_until
from tests.train import runs
from vrm_synth.core.errors import TrainError
from vrm_synth.models.run import checkpoints
from vrm_synth.train import checkpoint


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


def lines_of(run: Path) -> int:
    log = run / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_steps_it_ends_in_the_same_bits(tmp_path, data, kills):
    steps = 9 * kills + 9  # more than it can do until the last kill
    told = runs.settings(data, steps=steps, checkpoint_every=3, keep=4, min_snr_gamma=5.0, offset_noise=0.1)
    runs.go(told, tmp_path / "whole")
    chance, run, killed = random.Random(kills), tmp_path / "killed", 0
    while killed < kills:
        # Where nobody looked in time, and it was done before it could be killed, all of it begins anew.
        before = len(runs.log(run)) if (run / "log.jsonl").exists() else 0
        begin = before - before % 3  # where it goes on from
        until = begin + chance.randint(3, 6)  # past a checkpoint, for else it would never arrive
        assert until < steps
        child = runs.LOOP.Process(target=runs.go, args=(told, run))
        child.start()
        wait_until(lambda b=before, u=until: b != (n := lines_of(run)) and n >= u, child.is_alive, every=0.002)
        time.sleep(chance.random() * 0.1)  # anywhere: in an update, in a checkpoint
        child.kill()
        child.join()
        assert child.exitcode in (-9, 0)
        killed += child.exitcode == -9
        if child.exitcode == 0:
            shutil.rmtree(run)
            killed = 0
    runs.go(told, run)
    assert [line["step"] for line in runs.log(run)] == list(range(1, steps + 1))
    whole, same = runs.contents(tmp_path / "whole"), runs.contents(run)
    assert whole.keys() == same.keys()
    assert [name for name in whole if whole[name] != same[name]] == []


def test_more_steps_go_on_to_what_one_go_would_have_given(tmp_path, data):
    runs.go(runs.settings(data, steps=3, keep=9), tmp_path / "a")
    assert runs.go(runs.settings(data, steps=5, keep=9), tmp_path / "a") == 5
    runs.go(runs.settings(data, steps=5, keep=9), tmp_path / "b")
    a, b = (runs.contents(tmp_path / x) for x in "ab")
    last = "checkpoints/step-000005/"
    assert a["log.jsonl"] == b["log.jsonl"]
    for name in ("unet", "ema", "optimizer"):
        assert a[f"{last}{name}.safetensors"] == b[f"{last}{name}.safetensors"]


def test_another_configuration_or_other_data_is_refused(tmp_path, data):
    runs.go(runs.settings(data, steps=2), tmp_path / "run")
    with pytest.raises(TrainError, match="another run: learning_rate differs"):
        runs.go(runs.settings(data, steps=2, learning_rate=0.1), tmp_path / "run")
    with pytest.raises(TrainError, match="another run: ema differs"):
        runs.go(runs.settings(data, steps=2, ema=None), tmp_path / "run")
    with pytest.raises(TrainError, match="another run: lora differs"):
        runs.go(runs.settings(data, steps=2, lora={"rank": 2}), tmp_path / "run")
    with pytest.raises(TrainError, match=r"another run: data\.size differs"):
        runs.go(runs.settings(data, steps=2, more={"size": 128}), tmp_path / "run")
    other = runs.dataset(tmp_path / "else" / "set")
    (other / "metadata.jsonl").write_text((other / "metadata.jsonl").read_text().replace("seen", "drawn"))
    with pytest.raises(TrainError, match="the data is not what the run began with"):
        runs.go(runs.settings(other, steps=4), tmp_path / "run")
    moved = runs.dataset(tmp_path / "moved" / "set")
    assert runs.go(runs.settings(moved, steps=3), tmp_path / "run") == 3
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "file").write_text("mine")
    with pytest.raises(TrainError, match="not empty and holds no run"):
        runs.go(runs.settings(data), tmp_path / "strange")


def test_a_damaged_checkpoint_and_a_cut_log_are_told_of(tmp_path, data):
    told = runs.settings(data, steps=2)
    runs.go(told, tmp_path / "run")
    log = tmp_path / "run" / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[:-5])
    with pytest.raises(TrainError, match="the log is shorter"):
        runs.go({**told, "steps": 3}, tmp_path / "run")
    log.write_bytes(whole)
    file = tmp_path / "run" / "checkpoints" / "step-000002" / "unet.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    from vrm_synth.core.errors import ModelError

    with pytest.raises(ModelError, match=r"checkpoint is damaged; got unet\.safetensors"):
        runs.go({**told, "steps": 3}, tmp_path / "run")


def test_the_last_checkpoints_and_the_best_are_kept(tmp_path, data):
    runs.go(runs.settings(data, steps=8, checkpoint_every=1, keep=2), tmp_path / "run")
    losses = [line["loss"] for line in runs.log(tmp_path / "run")]
    kept = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    best = f"step-{losses.index(min(losses)) + 1:06d}"
    assert kept == sorted({"step-000007", "step-000008", best})


def test_a_best_that_is_no_longer_goes_with_the_next(tmp_path):
    """Two at once: the old best, and the oldest of the last."""
    for step, loss in enumerate([1.0, 3.0, 4.0, 0.5], 1):
        state = {"model": {"lora": None}, "mean_loss": loss}
        checkpoint.save(tmp_path, step, {"x": torch.zeros(1)}, None, {"x/step": torch.zeros(1)}, state)
        if step != 2:
            checkpoint.prune(tmp_path, 2)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-000003", "step-000004"]


def test_two_ranks_see_the_samples_of_one(tmp_path, data):
    told = runs.settings(data, steps=4)
    runs.go(told, tmp_path / "one")
    port = free_port()
    ranks = [runs.LOOP.Process(target=runs.go_as_rank, args=(told, tmp_path / "two", r, 2, port)) for r in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(HANG)
    assert [rank.exitcode for rank in ranks] == [0, 0]
    one, two = runs.log(tmp_path / "one"), runs.log(tmp_path / "two")
    assert [x["samples"] for x in one] == [x["samples"] for x in two]
    assert torch.allclose(torch.tensor([x["loss"] for x in one]), torch.tensor([x["loss"] for x in two]), rtol=1e-4)
    assert torch.allclose(
        torch.tensor([x["grad_norm"] for x in one]), torch.tensor([x["grad_norm"] for x in two]), rtol=1e-3
    )


def test_parts_of_a_batch_add_up_to_the_whole(tmp_path, data):
    runs.go(runs.settings(data, steps=3), tmp_path / "whole")
    runs.go(runs.settings(data, steps=3, micro_batch=1), tmp_path / "parts")
    for a, b in zip(runs.log(tmp_path / "whole"), runs.log(tmp_path / "parts"), strict=True):
        assert a["samples"] == b["samples"] and a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-3)
