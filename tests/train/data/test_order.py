"""The order: a shuffle that is whole, a dealing that is fair, and neither with a memory."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vrm_synth.train.data.order import DECK, Order, WeightedSchedule
from vrm_synth.train.data.permutation import FEW, permute


@pytest.mark.parametrize("n", [1, 2, 3, 10, FEW - 1, FEW, FEW + 1, 5000, 1 << 14, (1 << 14) + 1, 100_003])
def test_a_permutation_meets_everything_once(n):
    for i in range(3):
        assert np.array_equal(np.sort(permute(np.arange(n), n, 7, "x", i)), np.arange(n))


def test_a_permutation_is_known_at_one_place_as_at_all():
    whole = permute(np.arange(1000), 1000, 7, "x", 2)
    assert [int(permute(np.array([p]), 1000, 7, "x", 2)[0]) for p in (0, 1, 500, 999)] == whole[
        [0, 1, 500, 999]
    ].tolist()


@pytest.mark.parametrize("n", [FEW, 10_000])
def test_permutations_differ_by_seed_stream_and_number_and_have_no_stride(n):
    several = [permute(np.arange(n), n, *key) for key in ((1, "x", 0), (2, "x", 0), (1, "y", 0), (1, "x", 1))]
    for i, a in enumerate(several):
        assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.05
        assert np.bincount(np.diff(a) % n, minlength=n).max() < 12
        for b in several[:i]:
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_every_order_of_three_comes_up_about_as_often():
    seen = Counter(tuple(permute(np.arange(3), 3, 5, "x", i).tolist()) for i in range(3000))
    assert len(seen) == 6 and all(400 < count < 600 for count in seen.values())


@pytest.mark.parametrize("weights", [[1], [1, 2], [5, 0, 3], [1, 1e-9, 1], [0.1] * 64])
def test_a_deck_deals_by_weight_and_counts_turns(weights):
    deck = WeightedSchedule(weights)
    player, before = deck(np.arange(2 * DECK + 100))
    for k, weight in enumerate(weights):
        mine = np.flatnonzero(player == k)
        assert np.array_equal(before[mine], np.arange(len(mine)))
        share = weight / sum(weights)
        assert len(mine) == 0 if weight == 0 else len(mine) >= 2
        assert abs(len(mine) / len(player) - share) < 2 / DECK
        # in any stretch, too
        assert abs(int((player[:100] == k).sum()) - 100 * share) <= 1.5


def order(seed=3, batch=4, counts=((10, 6), (0, 14)), weights=(1.0, 2.0)) -> Order:
    counts = np.array(counts)
    return Order(seed, batch, counts, weights, ["a", "b"][: len(counts)], ["s", "t"][: counts.shape[1]])


def test_one_source_and_bucket_is_drawn_whole_every_epoch_and_otherwise_each_time():
    one = order(counts=((7,),), weights=(1.0,), batch=2)
    drawn = one(np.arange(70)).place.reshape(10, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in drawn.tolist())
    assert len({tuple(epoch) for epoch in drawn.tolist()}) == 10


def test_a_step_has_one_bucket_and_rows_come_up_alike_within_their_source():
    steps = 40_000
    drawn = order()(np.arange(4 * steps))
    assert np.array_equal(drawn.bucket.reshape(steps, 4).min(1), drawn.bucket.reshape(steps, 4).max(1))
    assert order().bucket(17) == drawn.bucket[17 * 4]
    for source, share in ((0, 1 / 3), (1, 2 / 3)):
        assert abs((drawn.source == source).mean() - share) < 1e-3
    of_second = Counter(
        (b, p) for b, s, p in zip(drawn.bucket.tolist(), drawn.source.tolist(), drawn.place.tolist(), strict=True) if s
    )
    assert len(of_second) == 20  # 6 rows in bucket a, 14 in b
    assert max(of_second.values()) < 1.02 * min(of_second.values())


def test_any_part_of_the_order_is_the_same_alone():
    numbers = np.arange(5000)
    whole, late = order()(numbers), order()(numbers[4321:4400])
    for name in ("bucket", "source", "place"):
        assert np.array_equal(getattr(whole, name)[4321:4400], getattr(late, name))


def test_substitutes_are_others_and_the_same_every_time():
    first, again = order()(np.arange(200), attempt=1), order()(np.arange(200), attempt=1)
    assert np.array_equal(first.place, again.place)
    assert (first.place != order()(np.arange(200)).place).any()
