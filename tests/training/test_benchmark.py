"""benchmarks/train_speed.py: a round measures updates and leaves no checkpoint behind."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from tests.training import disk
from vrm_synth.models.tiny_base import make_tiny_base

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def train_speed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("train_speed", BENCHMARKS / "train_speed.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "train_speed", module)
    spec.loader.exec_module(module)
    return module


def test_rounds_of_training_speed_write_no_checkpoint(train_speed, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = disk.texts(tmp_path / "pictures")
        ours = train_speed.Ours(make_tiny_base(tmp_path / "base"), data, tmp_path / "run", 64, 2)
        rates = [ours.round(5, 1) for _ in range(2)]
    finally:
        torch.set_num_threads(before)
    assert min(rates) > 0 and ours.preparing > 0
    assert not list(tmp_path.rglob("checkpoints"))
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 5
