"""Sources with bytes flipped, cut out or put in anywhere: one clear line or the rest of the data, nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.train import disk
from tests.train.disk import PoolingEncoder
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.core.rng import rng
from vrm_synth.train.data import open_data
from vrm_synth.train.data_config import DataConfig


def spoil(data: bytes, chance: np.random.Generator) -> bytes:
    """A few bytes changed, a stretch cut out, repeated or zeroed, or the end cut off."""
    changed = bytearray(data)
    for _ in range(int(chance.integers(1, 4))):
        at, length = int(chance.integers(len(changed))), int(chance.integers(1, 700))
        match chance.integers(5):
            case 0:
                changed[at] ^= int(chance.integers(1, 256))
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at:at] = changed[at : at + length]
            case 3:
                changed[at : at + length] = bytes(len(changed[at : at + length]))
            case _:
                del changed[at:]
        changed = changed or bytearray(1)
    return bytes(changed)


def use(tmp: Path, source: Path) -> int:
    """Everything that a run does with a source; how many pictures it gave."""
    told = {"sources": [{"path": str(source), "licence": "x", "mirror": 0.5, "tag_share": 0.5}], "size": 64}
    config = DataConfig.model_validate(told)
    data = open_data(config, PoolingEncoder(), seed=1, batch=2, cache=tmp / "cache", quarantine=tmp / "q.jsonl")
    seen = {key for batch in data.batches(range(6)) for key in batch.keys}
    data.close()
    return len(seen)


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
@pytest.mark.parametrize("count", [12, pytest.param(400, marks=pytest.mark.slow)])
def test_spoilt_sources(layout, count, tmp_path):
    layout(tmp_path / "good", 4)
    files = sorted(p for p in (tmp_path / "good").rglob("*") if p.is_file())
    whole = {p: p.read_bytes() for p in files}
    gave, refused = 0, 0
    for i in range(count):
        chance = rng(1, f"spoilt {layout.__name__}", i)
        victim = files[int(chance.integers(len(files)))]
        for path, data in whole.items():
            path.write_bytes(spoil(data, chance) if path == victim else data)
        try:
            gave += use(tmp_path, tmp_path / "good") > 0
        except VrmSynthError as e:
            assert "\n" not in str(e)
            refused += 1
    assert gave + refused == count
    assert gave or layout is disk.parquet  # whose one file is lost with its last bytes
