"""Sample number → row, caption and mirroring; and substitutes for broken rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.rng import rng
from vrm_synth.training.data import captions
from vrm_synth.training.data.bucket_rows import BucketRows
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.data.data_config import DataConfig, SourceConfig, source_name
from vrm_synth.training.data.quarantine import Quarantine
from vrm_synth.training.data.sample_order import SampleOrder
from vrm_synth.training.data.source import BadRowError, CaptionText, DataSource

DRAW_BLOCK = 1 << 10  # samples whose draws come from one generator
MAX_SUBSTITUTES = 64  # for one sample; where as many rows in succession are broken, the data is


@dataclass(frozen=True)
class TrainingSample:
    """A sample of the run.

    number: its number in the run, from 0.
    source: index of the source.
    row: number of the row in the source.
    size: (width, height) in pixels of its bucket.
    attempt: how many broken rows were drawn before this one.
    caption: as it is trained on: mirrored, shuffled or dropped ("").
    mirrored: the picture is mirrored.
    """

    number: int
    source: int
    row: int
    size: Size
    attempt: int
    caption: str
    mirrored: bool


@dataclass(frozen=True)
class DrawnRows:
    """Rows drawn for some samples.

    bucket: (m,) int64, index of the bucket.
    source: (m,) int64, index of the source.
    row: (m,) int64, row number in the source.
    mirrored: (m,) bool, the picture is mirrored.
    """

    bucket: NDArray[np.int64]
    source: NDArray[np.int64]
    row: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


class RowSampler:
    """Sampler of rows and captions, by sample number. Safe among threads.

    config: of the data.
    sources: in the configuration's order.
    rows: the sources' rows by bucket.
    quarantine: gets the rows that are broken.
    seed: of the run.
    batch_size: samples a step, over all ranks.
    count_tokens: captions → tokens of each; None to accept captions of any length.
    max_tokens: more than these are overlong.
    """

    def __init__(
        self,
        config: DataConfig,
        sources: Sequence[DataSource],
        rows: BucketRows,
        quarantine: Quarantine,
        seed: int,
        batch_size: int,
        count_tokens: Callable[[Sequence[str]], Sequence[int]] | None,
        max_tokens: int,
    ):
        self._config, self._sources, self._rows, self._quarantine, self._seed = config, sources, rows, quarantine, seed
        self._count_tokens, self._max_tokens = count_tokens, max_tokens
        self._source_names = [source_name(s) for s in config.sources]
        weights = [s.weight for s in config.sources]
        bucket_names = [f"{w}x{h}" for w, h in rows.buckets]
        self._order = SampleOrder(seed, batch_size, rows.counts, weights, bucket_names, self._source_names)
        self._broken: dict[tuple[int, int], BadRowError] = {}
        self._caption_text = lru_cache(1 << 14)(self._checked_caption_text)

    @property
    def source_count(self) -> int:
        """Number of sources."""
        return len(self._sources)

    @property
    def buckets(self) -> Sequence[Size]:
        """(width, height) in pixels of each bucket."""
        return self._rows.buckets

    def rows(self, numbers: NDArray[np.int64]) -> DrawnRows:
        """Rows of many samples, by number (m,), as they are drawn before any turns out to be broken."""
        drawn = self._order(numbers)
        row, mirrored = np.zeros_like(numbers), np.zeros(len(numbers), bool)
        for b, s in {*zip(drawn.bucket.tolist(), drawn.source.tolist(), strict=True)}:
            chosen = (drawn.bucket == b) & (drawn.source == s)
            rows, position = self._rows.rows[b][s], drawn.position[chosen]
            row[chosen] = position if isinstance(rows, range) else rows[position]
        for i, number in enumerate(numbers.tolist() if any(s.mirror for s in self._config.sources) else ()):
            source = int(drawn.source[i])
            config = self._config.sources[source]
            if self._draw("mirror", number) < config.mirror:
                with contextlib.suppress(BadRowError):  # reported when the sample itself is drawn
                    mirrored[i] = self._augmented_caption(number, self._sources[source].captions(int(row[i])), config)[
                        1
                    ]
        return DrawnRows(drawn.bucket, drawn.source, row, mirrored)

    def samples(self, numbers: NDArray[np.int64]) -> list[TrainingSample]:
        """Samples by number (m,). Raises DatasetError where all substitutes of one are broken."""
        drawn = self._order(numbers)
        columns = (numbers, drawn.bucket, drawn.source, drawn.position)
        return [self._sample(n, b, s, p) for n, b, s, p in zip(*(c.tolist() for c in columns), strict=True)]

    def substitute(self, sample: TrainingSample, error: BadRowError) -> TrainingSample:
        """The sample to use instead of one whose row turned out to be broken. Raises as `samples`."""
        self.mark_broken(sample.source, sample.row, error)
        return self._next_attempt(sample.number, sample.attempt + 1, error)

    def key(self, sample: TrainingSample) -> str:
        """Name of a sample's row: "source/row's name"."""
        return f"{self._source_names[sample.source]}/{self._sources[sample.source].key(sample.row)}"

    def mark_broken(self, source: int, row: int, error: BadRowError) -> None:
        """Quarantine a row, so that it is not drawn again."""
        if self._broken.setdefault((source, row), error) is error:
            key = self._sources[source].key(row)
            self._quarantine.add(self._source_names[source], key, error.what, str(error))

    def _sample(self, number: int, bucket: int, source: int, position: int, attempt: int = 0) -> TrainingSample:
        """The sample at a position, or its first substitute that is not broken."""
        row = self._rows.row(bucket, source, position)
        try:
            if (error := self._broken.get((source, row))) is not None:
                raise error
            text = self._caption_text(source, row)
        except BadRowError as e:
            self.mark_broken(source, row, e)
            return self._next_attempt(number, attempt + 1, e)
        caption, mirrored = self._augmented_caption(number, text, self._config.sources[source])
        return TrainingSample(number, source, row, self._rows.buckets[bucket], attempt, caption, mirrored)

    def _next_attempt(self, number: int, attempt: int, error: BadRowError) -> TrainingSample:
        if attempt > MAX_SUBSTITUTES:
            what = f"{MAX_SUBSTITUTES} rows drawn one after the other cannot be trained on, the last one: {error}"
            raise DatasetError(what, where=f"sample {number}") from error
        drawn = self._order(np.array([number]), attempt)
        return self._sample(number, int(drawn.bucket[0]), int(drawn.source[0]), int(drawn.position[0]), attempt)

    def _checked_caption_text(self, source: int, row: int) -> CaptionText:
        text = self._sources[source].captions(row)
        texts = captions.possible_texts(text, self._config.sources[source].tag_share)
        if not texts:
            raise BadRowError("caption is empty")
        if self._count_tokens is not None:
            longest = max(self._count_tokens(texts))
            if longest > self._max_tokens:
                allowed = f"up to {self._max_tokens}"
                raise BadRowError("caption is overlong", got=f"{longest} tokens", allowed=allowed)
        return text

    def _augmented_caption(self, number: int, text: CaptionText, config: SourceConfig) -> tuple[str, bool]:
        """(caption, mirrored) of a sample with these texts: chosen, mirrored, shuffled and dropped by its draws."""
        caption, tags = captions.choose_text(text, self._draw("tags", number) < config.tag_share)
        mirror_caption = captions.mirror(caption) if self._draw("mirror", number) < config.mirror else None
        caption = caption if mirror_caption is None else mirror_caption
        if tags and self._config.shuffle_tags:
            caption = captions.shuffle_tags(caption, self._config.keep_tags, rng(self._seed, "shuffle", number))
        dropped = self._draw("drop", number) < self._config.drop_captions
        return "" if dropped else caption, mirror_caption is not None

    def _draw(self, stream: str, number: int) -> float:
        """Uniform draw in 0 … 1 for a sample, by stream and its number alone."""
        return float(_draw_block(self._seed, stream, number // DRAW_BLOCK)[number % DRAW_BLOCK])


@lru_cache(1 << 10)
def _draw_block(seed: int, stream: str, block: int) -> NDArray[np.float64]:
    # A block at a time: making a generator takes as long as drawing 2,000 numbers.
    return rng(seed, stream, block).random(DRAW_BLOCK)
