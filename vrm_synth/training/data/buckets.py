"""Aspect-ratio buckets: a few shapes, close to those of the pictures at hand. Each is one compiled graph."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vrm_synth.training.data.data_config import TRAINING_SIDE_STEP

Size = tuple[int, int]  # (width, height) in pixels
MAX_ASPECT = 2.0  # long side over short
_BIN_CENTERS = np.linspace(-np.log(4), np.log(4), 129)  # log(width / height); the choice works on this histogram


def bucket_shapes(side: int) -> list[Size]:
    """Every possible bucket, sorted by width: sides in steps of 64, portrait and landscape, about side² in area."""
    shapes = [(side, side)]
    for short in range(TRAINING_SIDE_STEP, side, TRAINING_SIDE_STEP):
        long = round(side * side / short / TRAINING_SIDE_STEP) * TRAINING_SIDE_STEP
        if long > side and long / short <= MAX_ASPECT and 0.75 <= short * long / side**2 <= 1.25:
            shapes += [(short, long), (long, short)]
    return sorted(shapes)


def aspect_shares(sizes: NDArray[np.int32] | Size) -> NDArray[np.float64]:
    """Histogram of the log aspects of (n, 2) sizes, or of one size that all pictures have: (129,), sums to 1."""
    logs = _log_aspects(np.atleast_2d(np.asarray(sizes)))
    return np.bincount(_nearest(logs, _BIN_CENTERS), minlength=_BIN_CENTERS.size) / len(logs)


def choose_buckets(shares: NDArray[np.float64], side: int, max_buckets: int) -> list[Size]:
    """Choose the buckets, sorted by width, that crop the least off pictures with these `aspect_shares`.

    A single bucket is the square. Among equally good choices the one with fewer buckets wins.
    """
    shapes = bucket_shapes(side)
    if max_buckets == 1 or len(shapes) == 1:
        return [(side, side)]
    used = np.flatnonzero(shares)
    # (shapes, aspects): the share of the pictures' area that is cropped off
    lost_area = 1 - np.exp(-np.abs(_log_aspects(np.array(shapes))[:, None] - _BIN_CENTERS[used]))
    lost_area *= shares[used]
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for count in range(1, max_buckets + 1):
        for chosen in itertools.combinations(range(len(shapes)), count):
            cropped = float(lost_area[list(chosen)].min(0).sum())
            if cropped < best[0] * (1 - 1e-9):
                best = cropped, chosen
    return [shapes[i] for i in best[1]]


def assign_buckets(sizes: NDArray[np.int32], buckets: Sequence[Size]) -> NDArray[np.int64]:
    """Index of the bucket that crops the least off each picture, (n,), for (n, 2) sizes."""
    logs = _log_aspects(np.array(buckets))
    order = np.argsort(logs, kind="stable")
    return np.asarray(order[_nearest(_log_aspects(sizes), logs[order])])


def crop_box(size: Size, bucket: Size) -> tuple[float, float, float, float]:
    """Center crop: (left, top, right, bottom) of the largest centered part of a picture with the bucket's aspect."""
    width, height = size
    scale = min(width / bucket[0], height / bucket[1])
    w, h = bucket[0] * scale, bucket[1] * scale
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


def large_enough(sizes: NDArray[np.int32], bucket: Size) -> NDArray[np.bool_]:
    """True where a picture fills the bucket without being enlarged more than twofold, (n,), for (n, 2) sizes."""
    return np.minimum(sizes[:, 0] / bucket[0], sizes[:, 1] / bucket[1]) >= 0.5


def _log_aspects(sizes: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.log(sizes[:, 0] / sizes[:, 1])


def _nearest(values: NDArray[np.float64], sorted_: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted((sorted_[1:] + sorted_[:-1]) / 2, values))
