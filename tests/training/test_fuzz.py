"""Sources with bytes flipped, cut out or put in anywhere: one clear line or the rest of the data, nothing else."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.training import disk
from tests.training.disk import PoolingEncoder
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.core.rng import rng
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.training_dataset import open_training_dataset

SAME_LENGTH = (0, 1, 2)


def spoil(data: bytes, draws: np.random.Generator, kinds: tuple[int, ...] = (*SAME_LENGTH, 3, 4, 5)) -> bytes:
    """A few bytes flipped, zeroed or overwritten, a stretch cut out or repeated, or the end cut off."""
    changed = bytearray(data)
    for _ in range(int(draws.integers(1, 4))):
        at, length = int(draws.integers(len(changed))), int(draws.integers(1, 700))
        match int(draws.choice(kinds)):
            case 0:
                changed[at] ^= int(draws.integers(1, 256))
            case 1:
                changed[at : at + length] = bytes(len(changed[at : at + length]))
            case 2:
                changed[at : at + 8] = draws.bytes(len(changed[at : at + 8]))
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case _:
                del changed[at:]
        changed = changed or bytearray(1)
    return bytes(changed)


def use(tmp: Path, source: Path) -> int:
    """Everything that a run does with a source; how many pictures it gave."""
    settings = {"sources": [{"path": str(source), "license": "x", "mirror": 0.5, "tag_share": 0.5}], "size": 64}
    config = DataConfig.model_validate(settings)
    data = open_training_dataset(
        config, PoolingEncoder(), seed=1, batch_size=2, cache=tmp / "cache", quarantine=tmp / "q.jsonl"
    )
    keys = {key for batch in data.batches(range(6)) for key in batch.keys}
    data.close()
    return len(keys)


LAYOUTS = {"folder": disk.folder, "texts": disk.texts, "tars": disk.tars, "parquet": partial(disk.parquet, group=1)}


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("count", [12, pytest.param(400, marks=pytest.mark.slow)])
def test_spoilt_sources(kind, count, tmp_path):
    LAYOUTS[kind](tmp_path / "good", 4)
    # Parquet counts its bytes from the end, so that one more or less costs the file
    kinds = SAME_LENGTH if kind == "parquet" else (*SAME_LENGTH, 3, 4, 5)
    files = sorted(p for p in (tmp_path / "good").rglob("*") if p.is_file())
    originals = {p: p.read_bytes() for p in files}
    gave, refused = 0, 0
    for i in range(count):
        draws = rng(1, f"spoilt {kind}", i)
        victim = files[int(draws.integers(len(files)))]
        for path, data in originals.items():
            path.write_bytes(spoil(data, draws, kinds) if path == victim else data)
        try:
            gave += use(tmp_path, tmp_path / "good") > 0
        except VrmSynthError as e:
            assert "\n" not in str(e)
            refused += 1
    assert gave and gave + refused == count
