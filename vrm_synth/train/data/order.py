"""Which row is sample n of a run: f(seed, n), found at once for any n.

A step has one bucket, dealt to steps by how many samples each bucket is due; within a bucket samples are dealt to
sources by weight; and each bucket's rows of a source are shuffled anew for every pass over them. Dealing is from a
fixed deck, spread as evenly as can be, so that any stretch of samples is mixed as it should be, and "how many of
these came before" is a table look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.train.data.permutation import permute

DECK = 1 << 16  # cards: weights are kept to within one part of this


class WeightedSchedule:
    """An endless dealing to players by weight: at any i, whose turn it is, and how many turns they had before.

    weights: (k,), not negative, not all 0. Whoever has a weight has at least one card.
    """

    def __init__(self, weights: Sequence[float]):
        self.cards = _quotas(np.asarray(weights, np.float64))
        players = np.repeat(np.arange(len(weights)), self.cards)
        # The j-th card of a player who has q of them lies at (j + ½) / q of the way through the deck.
        nth = np.concatenate([np.arange(q) for q in self.cards])
        order = np.argsort((nth + 0.5) / self.cards[players], kind="stable")
        self._player, self._nth = players[order], nth[order]

    def __call__(self, i: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(m,) turns → (m,) players, and (m,) the turns that each of them had before."""
        round_, place = i // DECK, i % DECK
        player = self._player[place]
        return player, round_ * self.cards[player] + self._nth[place]


def _quotas(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """DECK cards by largest remainder, (k,) int64."""
    due = weights / weights.sum() * DECK
    cards = np.maximum(np.floor(due), due > 0).astype(np.int64)
    for player in np.argsort(cards - due, kind="stable")[: max(0, DECK - int(cards.sum()))]:
        cards[player] += 1
    while cards.sum() > DECK:  # many who are due less than a card each
        cards[np.argmax(cards)] -= 1
    return cards


@dataclass(frozen=True)
class SlotDraw:
    """Samples: (m,) int64 each. bucket, source: numbers; place: which of the bucket's rows of the source."""

    bucket: NDArray[np.int64]
    source: NDArray[np.int64]
    place: NDArray[np.int64]


class Order:
    """The order of a run.

    seed; batch: samples a step; counts: (buckets, sources) rows, weights: (sources,) above 0; names: of the
    buckets' and sources' streams of chance, so that a source's order does not depend on which others there are.
    """

    def __init__(
        self,
        seed: int,
        batch: int,
        counts: NDArray[np.int64],
        weights: Sequence[float],
        buckets: Sequence[str],
        sources: Sequence[str],
    ):
        self._seed, self._batch, self._counts = seed, batch, counts
        self._names = buckets, sources
        # A source's samples are shared among buckets as its rows are, so that each of its rows is drawn as often.
        due = np.asarray(weights, np.float64) * counts / np.maximum(counts.sum(0), 1)
        self._bucket = WeightedSchedule(due.sum(1))
        self._source = [WeightedSchedule(row) for row in due]

    def bucket(self, step: int) -> int:
        """The bucket of all samples of a step."""
        return int(self._bucket(np.array([step]))[0][0])

    def __call__(self, numbers: NDArray[np.int64], attempt: int = 0) -> SlotDraw:
        """(m,) sample numbers → their rows. attempt: 1 and more give substitutes, where rows turned out broken."""
        step, within = numbers // self._batch, numbers % self._batch
        bucket, steps_before = self._bucket(step)
        turn = steps_before * self._batch + within
        source, place = np.empty_like(numbers), np.empty_like(numbers)
        for b in np.unique(bucket):
            of_bucket = np.flatnonzero(bucket == b)
            source[of_bucket], nth = self._source[b](turn[of_bucket])
            for s in np.unique(source[of_bucket]):
                mine = source[of_bucket] == s
                place[of_bucket[mine]] = self._places(int(b), int(s), nth[mine], attempt)
        return SlotDraw(bucket, source, place)

    def _places(self, bucket: int, source: int, nth: NDArray[np.int64], attempt: int) -> NDArray[np.int64]:
        n = int(self._counts[bucket, source])
        epoch, place = nth // n, nth % n
        stream = f"{self._names[0][bucket]} {self._names[1][source]} {attempt}"
        out = np.empty_like(place)
        for e in np.unique(epoch):
            of_epoch = epoch == e
            out[of_epoch] = permute(place[of_epoch], n, self._seed, stream, int(e))
        return out
