"""Buckets: shapes for the pictures at hand, and the part of a picture that one takes."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.training.data.buckets import (
    aspect_shares,
    assign_buckets,
    bucket_shapes,
    choose_buckets,
    crop_box,
    large_enough,
)


@pytest.mark.parametrize("side", [64, 256, 512, 768, 1024])
def test_bucket_shapes_come_in_pairs_of_about_the_squares_area(side):
    shapes = bucket_shapes(side)
    assert (side, side) in shapes and all((h, w) in shapes for w, h in shapes)
    for w, h in shapes:
        assert w % 64 == h % 64 == 0 and 0.75 <= w * h / side**2 <= 1.25 and 0.5 <= w / h <= 2


def test_one_bucket_is_the_square_and_pictures_of_one_shape_get_one_bucket():
    tall = aspect_shares((512, 768))
    assert choose_buckets(tall, 512, 1) == [(512, 512)]
    assert choose_buckets(tall, 512, 6) == [(448, 576)]


def test_more_buckets_never_crop_more_and_respect_the_limit():
    rng = np.random.default_rng(0)
    sizes = rng.integers(500, 1100, (4000, 2)).astype(np.int32)

    def cut(most: int) -> float:
        buckets = choose_buckets(aspect_shares(sizes), 1024, most)
        assert len(buckets) <= most
        of = np.array(buckets)[assign_buckets(sizes, buckets)]
        logs = np.log(sizes[:, 0] / sizes[:, 1]) - np.log(of[:, 0] / of[:, 1])
        return float((1 - np.exp(-np.abs(logs))).mean())

    lost = [cut(most) for most in (1, 2, 3, 6)]
    assert lost == sorted(lost, reverse=True) and lost[3] < 0.4 * lost[0]


def test_a_picture_goes_to_the_bucket_that_crops_least():
    buckets = [(704, 384), (384, 704), (512, 512)]
    sizes = np.array([[900, 500], [500, 900], [600, 590], [64, 4096], [4096, 64]], np.int32)
    assert assign_buckets(sizes, buckets).tolist() == [0, 1, 2, 1, 0]


@pytest.mark.parametrize("size", [(512, 512), (1000, 300), (300, 1000), (64, 65)])
@pytest.mark.parametrize("bucket", [(512, 512), (384, 704), (704, 384)])
def test_a_crop_is_the_largest_of_its_shape_in_the_middle(size, bucket):
    left, top, right, bottom = crop_box(size, bucket)
    assert (right - left) / (bottom - top) == pytest.approx(bucket[0] / bucket[1])
    assert left + right == pytest.approx(size[0]) and top + bottom == pytest.approx(size[1])
    assert min(left, top) == pytest.approx(0, abs=1e-9)


def test_a_picture_of_half_the_size_is_large_enough():
    assert large_enough(np.array([[256, 256], [255, 900]], np.int32), (512, 512)).tolist() == [True, False]
