"""`vrm-synth train` itself: its flags, and its error for pictures without a license."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from tests.training import disk, runs
from vrm_synth.cli.main import main


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def call(*args: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    return result.output


def test_a_license_is_required_and_goes_into_ledger_and_card(tmp_path):
    data, run = disk.texts(tmp_path / "museum"), tmp_path / "run"
    train = ["train", "--base", "tiny", "--data", data, "-o", run, "--steps", "1", "--batch", "2"]
    output = call(*train, code=1)
    assert "the license of these pictures is not known; got 6 pictures without one" in output
    assert "allowed: --license NAME, or license: of the source museum" in output
    assert "Done at step 1" in call(*train, "--license", "CC0-1.0")
    (source,) = json.loads((run / "ledger.json").read_text())["sources"]
    assert source["licenses"] == {"CC0-1.0": 6}
    # What was output wrongly can be put right: no sample follows from it.
    call(*train[:-4], "--steps", "2", "--batch", "2", "--license", "CC-BY-4.0")
    call("export-model", run, "-o", tmp_path / "model")
    assert "| museum | 6 | CC-BY-4.0 (6) |" in (tmp_path / "model" / "README.md").read_text()


def test_pictures_that_say_their_license_keep_it(tmp_path):
    data = runs.dataset(tmp_path / "set")
    args = ["--base", "tiny", "--data", data, "-o", tmp_path / "run", "--steps", "1", "--batch", "2"]
    call("train", *args, "--license", "CC-BY-4.0")
    (source,) = json.loads((tmp_path / "run" / "ledger.json").read_text())["sources"]
    assert source["licenses"] == {"CC0-1.0": 6}


def test_a_license_belongs_to_data(tmp_path):
    (tmp_path / "run.yaml").write_text("base: tiny\nsteps: 1\ndata:\n  sources: [x]\n")
    output = call("train", tmp_path / "run.yaml", "-o", tmp_path / "run", "--license", "CC0-1.0", code=2)
    assert "--license belongs to --data" in output


def test_settings_may_change_until_the_first_step(tmp_path):
    data = runs.dataset(tmp_path / "set")
    train = ["train", "--base", "tiny", "--data", data, "-o", tmp_path / "run", "--batch", "2"]
    assert "no source has the split" in call(*train, "--steps", "1", "--validation", "val", code=1)
    call(*train, "--steps", "1")
    assert "another run: learning_rate differs" in call(*train, "--steps", "2", "--lr", "0.1", code=1)


def test_flags_for_looking_while_it_trains(tmp_path):
    data = tmp_path / "set"
    for split in ("train", "val"):
        disk.folder(data / split, 4)
    out = tmp_path / "run"
    output = call("train", "--base", "tiny", "--data", data, "-o", out, "--steps", "2", "--batch", "2",
                "--validation", "val", "--checkpoint-every", "1", "--preview-every", "2")  # fmt: skip
    assert "Validation loss at step 2: " in output
    assert (out / "preview.html").exists() and [p.name for p in (out / "samples").iterdir()] == ["step-000002.png"]
