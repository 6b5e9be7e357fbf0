"""A run and its base on another machine: found beside the run, in another cache, or where --base says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.training import runs
from vrm_synth.cli.main import main
from vrm_synth.core.errors import ModelError
from vrm_synth.models import open_base, open_run
from vrm_synth.models.tiny_base import make_tiny_base
from vrm_synth.training.export import export

COMMIT = "0123456789" * 4


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """cluster/base, and cluster/run that was trained from it, at their place no more; with the data."""
    folder = tmp_path_factory.mktemp("moved")
    data = runs.dataset(folder / "data" / "set")
    base = make_tiny_base(folder / "cluster" / "base")
    runs.go(runs.settings(data, steps=2, lora={"rank": 2}) | {"base": str(base)}, folder / "cluster" / "run")
    shutil.move(folder / "cluster", folder / "laptop")
    return folder / "laptop"


def call(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    return result.output


def test_a_run_and_its_base_can_be_moved_together(trained, tmp_path):
    assert open_run(trained / "run").identity["step"] == 2
    export(trained / "run", tmp_path / "lora")
    assert (tmp_path / "lora" / "pytorch_lora_weights.safetensors").exists()


def test_a_base_that_is_elsewhere_is_named_by_base(trained, tmp_path):
    run = Path(shutil.copytree(trained / "run", tmp_path / "alone"))
    other = Path(shutil.copytree(trained / "base", tmp_path / "bases" / "mine"))
    with pytest.raises(
        ModelError, match=r"base that the run started from is missing.*--base with its present place"
    ) as e:
        open_run(run)
    assert str(run) in str(e.value)
    draw = ["--steps", 1, "--size", "32"]
    where = ["--base", other]
    commands = {
        "sample": [run, "--prompt", "a", *draw, "-o", tmp_path / "s"],
        "export-model": [run, "-o", tmp_path / "m"],
        "preview": [run, "--limit", 1, *draw],
    }
    for name, args in commands.items():
        assert "--base with its present place" in call(name, *args, code=1)
        call(name, *args, *where)
    assert f"vrm-synth sample {other}" in (run / "preview.html").read_text()
    call("export-model", run, "--merged", "-o", tmp_path / "whole", *where)
    for missing in ("nowhere", tmp_path / "nowhere"):
        assert "no such base model" in call("sample", *commands["sample"], "--base", missing, code=1)
    only = call("sample", other, "--prompt", "a", *draw, "-o", tmp_path / "t", *where, code=1)
    assert "only a run's base can be named" in only


def test_another_base_than_the_runs_is_refused_wherever_it_lies(trained, tmp_path):
    run = Path(shutil.copytree(trained / "run", tmp_path / "a" / "run"))
    other = make_tiny_base(tmp_path / "a" / "base", seed=1)
    for requested_base in (None, str(other)):
        with pytest.raises(ModelError, match=r"not the one that the run started from; got .*; allowed: the same files"):
            open_run(run, base=requested_base)


def test_a_hubs_base_is_looked_up_by_name_and_commit(trained, tmp_path, monkeypatch):
    from huggingface_hub import constants

    def cache(name: str) -> Path:
        hub = tmp_path / name / "models--me--tiny"
        (hub / "refs").mkdir(parents=True)
        (hub / "refs" / "main").write_text(COMMIT)
        shutil.copytree(trained / "base", hub / "snapshots" / COMMIT)
        return hub

    first = cache("one")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(first.parent))
    data = trained.parent / "data" / "set"
    run = tmp_path / "run"
    runs.go(runs.settings(data, steps=2) | {"base": "me/tiny@main"}, run)
    state = run / "checkpoints" / "step-000002" / "state.json"
    model = json.loads(state.read_text())["model"]
    assert (model["base"], model["name"]) == (f"me/tiny@{COMMIT}", "me/tiny@main")
    shutil.rmtree(first.parent)
    message = r"not on this machine.*--online to download it; or --base with its present place"
    with pytest.raises(ModelError, match=message):
        open_run(run)
    second = cache("two")
    (second / "refs" / "main").write_text("f" * 40)  # moved on since
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(second.parent))
    assert open_run(run).identity["step"] == 2
    # A run of before, which kept the snapshot's path alone.
    old = {**model, "base": str(first / "snapshots" / COMMIT)}
    state.write_text(json.dumps({**json.loads(state.read_text()), "model": old}))
    assert open_run(run).identity["step"] == 2
    assert open_base(f"me/tiny@{COMMIT}").name == f"me/tiny@{COMMIT}"
