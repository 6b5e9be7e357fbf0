"""Order of a run's samples: sample number → row, f(seed, number), computed directly for any number.

A step has one bucket; steps are assigned to buckets by the share of samples that each bucket is due. Within a bucket
samples are assigned to sources by weight, and a source's rows in the bucket are shuffled anew for each pass over them.
Both assignments repeat a fixed schedule that is spread as evenly as can be, so that any stretch of samples has the
right mix, and "how many of these came before" is a table look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.training.data.permutation import permute

SLOTS = 1 << 16  # of a schedule: weights are kept to within one part of this


class WeightedSchedule:
    """Endless round-robin among sources (or buckets) by weight.

    weights: (k,), not negative, not all 0. Each source with a weight has at least one slot.

    Attributes:
    slots: (k,) int64, slots of each source in one period of SLOTS turns.
    """

    def __init__(self, weights: Sequence[float]):
        self.slots = _slot_counts(np.asarray(weights, np.float64))
        sources = np.repeat(np.arange(len(weights)), self.slots)
        # The j-th slot of a source that has q of them lies at (j + ½) / q of the period.
        nth = np.concatenate([np.arange(q) for q in self.slots])
        order = np.argsort((nth + 0.5) / self.slots[sources], kind="stable")
        self._source, self._nth = sources[order], nth[order]

    def __call__(self, turns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For turns (m,) from 0: the source of each, (m,), and how many turns that source had before, (m,)."""
        period, slot = turns // SLOTS, turns % SLOTS
        source = self._source[slot]
        return source, period * self.slots[source] + self._nth[slot]


def _slot_counts(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Apportion SLOTS by largest remainder, (k,) int64."""
    due = weights / weights.sum() * SLOTS
    slots = np.maximum(np.floor(due), due > 0).astype(np.int64)
    for source in np.argsort(slots - due, kind="stable")[: max(0, SLOTS - int(slots.sum()))]:
        slots[source] += 1
    while slots.sum() > SLOTS:  # many sources that are due less than a slot each
        slots[np.argmax(slots)] -= 1
    return slots


@dataclass(frozen=True)
class SlotDraw:
    """Bucket, source and row assigned to each of some samples.

    bucket: (m,) int64, index of the bucket.
    source: (m,) int64, index of the source.
    position: (m,) int64, index among the source's rows in that bucket.
    """

    bucket: NDArray[np.int64]
    source: NDArray[np.int64]
    position: NDArray[np.int64]


class SampleOrder:
    """The order of a run.

    seed: of the run.
    batch_size: samples a step, over all ranks.
    counts: (buckets, sources) int64, number of rows.
    weights: (sources,), above 0.
    bucket_names, source_names: keys of the random streams, so that a source's order does not depend on which others
        there are.
    """

    def __init__(
        self,
        seed: int,
        batch_size: int,
        counts: NDArray[np.int64],
        weights: Sequence[float],
        bucket_names: Sequence[str],
        source_names: Sequence[str],
    ):
        self._seed, self._batch_size, self._counts = seed, batch_size, counts
        self._bucket_names, self._source_names = bucket_names, source_names
        # A source's samples are shared among buckets as its rows are, so that each of its rows is drawn as often.
        due = np.asarray(weights, np.float64) * counts / np.maximum(counts.sum(0), 1)
        self._bucket_schedule = WeightedSchedule(due.sum(1))
        self._source_schedules = [WeightedSchedule(of_bucket) for of_bucket in due]

    def bucket(self, step: int) -> int:
        """Index of the bucket that all samples of a step have."""
        return int(self._bucket_schedule(np.array([step]))[0][0])

    def __call__(self, numbers: NDArray[np.int64], attempt: int = 0) -> SlotDraw:
        """Look up samples by number, (m,). attempt: 1 and more give substitutes, for rows that are broken."""
        step, within = numbers // self._batch_size, numbers % self._batch_size
        bucket, steps_before = self._bucket_schedule(step)
        turn = steps_before * self._batch_size + within
        source, position = np.empty_like(numbers), np.empty_like(numbers)
        for b in np.unique(bucket):
            in_bucket = np.flatnonzero(bucket == b)
            source[in_bucket], nth = self._source_schedules[b](turn[in_bucket])
            for s in np.unique(source[in_bucket]):
                of_source = source[in_bucket] == s
                position[in_bucket[of_source]] = self._positions(int(b), int(s), nth[of_source], attempt)
        return SlotDraw(bucket, source, position)

    def _positions(self, bucket: int, source: int, nth: NDArray[np.int64], attempt: int) -> NDArray[np.int64]:
        """Shuffled positions of a source's nth samples (m,) in a bucket; another shuffle each epoch."""
        n = int(self._counts[bucket, source])
        epoch, index = nth // n, nth % n
        stream = f"{self._bucket_names[bucket]} {self._source_names[source]} {attempt}"
        positions = np.empty_like(index)
        for e in np.unique(epoch):
            in_epoch = epoch == e
            positions[in_epoch] = permute(index[in_epoch], n, self._seed, stream, int(e))
        return positions
