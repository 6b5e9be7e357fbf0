"""Memory trials of the buckets."""

from __future__ import annotations

import pytest

from vrm_synth.core.errors import TrainError
from vrm_synth.training.memory_probe import find_accumulation


def test_too_little_memory_raises_accumulation_and_not_the_batch():
    messages: list[str] = []
    tried = []

    def fits_in_memory(size: tuple[int, int], count: int) -> bool:
        tried.append((size, count))
        return size[0] * count <= 512

    assert find_accumulation(12, 1, [(64, 64), (128, 128)], fits_in_memory, messages.append) == 3
    assert tried == [((64, 64), 12), ((64, 64), 6), ((128, 128), 6), ((128, 128), 4)]
    assert "12 pictures of 64×64 at once do not fit" in messages[0] and "2 parts of 6" in messages[0]
    with pytest.raises(TrainError, match="not even one picture"):
        find_accumulation(4, 1, [(64, 64)], lambda size, count: False)
