"""The tiny base, once as it is and in variants of its schedule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vrm_synth.models import DiffusionModel, open_base
from vrm_synth.models.tiny_base import make_tiny_base


def variant(folder: Path, **schedule: object) -> DiffusionModel:
    """The tiny base, its scheduler's configuration changed."""
    make_tiny_base(folder)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | schedule))
    return open_base(folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def model(folder: Path) -> DiffusionModel:
    return open_base(folder)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
