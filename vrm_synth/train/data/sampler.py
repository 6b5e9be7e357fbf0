"""Sample n of a run: which row, under which caption, mirrored or not; and which instead, where the row is broken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.rng import rng
from vrm_synth.train.data import captions
from vrm_synth.train.data.bucket_rows import BucketRows
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.data.config import DataConfig, SourceConfig, source_name
from vrm_synth.train.data.order import Order
from vrm_synth.train.data.quarantine import Quarantine
from vrm_synth.train.data.source import BadRowError, CaptionText, DataSource

TOGETHER = 1 << 10  # samples whose chances are drawn together
SUBSTITUTES = 64  # for one sample; where as many rows in a row are broken, the data is


@dataclass(frozen=True)
class TrainingSample:
    """number: its place in the run. source, row: which. size: of its bucket. attempt: how many rows were broken
    before this one. caption: as the loop gets it. mirrored: whether the picture is, too."""

    number: int
    source: int
    row: int
    size: Size
    attempt: int
    caption: str
    mirrored: bool


@dataclass(frozen=True)
class DrawnRow:
    """(m,) each: numbers of bucket, source and row; whether mirrored."""

    bucket: NDArray[np.int64]
    source: NDArray[np.int64]
    row: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


class RowSampler:
    """Numbers → samples: the order, the captions, and the rows known to be broken.

    count_tokens: captions → tokens each; None to let them be. Safe among threads.
    """

    def __init__(
        self,
        config: DataConfig,
        sources: Sequence[DataSource],
        rows: BucketRows,
        quarantine: Quarantine,
        seed: int,
        batch: int,
        count_tokens: Callable[[Sequence[str]], Sequence[int]] | None,
        most_tokens: int,
    ):
        self._config, self._sources, self._rows, self._quarantine, self._seed = config, sources, rows, quarantine, seed
        self._count_tokens, self._most_tokens = count_tokens, most_tokens
        self._names = [source_name(s) for s in config.sources]
        weights = [s.weight for s in config.sources]
        self._order = Order(seed, batch, rows.counts, weights, [f"{w}x{h}" for w, h in rows.buckets], self._names)
        self._broken: dict[tuple[int, int], BadRowError] = {}
        self._words = lru_cache(1 << 14)(self._checked_words)

    @property
    def sources(self) -> int:
        """How many there are."""
        return len(self._sources)

    @property
    def buckets(self) -> Sequence[Size]:
        """(width, height) of each."""
        return self._rows.buckets

    def rows(self, numbers: NDArray[np.int64]) -> DrawnRow:
        """(m,) sample numbers → their rows, many at once, as they are drawn before any turn out to be broken."""
        d = self._order(numbers)
        row, mirrored = np.zeros_like(numbers), np.zeros(len(numbers), bool)
        for b, s in {*zip(d.bucket.tolist(), d.source.tolist(), strict=True)}:
            mine = (d.bucket == b) & (d.source == s)
            rows = self._rows.rows[b][s]
            row[mine] = d.place[mine] if isinstance(rows, range) else rows[d.place[mine]]
        for i, number in enumerate(numbers.tolist() if any(s.mirror for s in self._config.sources) else ()):
            source = int(d.source[i])
            if self._chance("mirror", number) >= self._config.sources[source].mirror:
                continue
            with contextlib.suppress(BadRowError):  # it will be told when it is drawn
                words = self._sources[source].words(int(row[i]))
                mirrored[i] = self._told(number, words, self._config.sources[source])[1]
        return DrawnRow(d.bucket, d.source, row, mirrored)

    def samples(self, numbers: NDArray[np.int64]) -> list[TrainingSample]:
        """(m,) sample numbers → samples. Raises DatasetError where one's substitutes are all broken."""
        d = self._order(numbers)
        drawn = zip(numbers.tolist(), d.bucket.tolist(), d.source.tolist(), d.place.tolist(), strict=True)
        return [self._first_good(n, b, s, p) for n, b, s, p in drawn]

    def substitute(self, sample: TrainingSample, error: BadRowError) -> TrainingSample:
        """The sample to take instead of one whose row turned out to be broken. Raises as `samples`."""
        self.leave_out(sample.source, sample.row, error)
        return self._again(sample.number, sample.attempt + 1, error)

    def key(self, sample: TrainingSample) -> str:
        """ "source/row's name"."""
        return f"{self._names[sample.source]}/{self._sources[sample.source].key(sample.row)}"

    def leave_out(self, source: int, row: int, error: BadRowError) -> None:
        """This row is broken: it is named, and not drawn again."""
        if self._broken.setdefault((source, row), error) is error:
            self._quarantine.add(self._names[source], self._sources[source].key(row), error.what, str(error))

    def _first_good(self, number: int, bucket: int, source: int, place: int, attempt: int = 0) -> TrainingSample:
        row = self._rows.row(bucket, source, place)
        try:
            if (known := self._broken.get((source, row))) is not None:
                raise known
            words = self._words(source, row)
        except BadRowError as e:
            self.leave_out(source, row, e)
            return self._again(number, attempt + 1, e)
        caption, mirrored = self._told(number, words, self._config.sources[source])
        return TrainingSample(number, source, row, self._rows.buckets[bucket], attempt, caption, mirrored)

    def _again(self, number: int, attempt: int, error: BadRowError) -> TrainingSample:
        if attempt > SUBSTITUTES:
            what = f"{SUBSTITUTES} rows drawn one after the other cannot be trained on, the last one: {error}"
            raise DatasetError(what, where=f"sample {number}") from error
        d = self._order(np.array([number]), attempt)
        return self._first_good(number, int(d.bucket[0]), int(d.source[0]), int(d.place[0]), attempt)

    def _checked_words(self, source: int, row: int) -> CaptionText:
        words = self._sources[source].words(row)
        texts = captions.usable(words, self._config.sources[source].tag_share)
        if not texts:
            raise BadRowError("caption is empty")
        if self._count_tokens is not None:
            longest = max(self._count_tokens(texts))
            if longest > self._most_tokens:
                allowed = f"up to {self._most_tokens}"
                raise BadRowError("caption is overlong", got=f"{longest} tokens", allowed=allowed)
        return words

    def _told(self, number: int, words: CaptionText, source: SourceConfig) -> tuple[str, bool]:
        """(caption, whether the picture is mirrored) of a sample with these words."""
        text, tags = captions.pick(words, self._chance("tags", number) < source.tag_share)
        image = captions.mirror(text) if self._chance("mirror", number) < source.mirror else None
        text = text if image is None else image
        if tags and self._config.shuffle_tags:
            text = captions.shuffle(text, self._config.keep_tags, rng(self._seed, "shuffle", number))
        dropped = self._chance("drop", number) < self._config.drop_captions
        return "" if dropped else text, image is not None

    def _chance(self, stream: str, number: int) -> float:
        """A number in 0 … 1 for a sample, by its number alone."""
        return float(_chances(self._seed, stream, number // TOGETHER)[number % TOGETHER])


@lru_cache(1 << 10)
def _chances(seed: int, stream: str, block: int) -> NDArray[np.float64]:
    # Of many samples together: a generator takes as long to make as 2,000 numbers.
    return rng(seed, stream, block).random(TOGETHER)
