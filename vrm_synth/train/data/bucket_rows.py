"""The sources' rows, sorted into buckets: what the order's places stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.train.data.buckets import Size, aspects, assign, choose, fits
from vrm_synth.train.data.source import DataSource

Rows = range | NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class BucketRows:
    """buckets: (width, height) each. rows: by bucket and source, the source's rows. small: by source, the rows that
    would have to be made more than twice as large."""

    buckets: tuple[Size, ...]
    rows: tuple[tuple[Rows, ...], ...]
    small: tuple[Rows, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """(buckets, sources)."""
        return np.array([[len(r) for r in of_bucket] for of_bucket in self.rows], np.int64)

    def row(self, bucket: int, source: int, place: int) -> int:
        """What stands at a place of the order."""
        return int(self.rows[bucket][source][place])


def sort(sources: Sequence[DataSource], weights: Sequence[float], side: int, most: int, batch: int) -> BucketRows:
    """Choose at most `most` buckets for the sources' pictures, as their weights mix them, and sort the rows.

    A bucket that a batch would not fill is given up for its neighbours.
    """
    sizes = [source.sizes() for source in sources]
    seen = sum(w * aspects(s) for w, s in zip(weights, sizes, strict=True))
    buckets = choose(np.asarray(seen), side, most)
    while True:
        found = _sort(sources, sizes, buckets)
        totals = found.counts.sum(1)
        poorest = int(totals.argmin())
        if len(buckets) == 1 or totals[poorest] >= batch:
            return found
        buckets.pop(poorest)


def _sort(
    sources: Sequence[DataSource], sizes: Sequence[NDArray[np.int32] | Size], buckets: Sequence[Size]
) -> BucketRows:
    rows: list[list[Rows]] = [[] for _ in buckets]
    small: list[Rows] = []
    for source, size in zip(sources, sizes, strict=True):
        if isinstance(size, tuple):  # all alike, and maybe more than an array would hold
            one = np.array([size], np.int32)
            bucket = int(assign(one, buckets)[0])
            fit = bool(fits(one, buckets[bucket])[0])
            for b in range(len(buckets)):
                rows[b].append(range(len(source) if b == bucket and fit else 0))
            small.append(range(0 if fit else len(source)))
            continue
        of = assign(size, buckets)
        fitting = np.zeros(len(size), bool)
        for b, bucket_size in enumerate(buckets):
            mine = np.flatnonzero(of == b)
            ok = fits(size[mine], bucket_size)
            fitting[mine[ok]] = True
            rows[b].append(mine[ok].astype(np.int32))
        small.append(np.flatnonzero(~fitting).astype(np.int32))
    return BucketRows(tuple(buckets), tuple(map(tuple, rows)), tuple(small))
