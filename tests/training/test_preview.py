"""A run that makes its own previews: the page that the command makes, and not a bit of the training changed by it."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from tests.training import disk, runs
from vrm_synth.cli.main import main
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.models.checkpoint_files import list_checkpoints
from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.loop import train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return runs.dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def plain(tmp_path_factory, data):
    run = tmp_path_factory.mktemp("plain") / "run"
    runs.go(runs.settings(data, steps=5), run)
    return run


def test_training_is_the_same_with_previews_and_they_match_the_command(tmp_path, data, plain):
    torch.manual_seed(5)  # whatever a preview draws is not from here
    assert runs.go(runs.settings(data, steps=5, preview_every=4), tmp_path / "run") == 5
    assert runs.contents(tmp_path / "run") == runs.contents(plain)
    assert sorted(p.name for p in (tmp_path / "run" / "samples").iterdir()) == ["step-000004.png", "step-000005.png"]
    page = (tmp_path / "run" / "preview.html").read_bytes()
    grid = (tmp_path / "run" / "samples" / "step-000005.png").read_bytes()
    result = CliRunner().invoke(main, ["preview", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "preview.html").read_bytes() == page
    assert (tmp_path / "run" / "samples" / "step-000005.png").read_bytes() == grid


def test_a_failed_preview_is_reported_and_the_run_continues(tmp_path, data, plain, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("no\nroom")

    monkeypatch.setattr("vrm_synth.training.loop.preview_checkpoint", fail)
    messages: list[str] = []
    config = RunConfig.model_validate(runs.settings(data, steps=5, preview_every=4))
    assert train(config, tmp_path / "run", Callbacks(on_message=messages.append), device="cpu") == 5
    assert messages == ["No preview of step 4: no room", "No preview of step 5: no room"]
    assert len(list_checkpoints(tmp_path / "run")) == len(list_checkpoints(plain))


def test_a_preview_without_captions_is_refused_before_the_first_step(tmp_path):
    texts = disk.texts(tmp_path / "texts")
    more = {"sources": [{"path": str(texts), "license": "CC0-1.0"}]}
    with pytest.raises(VrmSynthError, match="no captioned images"):
        runs.go(runs.settings(texts, more=more, preview_every=2), tmp_path / "run")
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_preview_every_is_a_multiple_of_checkpoint_every(data):
    with pytest.raises(ValueError, match="a preview is made of a checkpoint"):
        RunConfig.model_validate(runs.settings(data, preview_every=3))
