"""Random permutations that are evaluated position by position."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vrm_synth.training.data.permutation import MAX_STORED_LENGTH, permute


@pytest.mark.parametrize(
    "n",
    [
        1,
        2,
        3,
        10,
        MAX_STORED_LENGTH - 1,
        MAX_STORED_LENGTH,
        MAX_STORED_LENGTH + 1,
        5000,
        1 << 14,
        (1 << 14) + 1,
        100_003,
    ],
)
def test_a_permutation_is_one(n):
    for i in range(3):
        assert np.array_equal(np.sort(permute(np.arange(n), n, 7, "x", i)), np.arange(n))


def test_a_permutation_is_the_same_at_one_position_as_at_all():
    permutation = permute(np.arange(1000), 1000, 7, "x", 2)
    assert [int(permute(np.array([p]), 1000, 7, "x", 2)[0]) for p in (0, 1, 500, 999)] == permutation[
        [0, 1, 500, 999]
    ].tolist()


@pytest.mark.parametrize("n", [MAX_STORED_LENGTH, 10_000])
def test_permutations_differ_by_seed_stream_and_number_and_have_no_stride(n):
    permutations = [permute(np.arange(n), n, *key) for key in ((1, "x", 0), (2, "x", 0), (1, "y", 0), (1, "x", 1))]
    for i, a in enumerate(permutations):
        assert abs(np.corrcoef(a[:-1], a[1:])[0, 1]) < 0.05
        assert np.bincount(np.diff(a) % n, minlength=n).max() < 12
        for b in permutations[:i]:
            assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


def test_every_order_of_three_comes_up_about_as_often():
    counts = Counter(tuple(permute(np.arange(3), 3, 5, "x", i).tolist()) for i in range(3000))
    assert len(counts) == 6 and all(400 < count < 600 for count in counts.values())
