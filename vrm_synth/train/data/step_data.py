"""What the loop gets for step s: a pure function of (configuration, seed, s), whatever ran before.

    data = open_data(config, encoder, seed=1, batch=48, cache=run / "cache", quarantine=run / "quarantine.jsonl")
    steps = range(start, stop)
    data.prepare(steps, done=bar.update)     # optional: encode all that these steps draw, in the order of the files
    for batch in data.batches(steps, rank, world):
        for micro in batch.split(accumulation):
            ...

A row that turns out broken is left out and another drawn in its place, by the sample's number and the row's own
state alone: every rank, and every run of the same data, draws the same.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.train.data.bucket_rows import sort
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.data.config import DataConfig, source_name
from vrm_synth.train.data.quarantine import Quarantine
from vrm_synth.train.data.sampler import RowSampler, TrainingSample
from vrm_synth.train.data.source import BadRowError, Credit, DataSource
from vrm_synth.train.data.table_source import TableSource, open_source
from vrm_synth.train.latents.latent_cache import LatentCache
from vrm_synth.train.latents.loader import DecodedSample, EncodedSample, Encoder, LatentLoader
from vrm_synth.train.latents.prepare import Marks, encode_all, needed, samples_of

NAMED = 1000  # rows of one source too small for their bucket that are named; all are counted
MOST_THREADS = 8
# of a source's configuration: what its samples do not follow from (its rows' manifest stands for the path)
_NO_MATTER = {"path", "split", "license", "attribution"}


@dataclass(frozen=True)
class Batch:
    """The samples of one step, or one rank's part of them. Tensors are on the CPU.

    step: its number. size: (width, height) in pixels, of the whole global batch, hence one graph.
    numbers: each sample's place in the whole run, step × global batch + j: the key of all its randomness, the same
    for any number of ranks. keys: "source/row's name", for the order's log.
    captions: mirrored, shuffled, dropped ("") as the configuration has it.
    moments: (n, 2 × channels, h, w) float32, see Encoder. masks: (n, 1, h, w) float32, the share of figure in each
    latent's pixels, from the render's exact mask or the picture's alpha; 1 where the picture has neither.
    """

    step: int
    size: tuple[int, int]
    numbers: tuple[int, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    moments: torch.Tensor
    masks: torch.Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def split(self, parts: int) -> tuple[Batch, ...]:
        """As many equal parts, in order: the micro-batches of an accumulated step. Raises ValueError where they
        would not be equal."""
        size, left = divmod(len(self), parts)
        if left:
            raise ValueError(f"{len(self)} samples do not make {parts} equal parts")
        return tuple(self._part(slice(i * size, (i + 1) * size)) for i in range(parts))

    def _part(self, part: slice) -> Batch:
        return replace(
            self,
            numbers=self.numbers[part],
            keys=self.keys[part],
            captions=self.captions[part],
            moments=self.moments[part],
            masks=self.masks[part],
        )


class StepData:
    """The run's samples. Nothing in it depends on history but the cache, which never changes a result.

    sources: in the configuration's order; folder: of latents; the rest as `open_data` has it.
    """

    def __init__(
        self,
        config: DataConfig,
        sources: Sequence[DataSource],
        encoder: Encoder,
        folder: Path,
        quarantine: Quarantine,
        *,
        seed: int,
        batch: int,
        count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
        most_tokens: int = 77,
    ):
        self._config, self._seed, self._batch, self._encoder = config, seed, batch, encoder
        self._sources, self._quarantine = sources, quarantine
        self._names = [source_name(s) for s in config.sources]
        count_tokens = None if config.overlong == "truncate" else count_tokens
        self._token_limit = None if count_tokens is None else most_tokens
        self._rows = sort(sources, [s.weight for s in config.sources], config.size, config.buckets, batch)
        self._report_left_out()
        self._sampler = RowSampler(
            config, sources, self._rows, quarantine, seed, batch, count_tokens, most_tokens=most_tokens
        )
        self._cache = LatentCache(folder)
        self._marks = Marks(folder / "prepared")
        self._darkroom = LatentLoader(config, sources, encoder, self._cache)
        self._needed = lru_cache(1)(self._all_needed)

    @property
    def manifest(self) -> str:
        """SHA-256 of all that the samples follow from: configuration, seed, batch, VAE and every source's manifest.
        A checkpoint keeps it; another one at resume means other data. Where files lie does not matter; what their
        sources are called does."""
        told = self._config.model_dump(mode="json", exclude={"cache": True, "sources": {"__all__": _NO_MATTER}})
        rows = [s.credit.manifest for s in self._sources]
        parts = [told, self._names, rows, self._seed, self._batch, self._encoder.identity, self._token_limit]
        return hashlib.sha256(to_json(parts).encode()).hexdigest()

    @property
    def credits(self) -> Sequence[Credit]:
        """The sources for the ledger, in the configuration's order."""
        return [source.credit for source in self._sources]

    @property
    def sizes(self) -> Sequence[Size]:
        """(width, height) of every bucket that steps may have, at most six: what to probe and compile for."""
        return self._rows.buckets

    @property
    def epoch_steps(self) -> float:
        """Steps in which as many samples are drawn as there are pictures: one pass, where one source is not mixed."""
        return float(self._rows.counts.sum()) / self._batch

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Reason → rows left out so far, at indexing and since."""
        return dict(self._quarantine.counts)

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Step's samples; of several ranks each gets a contiguous slice. What the cache lacks is encoded now.

        Raises DatasetError where a sample's substitutes are all broken, ValueError where world does not divide the
        global batch."""
        return self._finish(step, self._read(step, rank, world))

    def batches(self, steps: range, rank: int = 0, world: int = 1, ahead: int = 2) -> Iterator[Batch]:
        """The same for many steps, files read ahead by a thread; encoding is done in the caller's own."""
        reading: deque[tuple[int, Future[list[EncodedSample | DecodedSample]]]] = deque()
        thread = ThreadPoolExecutor(1, "read-ahead")
        try:
            for step in steps:
                reading.append((step, thread.submit(self._read, step, rank, world)))
                if len(reading) > ahead:
                    first, read = reading.popleft()
                    yield self._finish(first, read.result())
            for first, read in reading:
                yield self._finish(first, read.result())
        finally:
            thread.shutdown(wait=True, cancel_futures=True)

    def work(self, steps: range, rank: int = 0, world: int = 1) -> int:
        """How many latents `prepare` would go through: the total of its bar; 0 where it has been done."""
        return 0 if self._prepared(steps, rank, world) else sum(map(len, self._needed(steps, rank, world)))

    def prepare(
        self, steps: range, rank: int = 0, world: int = 1, done: Callable[[int], object] = lambda n: None
    ) -> None:
        """Encode what these steps draw and the cache lacks, in the order of the files; ranks share the work, and
        meet after it (that is the caller's barrier; `refresh` then). done: called with numbers gone through."""
        if self._prepared(steps, rank, world):
            return
        samples = samples_of(self._sampler, self._needed(steps, rank, world))
        threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
        encode_all(self._darkroom, self._sampler, samples, threads, done)
        self._cache.flush()
        self._marks.set(self.manifest, steps, (rank, world))
        self._needed.cache_clear()

    def refresh(self) -> None:
        """See the latents that other ranks have written since."""
        self._cache.refresh()

    def close(self) -> None:
        """Write what of the cache is still in memory; let go of files."""
        self._cache.flush()
        for source in self._sources:
            source.close()

    def _all_needed(self, steps: range, rank: int, world: int) -> list[NDArray[np.int64]]:
        numbers = range(steps.start * self._batch, steps.stop * self._batch)
        return needed(self._sampler, numbers, (rank, world))

    def _prepared(self, steps: range, rank: int, world: int) -> bool:
        return self._marks.covers(self.manifest, steps, (rank, world))

    # ------------------------------------------------------------ one step

    def _read(self, step: int, rank: int, world: int) -> list[EncodedSample | DecodedSample]:
        size, left = divmod(self._batch, world)
        if left or not 0 <= rank < world or step < 0:
            raise ValueError(f"no part {rank} of {world} of a batch of {self._batch}, step {step}")
        first = step * self._batch + rank * size
        return [self._load(sample) for sample in self._sampler.samples(np.arange(first, first + size))]

    def _load(self, sample: TrainingSample) -> EncodedSample | DecodedSample:
        while True:
            try:
                return self._darkroom.load(sample)
            except BadRowError as e:
                sample = self._sampler.substitute(sample, e)

    def _finish(self, step: int, read: list[EncodedSample | DecodedSample]) -> Batch:
        """Encode what is raw, over and over where latents turn out broken and others take their place."""
        while raws := [(i, r) for i, r in enumerate(read) if isinstance(r, DecodedSample)]:
            for (i, raw), made in zip(raws, self._darkroom.develop([r for _, r in raws]), strict=True):
                if isinstance(made, BadRowError):
                    read[i] = self._load(self._sampler.substitute(raw.sample, made))
                else:
                    read[i] = made
        done = [r for r in read if isinstance(r, EncodedSample)]
        masks = torch.stack([d.latent.mask for d in done]).unsqueeze(1)
        return Batch(
            step=step,
            size=done[0].sample.size,
            numbers=tuple(d.sample.number for d in done),
            keys=tuple(self._sampler.key(d.sample) for d in done),
            captions=tuple(d.sample.caption for d in done),
            moments=torch.stack([d.latent.moments for d in done]).float(),
            masks=masks.float().div(255.0),
        )

    def _report_left_out(self) -> None:
        for name, source, small in zip(self._names, self._sources, self._rows.small, strict=True):
            if isinstance(source, TableSource):
                for key, reason, detail in source.left_out:
                    self._quarantine.add(name, key, reason, detail)
                self._quarantine.more(source.left_out_unnamed)
            for row in small[:NAMED]:
                self._quarantine.add(name, source.key(int(row)), "picture is too small", "less than half its bucket")
            self._quarantine.more({"picture is too small": max(0, len(small) - NAMED)})
            if len(small) == len(source):
                what = f"no picture is large enough for {self._config.size}×{self._config.size}"
                raise DatasetError(what, allowed="at least half of it each way", where=name)


def open_data(
    config: DataConfig,
    encoder: Encoder,
    *,
    seed: int,
    batch: int,
    cache: Path,
    quarantine: Path | None = None,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    most_tokens: int = 77,
    found: Callable[[int], object] = lambda n: None,
) -> StepData:
    """Open the sources, indexing those that are new or changed, and the cache.

    batch: the global batch, of all ranks and accumulated steps. cache: for tables and latents, unless the
    configuration names a folder. quarantine: a .jsonl that gets one line for each row left out.
    count_tokens: captions → tokens each, start and end included; without it no caption is overlong.
    found: called with numbers of samples that indexing has looked at. Raises DatasetError."""
    folder = Path(config.cache) if config.cache is not None else cache
    sources = [open_source(s, folder / "tables", found) for s in config.sources]
    return StepData(
        config,
        sources,
        encoder,
        folder,
        Quarantine(quarantine),
        seed=seed,
        batch=batch,
        count_tokens=count_tokens,
        most_tokens=most_tokens,
    )
