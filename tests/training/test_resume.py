"""A run that is killed goes on to the same bits; so does one on more ranks to the same samples."""

from __future__ import annotations

import json
import multiprocessing.connection
import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from tests.patience import free_port, wait_until
from tests.training import runs
from vrm_synth.core.errors import ModelError, TrainError
from vrm_synth.models import open_run
from vrm_synth.models.checkpoint_files import best_checkpoint, list_checkpoints, newest_undamaged
from vrm_synth.training import checkpoint
from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.export import export
from vrm_synth.training.loop import train
from vrm_synth.training.trainer import _is_out_of_memory


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


def lines_of(run: Path) -> int:
    log = run / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_steps_it_ends_in_the_same_bits(tmp_path, data, kills):
    steps = 9 * kills + 9  # more than it can do until the last kill
    settings = runs.settings(data, steps=steps, checkpoint_every=3, keep=4, min_snr_gamma=5.0, offset_noise=0.1)
    runs.go(settings, tmp_path / "whole")
    rng, run, killed = random.Random(kills), tmp_path / "killed", 0
    while killed < kills:
        # Where nobody looked in time, and it was done before it could be killed, all of it begins anew.
        before = len(runs.log(run)) if (run / "log.jsonl").exists() else 0
        begin = before - before % 3  # where it goes on from
        until = begin + rng.randint(3, 6)  # past a checkpoint, for else it would never arrive
        assert until < steps
        child = runs.LOOP.Process(target=runs.go, args=(settings, run))
        child.start()
        wait_until(lambda b=before, u=until: b != (n := lines_of(run)) and n >= u, child.is_alive, every=0.002)
        time.sleep(rng.random() * 0.1)  # anywhere: in an update, in a checkpoint
        child.kill()
        child.join()
        assert child.exitcode in (-9, 0)
        killed += child.exitcode == -9
        if child.exitcode == 0:
            shutil.rmtree(run)
            killed = 0
    runs.go(settings, run)
    assert [line["step"] for line in runs.log(run)] == list(range(1, steps + 1))
    uninterrupted, same = runs.contents(tmp_path / "whole"), runs.contents(run)
    assert uninterrupted.keys() == same.keys()
    assert [name for name in uninterrupted if uninterrupted[name] != same[name]] == []


def test_a_run_with_steps_added_equals_an_uninterrupted_one(tmp_path, data):
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


def test_a_damaged_checkpoint_and_a_truncated_log_are_reported(tmp_path, data):
    settings = runs.settings(data, steps=2)
    runs.go(settings, tmp_path / "run")
    log = tmp_path / "run" / "log.jsonl"
    log_bytes = log.read_bytes()
    log.write_bytes(log_bytes[:-5])
    with pytest.raises(TrainError, match="the log is shorter"):
        runs.go({**settings, "steps": 3}, tmp_path / "run")
    log.write_bytes(log_bytes)
    file = tmp_path / "run" / "checkpoints" / "step-000002" / "unet.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(ModelError, match=r"checkpoint is damaged; got unet\.safetensors"):
        runs.go({**settings, "steps": 3}, tmp_path / "run")


def spoil(folder: Path, name: str) -> None:
    """One of a checkpoint's files: a byte changed, cut, or gone."""
    file = folder / name
    if name == "ema.safetensors":
        file.unlink()
    elif name == "state.json":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"\1")


@pytest.mark.parametrize("name", ["unet.safetensors", "optimizer.safetensors", "ema.safetensors", "state.json"])
def test_from_a_damaged_checkpoint_it_goes_back_to_the_one_before_and_to_the_same_bits(tmp_path, data, name):
    settings, run, messages = runs.settings(data, steps=4, keep=1), tmp_path / "run", []
    runs.go({**settings, "keep": 9}, tmp_path / "whole")
    runs.go({**settings, "keep": 9}, run)
    spoil(run / "checkpoints" / "step-000004", name)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        config = RunConfig.model_validate({**settings, "checkpoint_every": 3})
        train(config, run, Callbacks(on_message=messages.append), device="cpu")
    finally:
        torch.set_num_threads(before)
    assert messages == ["step-000004 is damaged: step-000002, an older checkpoint, is used."]
    uninterrupted, same = runs.contents(tmp_path / "whole"), runs.contents(run)
    assert uninterrupted["log.jsonl"] == same["log.jsonl"]
    for file in ("unet.safetensors", "ema.safetensors", "optimizer.safetensors"):
        assert uninterrupted[f"checkpoints/step-000004/{file}"] == same[f"checkpoints/step-000004/{file}"]
    # Neither deleted nor taken for one of the last: `keep` counts whole ones.
    assert [p.name for p in list_checkpoints(run)][-1] == "step-000004"
    assert (run / "checkpoints" / "damaged-step-000004").is_dir()


def test_where_all_checkpoints_are_damaged_that_is_one_line(tmp_path, data):
    settings, run = runs.settings(data, steps=4), tmp_path / "run"
    runs.go(settings, run)
    for step in (2, 4):
        spoil(run / "checkpoints" / f"step-00000{step}", "unet.safetensors")
    message = r"run: all checkpoints are damaged; got step-000004, step-000002; allowed: a copy of one, or a new run"
    for start in (lambda: runs.go({**settings, "steps": 5}, run), lambda: open_run(run, ema=False)):
        with pytest.raises(ModelError, match=message) as e:
            start()
        assert "\n" not in str(e.value)
    assert len(list_checkpoints(run)) == 2  # and nothing was moved


def test_models_are_read_from_the_newest_undamaged_checkpoint(tmp_path, data):
    run, messages = tmp_path / "run", []
    runs.go(runs.settings(data, steps=4), run)
    assert open_run(run, log=messages.append).identity["step"] == 4 and messages == []
    spoil(run / "checkpoints" / "step-000004", "ema.safetensors")
    for name in (None, "latest"):
        assert open_run(run, name, log=messages.append).identity["step"] == 2
    export(run, tmp_path / "model", log=messages.append)
    assert messages == ["step-000004 is damaged: step-000002, an older checkpoint, is used."] * 3
    assert open_run(run, ema=False).identity["step"] == 4  # whose weights are whole
    with pytest.raises(ModelError, match=r"cannot be read|checkpoint is damaged"):
        open_run(run, "4")  # asked for by name


@pytest.mark.parametrize("empty", [False, True])
def test_a_run_without_a_checkpoint_has_no_newest_one(tmp_path, empty):
    if empty:
        (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ModelError, match=r"no checkpoint yet; allowed: a run of vrm-synth train"):
        newest_undamaged(tmp_path, lambda folder: folder, lambda line: None)
    assert checkpoint.load_newest(tmp_path) == (None, [])  # which a run that starts asks


def test_a_state_that_cannot_be_read_is_never_the_best_and_stops_no_pruning(tmp_path):
    for step, loss in enumerate([2.0, 1.0, 3.0], 1):
        state = {"model": {"lora": None}, "mean_loss": loss}
        checkpoint.save(tmp_path, step, {"x": torch.zeros(1)}, None, {"x/step": torch.zeros(1)}, state)
    finished = list_checkpoints(tmp_path)
    assert best_checkpoint(finished).name == "step-000002"
    for text in ("{", "{}", '{"mean_loss": "x"}', '{"mean_loss": NaN}', '{"validation": 3}'):
        (finished[1] / "state.json").write_text(text)
        assert best_checkpoint(finished).name == "step-000001", text
    checkpoint.prune(tmp_path, 1)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-000001", "step-000003"]


def test_the_last_checkpoints_and_the_best_are_kept(tmp_path, data):
    runs.go(runs.settings(data, steps=8, checkpoint_every=1, keep=2), tmp_path / "run")
    losses = [line["loss"] for line in runs.log(tmp_path / "run")]
    retained = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    best = f"step-{losses.index(min(losses)) + 1:06d}"
    assert retained == sorted({"step-000007", "step-000008", best})


def test_a_best_that_is_no_longer_goes_with_the_next(tmp_path):
    """Two at once: the old best, and the oldest of the last."""
    for step, loss in enumerate([1.0, 3.0, 4.0, 0.5], 1):
        state = {"model": {"lora": None}, "mean_loss": loss}
        checkpoint.save(tmp_path, step, {"x": torch.zeros(1)}, None, {"x/step": torch.zeros(1)}, state)
        if step != 2:
            checkpoint.prune(tmp_path, 2)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-000003", "step-000004"]


STATE = {
    "model": {
        "base": "base",
        "name": "x",
        "lora": None,
        "preset": None,
        "scratch": None,
        "hashes": {},
        "scheduler": {},
    },
    "log_bytes": 0,
    "data_manifests": [],
    "world_size": 1,
    "accumulation": 1,
}


def two_ranks(target, settings, run, *rest):
    """Both to their ends. One that is left waiting by the other's failure is ended."""
    port = free_port()
    ranks = [runs.LOOP.Process(target=target, args=(settings, run, r, 2, port, *rest)) for r in range(2)]
    for rank in ranks:
        rank.start()
    while any(rank.is_alive() for rank in ranks):
        multiprocessing.connection.wait([rank.sentinel for rank in ranks if rank.is_alive()])
        if any(rank.exitcode for rank in ranks):
            for rank in ranks:
                rank.kill()
    assert [rank.exitcode for rank in ranks] == [0, 0]


def test_two_ranks_see_the_samples_of_one(tmp_path, data):
    settings = runs.settings(data, steps=4)
    runs.go(settings, tmp_path / "one")
    two_ranks(runs.go_as_rank, settings, tmp_path / "two")
    one, two = runs.log(tmp_path / "one"), runs.log(tmp_path / "two")
    assert [x["samples"] for x in one] == [x["samples"] for x in two]
    assert torch.allclose(torch.tensor([x["loss"] for x in one]), torch.tensor([x["loss"] for x in two]), rtol=1e-4)
    assert torch.allclose(
        torch.tensor([x["grad_norm"] for x in one]), torch.tensor([x["grad_norm"] for x in two]), rtol=1e-3
    )


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_rank_that_runs_out_of_memory_blocks_no_other(tmp_path, data, where):
    settings = runs.settings(data, steps=3)
    runs.go(settings, tmp_path / "one")
    two_ranks(runs.go_as_rank_out_of_memory, settings, tmp_path / "two", where)
    state = json.loads((tmp_path / "two" / "checkpoints" / "step-000003" / "state.json").read_text())
    assert (state["world_size"], state["accumulation"]) == (2, 2)
    one, two = runs.log(tmp_path / "one"), runs.log(tmp_path / "two")
    assert [x["samples"] for x in one] == [x["samples"] for x in two]
    assert [x["loss"] for x in two] == pytest.approx([x["loss"] for x in one], rel=1e-4)


def test_out_of_memory_errors_are_recognized():
    errors = [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
            RuntimeError("shapes do not match")]  # fmt: skip
    assert [_is_out_of_memory(e) for e in errors] == [True, True, False]


@pytest.mark.parametrize("fused", [None, True])
def test_restored_moments_lie_in_memory_as_their_weights_do(tmp_path, fused):
    def made():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3), torch.nn.Conv2d(6, 6, 1)).to(
            memory_format=torch.channels_last
        )
        return net, torch.optim.AdamW(net.parameters(), lr=0.1, fused=fused)

    def update(net, optimizer, i):
        x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(i))
        net(x.contiguous(memory_format=torch.channels_last)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    uninterrupted, optimizer = made()
    update(uninterrupted, optimizer, 0)
    names = [n for n, _ in uninterrupted.named_parameters()]
    weights = {n: p.detach() for n, p in uninterrupted.named_parameters()}
    optimizer_state = checkpoint.optimizer_tensors(optimizer, names)
    checkpoint.save(tmp_path, 1, weights, None, optimizer_state, STATE)
    saved = checkpoint.load(tmp_path / "checkpoints" / "step-000001")
    other, restored_optimizer = made()
    with torch.no_grad():
        for n, p in other.named_parameters():
            p.copy_(saved.weights[n])
    checkpoint.restore_optimizer(restored_optimizer, names, saved.optimizer)
    for p in other.parameters():
        for moment in ("exp_avg", "exp_avg_sq"):
            assert restored_optimizer.state[p][moment].stride() == p.stride(), moment
    update(uninterrupted, optimizer, 1)
    update(other, restored_optimizer, 1)
    assert all(torch.equal(a, b) for a, b in zip(uninterrupted.parameters(), other.parameters(), strict=True))


def test_an_8_bit_optimizers_state_is_restored_as_it_was():
    """Moments in bytes beside a weight, their scales by blocks, and a count that is no tensor."""
    weight = torch.nn.Parameter(torch.zeros(3, 4, 2, 2).contiguous(memory_format=torch.channels_last))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    state = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 2, 2)
    optimizer.state[weight] = {"state1": state, "absmax1": torch.ones(2), "step": 7}
    saved = checkpoint.optimizer_tensors(optimizer, ["w"])
    optimizer.state.clear()
    checkpoint.restore_optimizer(optimizer, ["w"], {k: v.contiguous() for k, v in saved.items()})
    restored = optimizer.state[weight]
    assert restored["step"] == 7 and type(restored["step"]) is int
    assert restored["state1"].stride() == weight.stride() and torch.equal(restored["state1"].to(torch.uint8), state)
    assert torch.equal(restored["absmax1"], torch.ones(2))


def test_a_trainer_restores_into_channels_last(tmp_path, data):
    from vrm_synth.models import open_base
    from vrm_synth.training.config import RunConfig
    from vrm_synth.training.objective import Objective
    from vrm_synth.training.run_setup import start_accelerator
    from vrm_synth.training.trainer import Trainer

    runs.go(runs.settings(data, steps=2), tmp_path / "run")
    config = RunConfig.model_validate(runs.settings(data, steps=2))
    base = open_base(tmp_path / "run" / "base")
    trainer = Trainer(config, base, Objective(base.scheduler_config), start_accelerator(config, "cpu"))
    trainer.unet.to(memory_format=torch.channels_last)
    saved, _ = checkpoint.load_newest(tmp_path / "run")
    trainer.restore(saved)
    weights = trainer.trainable_state_dict()
    for key, value in trainer._optimizer.state.items():
        assert value["exp_avg"].stride() == key.stride()
    assert any(p.ndim == 4 and not p.is_contiguous() for p in weights.values())
    assert all(torch.equal(v, saved.weights[n]) for n, v in weights.items())


def test_micro_batches_add_up_to_the_batch(tmp_path, data):
    runs.go(runs.settings(data, steps=3), tmp_path / "whole")
    runs.go(runs.settings(data, steps=3, micro_batch=1), tmp_path / "parts")
    for a, b in zip(runs.log(tmp_path / "whole"), runs.log(tmp_path / "parts"), strict=True):
        assert a["samples"] == b["samples"] and a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-3)
