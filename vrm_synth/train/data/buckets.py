"""Shapes for pictures of many shapes: few, for each is one compiled graph, and near those of the pictures at hand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vrm_synth.train.data.config import STEP

Size = tuple[int, int]  # (width, height) in pixels
WIDEST = 2.0  # long side over short
_CENTRES = np.linspace(-np.log(4), np.log(4), 129)  # of log aspect: what the choice looks at, of however many pictures


def shapes(side: int) -> list[Size]:
    """Every bucket there may be, by width: sides in steps of 64, upright and lying, about side² in area."""
    found = [(side, side)]
    for short in range(STEP, side, STEP):
        long = round(side * side / short / STEP) * STEP
        if long > side and long / short <= WIDEST and 0.75 <= short * long / side**2 <= 1.25:
            found += [(short, long), (long, short)]
    return sorted(found)


def aspects(sizes: NDArray[np.int32] | Size) -> NDArray[np.float64]:
    """How the aspects of (n, 2) sizes, or of pictures all of one size, are spread: shares that add up to 1."""
    logs = _log_aspects(np.atleast_2d(np.asarray(sizes)))
    return np.bincount(_nearest(logs, _CENTRES), minlength=_CENTRES.size) / len(logs)


def choose(seen: NDArray[np.float64], side: int, most: int) -> list[Size]:
    """At most `most` buckets, by width, that cut the least off pictures whose `aspects` are seen.

    One bucket is the square. Of as good choices the one with fewer buckets is taken.
    """
    known = shapes(side)
    if most == 1 or len(known) == 1:
        return [(side, side)]
    there = np.flatnonzero(seen)
    # (shapes, aspects): the share of the pictures that is cut off
    lost = 1 - np.exp(-np.abs(_log_aspects(np.array(known))[:, None] - _CENTRES[there]))
    lost *= seen[there]
    best: tuple[float, tuple[int, ...]] = (np.inf, ())
    for count in range(1, most + 1):
        for chosen in itertools.combinations(range(len(known)), count):
            cut = float(lost[list(chosen)].min(0).sum())
            if cut < best[0] * (1 - 1e-9):
                best = cut, chosen
    return [known[i] for i in best[1]]


def assign(sizes: NDArray[np.int32], buckets: Sequence[Size]) -> NDArray[np.int64]:
    """(n, 2) sizes → (n,) the bucket that cuts the least off each."""
    logs = _log_aspects(np.array(buckets))
    order = np.argsort(logs, kind="stable")
    return np.asarray(order[_nearest(_log_aspects(sizes), logs[order])])


def crop(size: Size, bucket: Size) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of the largest part of a picture with the bucket's aspect, in its middle."""
    width, height = size
    scale = min(width / bucket[0], height / bucket[1])
    w, h = bucket[0] * scale, bucket[1] * scale
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


def fits(sizes: NDArray[np.int32], bucket: Size) -> NDArray[np.bool_]:
    """(n, 2) sizes → (n,) whether a picture fills the bucket without being made more than twice as large."""
    return np.minimum(sizes[:, 0] / bucket[0], sizes[:, 1] / bucket[1]) >= 0.5


def _log_aspects(sizes: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.log(sizes[:, 0] / sizes[:, 1])


def _nearest(values: NDArray[np.float64], sorted_: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted((sorted_[1:] + sorted_[:-1]) / 2, values))
