"""A process that fills the cache is killed at any moment: whatever it left is whole, and what comes after the same."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training import disk
from tests.training.disk import PoolingEncoder
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.training_dataset import TrainingDataset, open_training_dataset
from vrm_synth.training.latents import latent_cache

SCRIPT = """
import sys
from pathlib import Path
from tests.training import test_killed
from vrm_synth.training.latents import latent_cache
latent_cache.SHARD_BYTES = 4 * 6 * 64 * 2
data = test_killed.opened(Path(sys.argv[1]), Path(sys.argv[2]), test_killed.Slow())
data.prepare(range(40))
data.close()
"""


class Slow(PoolingEncoder):
    """Says that it works, and takes its time, so that there is a moment to be killed in."""

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        print("encoding", flush=True)
        time.sleep(0.01)
        return super().__call__(pixels)


def opened(tmp: Path, source: Path, encoder: PoolingEncoder) -> TrainingDataset:
    config = DataConfig.model_validate({"sources": [str(source)], "size": 64})
    quarantine = tmp / "quarantine.jsonl"
    return open_training_dataset(config, encoder, seed=3, batch_size=8, cache=tmp / "cache", quarantine=quarantine)


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_a_run_killed_while_encoding_resumes(kills, tmp_path):
    source = disk.folder(tmp_path / "data", 320)
    (source / "images/007.png").write_bytes(b"broken")
    fresh = list(opened(tmp_path / "fresh", source, PoolingEncoder()).batches(range(40)))
    rng = np.random.default_rng(kills)
    for _ in range(kills):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(source)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(int(rng.integers(2, 8))):
                process.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.02)))
            process.kill()
    encoder = PoolingEncoder()
    data = opened(tmp_path / "killed", source, encoder)
    data.prepare(range(40))
    assert encoder.count < 319  # something was left
    for ours, expected in zip(data.batches(range(40)), fresh, strict=True):
        assert ours.keys == expected.keys and ours.captions == expected.captions
        assert torch.equal(ours.moments, expected.moments)
    assert not list((tmp_path / "killed/cache/latents").glob("*.bad"))
    assert dict(data.quarantined) == {"not a picture we read": 1}


def test_several_processes_fill_one_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(latent_cache, "SHARD_BYTES", 4 * 6 * 64 * 2)
    source = disk.folder(tmp_path / "data", 64)

    def fill(_: int) -> None:
        data = opened(tmp_path, source, PoolingEncoder())
        data.prepare(range(8))
        data.close()

    with ThreadPoolExecutor(4) as several:  # each with a cache of its own, as ranks and other runs are
        list(several.map(fill, range(8)))
    encoder = PoolingEncoder()
    for batch in opened(tmp_path, source, encoder).batches(range(8)):
        assert len(batch) == 8
    assert encoder.count == 0
    assert not list((tmp_path / "cache").rglob("*.bad")) and not list((tmp_path / "cache").rglob("*.part"))
