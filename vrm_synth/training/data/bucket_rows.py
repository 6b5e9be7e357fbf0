"""The sources' rows, sorted into buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.training.data.buckets import Size, aspect_shares, assign_buckets, choose_buckets, large_enough
from vrm_synth.training.data.source import DataSource

Rows = range | NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class BucketRows:
    """Row numbers by bucket and source.

    buckets: (width, height) in pixels of each.
    rows: rows[bucket][source], the source's row numbers in that bucket.
    small: small[source], row numbers of pictures that would have to be enlarged more than twofold.
    """

    buckets: tuple[Size, ...]
    rows: tuple[tuple[Rows, ...], ...]
    small: tuple[Rows, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of rows, (buckets, sources) int64."""
        return np.array([[len(r) for r in of_bucket] for of_bucket in self.rows], np.int64)

    def row(self, bucket: int, source: int, position: int) -> int:
        """Row number at a position of rows[bucket][source]."""
        return int(self.rows[bucket][source][position])


def sort_into_buckets(
    sources: Sequence[DataSource], weights: Sequence[float], side: int, max_buckets: int, batch_size: int
) -> BucketRows:
    """Choose buckets for the sources' pictures, and sort the rows into them.

    weights: (sources,) shares of the sources in training.
    side: side of the square bucket in pixels.
    max_buckets: most buckets to choose. One with fewer rows than `batch_size` is dropped, its rows going to others.
    """
    sizes = [source.sizes() for source in sources]
    shares = sum(w * aspect_shares(s) for w, s in zip(weights, sizes, strict=True))
    buckets = choose_buckets(np.asarray(shares), side, max_buckets)
    while True:
        bucket_rows = _assign_rows(sources, sizes, buckets)
        totals = bucket_rows.counts.sum(1)
        smallest = int(totals.argmin())
        if len(buckets) == 1 or totals[smallest] >= batch_size:
            return bucket_rows
        buckets.pop(smallest)


def _assign_rows(
    sources: Sequence[DataSource], sizes: Sequence[NDArray[np.int32] | Size], buckets: Sequence[Size]
) -> BucketRows:
    """Assign every row to the bucket that crops it least; rows that it would enlarge too much (buckets.large_enough)
    are listed in `small`."""
    rows: list[list[Rows]] = [[] for _ in buckets]
    small: list[Rows] = []
    for source, size in zip(sources, sizes, strict=True):
        if isinstance(size, tuple):  # all rows alike, and maybe more of them than an array would hold
            one_row = np.array([size], np.int32)
            bucket = int(assign_buckets(one_row, buckets)[0])
            usable = bool(large_enough(one_row, buckets[bucket])[0])
            for b in range(len(buckets)):
                rows[b].append(range(len(source) if b == bucket and usable else 0))
            small.append(range(0 if usable else len(source)))
            continue
        bucket_of_row = assign_buckets(size, buckets)
        usable_rows = np.zeros(len(size), bool)
        for b, bucket_size in enumerate(buckets):
            in_bucket = np.flatnonzero(bucket_of_row == b)
            ok = large_enough(size[in_bucket], bucket_size)
            usable_rows[in_bucket[ok]] = True
            rows[b].append(in_bucket[ok].astype(np.int32))
        small.append(np.flatnonzero(~usable_rows).astype(np.int32))
    return BucketRows(tuple(buckets), tuple(map(tuple, rows)), tuple(small))
