"""Ctrl-C at any time is status 130, a run's checkpoint written where there is one to write; typos wait for no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.training import runs
from vrm_synth.cli.main import main
from vrm_synth.models.tiny_base import make_tiny_base
from vrm_synth.training import loop as running
from vrm_synth.training.latents.vae_encoder import VaeEncoder


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Python's own handler of Ctrl-C, here and in child processes: what runs in a shell's background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data) -> Path:
    run = tmp_path_factory.mktemp("runs") / "run"
    runs.go(runs.settings(data, steps=2), run)
    return run


def call(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert "Traceback" not in result.output, result.output
    return result.exit_code, result.output


def interrupting(number: signal.Signals = signal.SIGINT):
    def stop(*_: object, **__: object) -> None:
        # Not os.kill, which any thread of the process may be handed, torch's too: the handler would then run late.
        signal.raise_signal(number)
        raise AssertionError("the signal's handler did not end it")

    return stop


def train_args(data: Path, run: Path, steps: int = 9) -> list[object]:
    return ["train", "--base", "tiny", "--data", data, "-o", run, "--steps", steps, "--batch", 2, "--device", "cpu"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", ["base", "prepare"])
def test_before_the_first_update_the_first_signal_ends_it(tmp_path, data, monkeypatch, where, number, status):
    if where == "base":
        monkeypatch.setattr(running, "open_training_base", interrupting(number))
    else:
        monkeypatch.setattr(VaeEncoder, "__call__", interrupting(number))
    handler = signal.getsignal(signal.SIGINT)
    code, output = call(*train_args(data, tmp_path / "run"))
    assert code == status and ("Interrupted." in output) == (status == 130)
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_while_it_trains_a_checkpoint_is_written_first(tmp_path, data, monkeypatch, number, status):
    update = running.Trainer.update

    def updated(self, prepared):
        if prepared.batch.step == 1:
            signal.raise_signal(number)
        return update(self, prepared)

    monkeypatch.setattr(running.Trainer, "update", updated)
    run = tmp_path / "run"
    code, output = call(*train_args(data, run))
    assert code == status
    assert f"Stopped at step 2 of 9; the same command resumes: {run}" in output
    assert (run / "checkpoints" / "step-000002" / "state.json").exists()
    monkeypatch.undo()
    code, output = call(*train_args(data, run, 3))
    assert code == 0 and "Done at step 3 of 3" in output


def test_a_second_ctrl_c_ends_the_process_at_once(tmp_path, data, monkeypatch):
    def updated(self, prepared):
        signal.raise_signal(signal.SIGINT)
        interrupting()()

    monkeypatch.setattr(running.Trainer, "update", updated)
    code, output = call(*train_args(data, tmp_path / "run"))
    assert code == 130 and "Interrupted." in output and not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("command", "target"),
    [
        (("sample", "RUN", "--prompt", "a", "-o", "OUT"), "vrm_synth.sampling.sampler.DiffusionSampler.denoise"),
        (("preview", "RUN", "--limit", "1", "-o", "OUT"), "vrm_synth.sampling.sampler.DiffusionSampler.denoise"),
        (("export-model", "RUN", "-o", "OUT"), "vrm_synth.training.export._write_pipeline"),
        (("import-weights", "BASE", "-o", "OUT"), "vrm_synth.models.import_weights._convert_file"),
    ],
    ids=lambda x: x[0] if isinstance(x, tuple) else "",
)  # fmt: skip
def test_other_commands_end_with_130_too(tmp_path, trained, monkeypatch, command, target):
    names = {"RUN": trained, "OUT": tmp_path / "out", "BASE": tmp_path / "base"}
    if command[0] == "import-weights":
        make_tiny_base(tmp_path / "base")
        torch.save({"x": torch.zeros(1)}, tmp_path / "base" / "unet" / "more.bin")
    monkeypatch.setattr(target, interrupting())
    code, output = call(*(names.get(word, word) for word in command))
    assert code == 130 and "Interrupted." in output
    assert not list(tmp_path.glob("out/*.png")) and not list(tmp_path.glob(".out-*"))


def test_fewer_steps_than_are_done_leave_nothing_to_do(tmp_path, data):
    run = tmp_path / "run"
    assert call(*train_args(data, run, 3))[0] == 0
    for steps, words in ((2, "at step 3 already, beyond the 2 asked for: "), (3, "at step 3 already: ")):
        code, output = call(*train_args(data, run, steps))
        assert code == 0 and f"Nothing to do, the run is {words}{run}" in output and "Done" not in output


# ------------------------------------------------------------ before torch


ONE_AFTER_THE_OTHER = """
import json, sys
from click.testing import CliRunner
from vrm_synth.cli.main import main
for args in json.loads(sys.stdin.read()):
    result = CliRunner().invoke(main, args, prog_name="vrm-synth")
    print(json.dumps([result.exit_code, " ".join(result.output.split())]))
"""


@pytest.fixture
def without_torch(tmp_path):
    """Code of a stand-in for torch → a function that runs commands beside it, giving (status, output) of each."""

    def made(code: str):
        fake = tmp_path / "fake" / "torch"
        fake.mkdir(parents=True, exist_ok=True)
        (fake / "__init__.py").write_text(code)

        def run(*commands: list[object]) -> list[tuple[int, str]]:
            where = {**os.environ, "PYTHONPATH": str(fake.parent)}
            cases = json.dumps([[str(a) for a in command] for command in commands])
            process = [sys.executable, "-c", ONE_AFTER_THE_OTHER]
            done = subprocess.run(process, input=cases, capture_output=True, text=True, env=where, check=True)
            return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

        return run

    return made


def test_ctrl_c_while_torch_is_imported_is_130(tmp_path, data, trained, without_torch):
    run = without_torch("import os, signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(60)\n")
    commands = (
        train_args(data, tmp_path / "run"),
        ["sample", trained, "--prompt", "a", "-o", tmp_path / "s"],
        ["preview", trained],
        ["export-model", trained, "-o", tmp_path / "m"],
    )
    assert run(*commands) == [(130, "Interrupted.")] * len(commands)


def test_typos_are_reported_before_torch_is_imported(tmp_path, data, trained, without_torch):
    run = without_torch("raise SystemExit('torch was imported')")
    file = tmp_path / "run.yaml"

    def yaml(text: str) -> Path:
        file.write_text(text)
        return file

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    source = f"data: {{sources: [{data}]}}\nsteps: 2\n"
    out = ["-o", tmp_path / "new"]
    base = ["--base", "tiny", "--data", data, "--steps", 2]
    cases: list[tuple[list[object], str]] = [
        (["train", *base, *out, "--stepps", 3], "No such option '--stepps'"),
        (["train", *base, *out, "--lr", "-1"], "learning_rate"),
        (["train", *base, *out, "--preset", "sd12"], "no such preset: sd12"),
        (["train", *base, *out, "--size", 100], "multiple of 64"),
        (["train", yaml(f"base: tiny\n{source}learning_rat: 1\n"), *out], "did you mean learning_rate"),
        (["train", tmp_path / "gone.yaml", *out], "gone.yaml"),
        (["train", "--base", "tiny", "--data", tmp_path / "gone", "--steps", 2, *out], "gone: no such folder or shard"),
        (["train", "--base", tmp_path / "gone", *base[2:], *out], "no such base model"),
        (
            ["train", "--base", "sd21-base", *base[2:], *out],
            "a preset is not a base model; got sd21-base",
        ),
        (["train", *base, "--validation", "val", *out], "no source has the split"),
        (["train", *base, "-o", tmp_path / "mine"], "not empty and holds no run"),
        (["train", *base, "-o", tmp_path / "mine" / "file"], "not a folder"),
        (["train", *base, "-o", trained, "--lr", "0.5"], "holds another run"),
        (["sample", trained, "-o", tmp_path / "s"], "Give the prompts by one of"),
        (["sample", "nowhere", "--prompt", "a", "-o", tmp_path / "s"], "no such base model; got nowhere"),
        (["sample", trained, "--checkpoint", 7, "--prompt", "a", "-o", tmp_path / "s"], "no such checkpoint; got 7"),
        (["sample", "tiny", "--lora", "gone.safetensors", "--prompt", "a", "-o", tmp_path / "s"], "not a LoRA"),
        (["sample", trained, "--prompts", tmp_path / "gone.txt", "-o", tmp_path / "s"], "gone.txt"),
        (["preview", tmp_path / "mine"], "is no training run"),
        (["preview", trained, "--checkpoint", "worst"], "no such checkpoint; got worst; allowed: latest, best, step-0"),
        (["export-model", tmp_path, *out], "no checkpoint yet"),
        (["export-model", trained, "-o", tmp_path / "mine"], "exists already"),
        (["export-model", trained, *out, "--base", "nowhere"], "no such base model"),
    ]
    blocked = ["train", *base, *out]  # so the block can fail
    *answers, last = run(*(command for command, _ in cases), blocked)
    for (command, words), (code, output) in zip(cases, answers, strict=True):
        assert code in (1, 2) and words in output and "torch was imported" not in output, (command, output)
    assert not (tmp_path / "new").exists()
    assert "torch was imported" in last[1]
