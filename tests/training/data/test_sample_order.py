"""Order of samples: fair shares, whole epochs, and the same at any sample number."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vrm_synth.training.data.sample_order import SLOTS, SampleOrder, WeightedSchedule


@pytest.mark.parametrize("weights", [[1], [1, 2], [5, 0, 3], [1, 1e-9, 1], [0.1] * 64])
def test_a_schedule_gives_turns_by_weight_and_counts_them(weights):
    schedule = WeightedSchedule(weights)
    source, before = schedule(np.arange(2 * SLOTS + 100))
    for k, weight in enumerate(weights):
        turns = np.flatnonzero(source == k)
        assert np.array_equal(before[turns], np.arange(len(turns)))
        share = weight / sum(weights)
        assert len(turns) == 0 if weight == 0 else len(turns) >= 2
        assert abs(len(turns) / len(source) - share) < 2 / SLOTS
        # in any stretch, too
        assert abs(int((source[:100] == k).sum()) - 100 * share) <= 1.5


def order(seed=3, batch=4, counts=((10, 6), (0, 14)), weights=(1.0, 2.0)) -> SampleOrder:
    counts = np.array(counts)
    return SampleOrder(seed, batch, counts, weights, ["a", "b"][: len(counts)], ["s", "t"][: counts.shape[1]])


def test_each_epoch_draws_every_row_once_in_another_order():
    one = order(counts=((7,),), weights=(1.0,), batch=2)
    drawn = one(np.arange(70)).position.reshape(10, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in drawn.tolist())
    assert len({tuple(epoch) for epoch in drawn.tolist()}) == 10


def test_a_step_has_one_bucket_and_a_sources_rows_are_drawn_equally_often():
    steps = 40_000
    drawn = order()(np.arange(4 * steps))
    assert np.array_equal(drawn.bucket.reshape(steps, 4).min(1), drawn.bucket.reshape(steps, 4).max(1))
    assert order().bucket(17) == drawn.bucket[17 * 4]
    for source, share in ((0, 1 / 3), (1, 2 / 3)):
        assert abs((drawn.source == source).mean() - share) < 1e-3
    columns = (drawn.bucket.tolist(), drawn.source.tolist(), drawn.position.tolist())
    of_second = Counter((b, p) for b, s, p in zip(*columns, strict=True) if s)
    assert len(of_second) == 20  # 6 rows in bucket a, 14 in b
    assert max(of_second.values()) < 1.02 * min(of_second.values())


def test_a_slice_of_the_order_does_not_depend_on_the_rest():
    numbers = np.arange(5000)
    everything, late = order()(numbers), order()(numbers[4321:4400])
    for name in ("bucket", "source", "position"):
        assert np.array_equal(getattr(everything, name)[4321:4400], getattr(late, name))


def test_substitutes_differ_and_are_reproducible():
    first, repeated = order()(np.arange(200), attempt=1), order()(np.arange(200), attempt=1)
    assert np.array_equal(first.position, repeated.position)
    assert (first.position != order()(np.arange(200)).position).any()
