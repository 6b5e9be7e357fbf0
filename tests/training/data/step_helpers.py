"""Small training data for the tests, and what its batches show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.training.disk import PoolingEncoder
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.training_batch import TrainingBatch
from vrm_synth.training.data.training_dataset import TrainingDataset, open_training_dataset


def count_words(texts: Any) -> list[int]:
    """A tokenizer, nearly."""
    return [len(t.split()) + 2 for t in texts]


def opened(
    tmp: Path, *sources: Any, encoder: PoolingEncoder | None = None, batch: int = 4, **options: Any
) -> TrainingDataset:
    config = {"size": 64, "buckets": 1, "drop_captions": 0.0, **options}
    entries = [s if isinstance(s, dict) else {"path": str(s), "license": "CC0-1.0"} for s in sources]
    return open_training_dataset(
        DataConfig.model_validate({"sources": entries, **config}),
        encoder or PoolingEncoder(),
        seed=5,
        batch_size=batch,
        cache=tmp / "cache",
        quarantine=tmp / "run/quarantine.jsonl",
        count_tokens=count_words,
        max_tokens=20,
    )


def all_of(data: TrainingDataset, steps: range = range(12), **ranks: int) -> list[TrainingBatch]:
    return list(data.batches(steps, **ranks))


def same(a: TrainingBatch, b: TrainingBatch) -> bool:
    fields = ("step", "size", "sample_numbers", "keys", "captions")
    return (
        all(getattr(a, n) == getattr(b, n) for n in fields)
        and torch.equal(a.moments, b.moments)
        and torch.equal(a.masks, b.masks)
    )


def shown(batch: TrainingBatch) -> list[int]:
    """Which picture each sample shows, from the color of its first cell."""
    colors = np.array([(i * 37 % 200 + 40, i * 11 % 256, i * 71 % 256) for i in range(40)])
    first = ((batch.moments[:, :3, 0, 0] + 1) * 127.5).numpy()
    return [int(np.abs(colors - c).sum(1).argmin()) for c in first]
