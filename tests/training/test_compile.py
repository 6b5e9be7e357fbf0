"""torch.compile makes one graph a bucket and never another; what does not fit into memory is made in more parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch._dynamo
from diffusers import UNet2DConditionModel

from tests.training import disk, runs
from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.loop import train
from vrm_synth.training.trainer import Trainer

SHAPES = [(192, 192), (128, 256), (256, 128)]


@pytest.fixture(autouse=True)
def fresh():
    """One thread, and nothing compiled before; a limit of graphs that three shapes have to raise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=1):
        yield
    torch.compiler.set_stance("default")
    torch._dynamo.reset()
    torch.set_num_threads(before)


@pytest.fixture
def graphs(monkeypatch) -> list[int]:
    """Grows by each graph that is made, which are run as they are: nothing is generated, which takes minutes."""
    node_counts: list[int] = []
    traced = torch._dynamo.lookup_backend("aot_eager")

    def backend(graph, inputs):
        node_counts.append(len(graph.graph.nodes))
        return traced(graph, inputs)

    compile_module = torch.nn.Module.compile
    monkeypatch.setattr(
        UNet2DConditionModel, "compile", lambda self, **options: compile_module(self, backend=backend, **options)
    )
    return node_counts


def buckets(folder: Path) -> Path:
    """Seven pictures of each of three shapes, which no batch of two divides; and as many kept back."""
    for split in ("train", "val"):
        disk.folder(folder / split, 21, sizes=SHAPES)
    return folder


@pytest.mark.parametrize(
    "more",
    [
        {"validation": {"split": "val", "pictures": 6}, "checkpoint_every": 3},
        pytest.param({"micro_batch": 1, "gradient_checkpointing": True}, marks=pytest.mark.slow),
        pytest.param({"lora": {"rank": 2}, "ema": None}, marks=pytest.mark.slow),
    ],
    ids=["validation", "parts", "lora"],
)
def test_each_bucket_is_compiled_once_and_no_step_again(tmp_path, graphs, more):
    config = runs.settings(
        buckets(tmp_path / "data"),
        **{"steps": 12, "batch": 2, "checkpoint_every": 12, "compile": True, **more},
        more={"size": 192, "buckets": 3, "drop_captions": 0.5},
    )

    def step(report) -> None:
        if report.step == 5:  # every bucket has come
            torch.compiler.set_stance("fail_on_recompile")

    train(RunConfig.model_validate(config), tmp_path / "run", Callbacks(on_step=step), device="cpu")
    lines = [line for line in runs.log(tmp_path / "run") if "loss" in line]
    assert sorted({tuple(line["size"]) for line in lines[:4]}) == sorted(SHAPES)
    assert len(graphs) == 3 and len(set(graphs)) == 1, "a graph that is broken has parts"
    assert torch._dynamo.utils.counters["graph_break"] == {}
    plain = {**config, "compile": False}
    train(RunConfig.model_validate(plain), tmp_path / "plain", device="cpu")
    for a, b in zip(runs.log(tmp_path / "run"), runs.log(tmp_path / "plain"), strict=True):
        key = "loss" if "loss" in a else "validation_loss"
        assert a[key] == pytest.approx(b[key], rel=1e-3)


@pytest.mark.parametrize(("room", "accumulation", "micro_batch_size"), [(2, 2, 2), (1, 4, 1)])
def test_a_batch_that_does_not_fit_is_accumulated(tmp_path, monkeypatch, room, accumulation, micro_batch_size):
    config = runs.settings(runs.dataset(tmp_path / "set"), steps=4)
    runs.go(config, tmp_path / "whole")
    backward, micro_batches = Trainer.backward, []

    def limited(self, micro_batch):
        if len(micro_batch.batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        micro_batches.append(len(micro_batch.batch))
        return backward(self, micro_batch)

    monkeypatch.setattr(Trainer, "backward", limited)
    monkeypatch.setattr("vrm_synth.training.loop._raises_out_of_memory", lambda device: True)
    messages: list[str] = []
    train(RunConfig.model_validate(config), tmp_path / "parts", Callbacks(on_message=messages.append), device="cpu")
    assert messages == [
        "4 pictures of 64×64 at once do not fit into memory: "
        f"each update is made in {accumulation} parts of {micro_batch_size} (the batch stays)"
    ]
    assert micro_batches == [room] * (1 + 4 * accumulation)  # the trial that fits, and four updates
    for a, b in zip(runs.log(tmp_path / "whole"), runs.log(tmp_path / "parts"), strict=True):
        assert (a["samples"], a["learning_rate"]) == (b["samples"], b["learning_rate"])
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-3)


def test_a_resumed_run_keeps_its_accumulation(tmp_path, monkeypatch):
    """With more room than before, too: sums of parts round otherwise."""
    config = runs.settings(runs.dataset(tmp_path / "set"), steps=4, keep=9)
    monkeypatch.setattr("vrm_synth.training.loop._raises_out_of_memory", lambda device: True)
    trial = "vrm_synth.training.loop._Loop._fits_in_memory"
    for name, stop in (("one", 4), ("two", 2)):
        monkeypatch.setattr(trial, lambda self, size, count: count <= 2)
        runs.go({**config, "steps": stop}, tmp_path / name)
    monkeypatch.setattr(trial, lambda self, size, count: True)
    runs.go(config, tmp_path / "two")
    one, two = (runs.contents(tmp_path / name) for name in ("one", "two"))
    assert one == two
