"""Dataset of training batches: batch s is a pure function of (configuration, seed, s), whatever ran before.

    data = open_training_dataset(config, encoder, seed=1, batch_size=48, cache=run / "cache")
    steps = range(start, stop)
    data.prepare(steps, on_prepared=bar.update)   # optional: encode everything these steps draw, in the files' order
    for batch in data.batches(steps, rank, world_size):
        for micro_batch in batch.split(accumulation):
            ...

A row that turns out broken is left out and another drawn in its place, by the sample's number and the row's own state
alone: every rank, and every run on the same data, draws the same.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.training.data.bucket_rows import sort_into_buckets
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.data.data_config import DataConfig, source_name
from vrm_synth.training.data.quarantine import Quarantine
from vrm_synth.training.data.row_sampler import RowSampler, TrainingSample
from vrm_synth.training.data.source import BadRowError, Credit, DataSource
from vrm_synth.training.data.table_source import TableSource, open_source
from vrm_synth.training.data.training_batch import TrainingBatch
from vrm_synth.training.latents.latent_cache import LatentCache
from vrm_synth.training.latents.latent_loader import DecodedSample, EncodedSample, Encoder, LatentLoader
from vrm_synth.training.latents.prepare_latents import PreparedSteps, encode_all, needed_latents, samples_to_encode

MAX_NAMED = 1000  # rows of one source too small for their bucket that are named; all are counted
MAX_THREADS = 8
# Settings of a source that its samples do not follow from: the rows' manifest stands for path and split.
_NOT_IN_MANIFEST = {"path", "split", "license", "attribution"}


class TrainingDataset:
    """Batches of training samples, by step. Nothing depends on history but the cache, which never changes a result.

    config: of the data.
    sources: in the configuration's order.
    encoder: the VAE's.
    folder: of the latent cache.
    quarantine, seed, batch_size, count_tokens, max_tokens: see `open_training_dataset`.
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
        batch_size: int,
        count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
        max_tokens: int = 77,
    ):
        self._config, self._seed, self._batch_size, self._encoder = config, seed, batch_size, encoder
        self._sources, self._quarantine = sources, quarantine
        self._source_names = [source_name(s) for s in config.sources]
        count_tokens = None if config.overlong == "truncate" else count_tokens
        self._token_limit = None if count_tokens is None else max_tokens
        weights = [s.weight for s in config.sources]
        self._rows = sort_into_buckets(sources, weights, config.size, config.buckets, batch_size)
        self._quarantine_unusable()
        self._sampler = RowSampler(
            config, sources, self._rows, quarantine, seed, batch_size, count_tokens, max_tokens=max_tokens
        )
        self._cache = LatentCache(folder)
        self._prepared_steps = PreparedSteps(folder / "prepared")
        self._loader = LatentLoader(config, sources, encoder, self._cache)
        self._needed = lru_cache(1)(self._needed_latents)

    @property
    def manifest(self) -> str:
        """SHA-256 of everything that the samples follow from: configuration, seed, batch size, VAE and each source's
        manifest.

        A checkpoint keeps it; a different one at resume means different data. Where files lie does not matter, the
        sources' names do.
        """
        exclude: Any = {"cache": True, "sources": {"__all__": _NOT_IN_MANIFEST}}
        settings = self._config.model_dump(mode="json", exclude=exclude)
        manifests = [s.credit.manifest for s in self._sources]
        identity = self._encoder.identity
        inputs = [settings, self._source_names, manifests, self._seed, self._batch_size, identity, self._token_limit]
        return hashlib.sha256(to_json(inputs).encode()).hexdigest()

    @property
    def credits(self) -> Sequence[Credit]:
        """Ledger entries of the sources, in the configuration's order."""
        return [source.credit for source in self._sources]

    @property
    def sizes(self) -> Sequence[Size]:
        """(width, height) in pixels of each bucket, six at most."""
        return self._rows.buckets

    @property
    def epoch_steps(self) -> float:
        """Steps in which as many samples are drawn as there are pictures: one epoch, where there is one source."""
        return float(self._rows.counts.sum()) / self._batch_size

    @property
    def quarantined(self) -> Mapping[str, int]:
        """Reason → rows left out so far, while indexing and since."""
        return dict(self._quarantine.counts)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> TrainingBatch:
        """The samples of a step; each rank gets a contiguous slice. What the cache lacks is encoded now.

        Raises DatasetError where all substitutes of a sample are broken, ValueError where world_size does not divide
        the batch.
        """
        return self._encode(step, self._load_step(step, rank, world_size))

    def batches(self, steps: range, rank: int = 0, world_size: int = 1, ahead: int = 2) -> Iterator[TrainingBatch]:
        """`batch` for many steps; a thread reads files up to `ahead` steps ahead, the caller's thread encodes."""
        loading: deque[tuple[int, Future[list[EncodedSample | DecodedSample]]]] = deque()
        thread = ThreadPoolExecutor(1, "read-ahead")
        try:
            for step in steps:
                loading.append((step, thread.submit(self._load_step, step, rank, world_size)))
                if len(loading) > ahead:
                    first, loaded = loading.popleft()
                    yield self._encode(first, loaded.result())
            for first, loaded in loading:
                yield self._encode(first, loaded.result())
        finally:
            thread.shutdown(wait=True, cancel_futures=True)

    def count_to_prepare(self, steps: range, rank: int = 0, world_size: int = 1) -> int:
        """Number of latents that `prepare` would go through; 0 where these steps are prepared already."""
        if self._is_prepared(steps, rank, world_size):
            return 0
        return sum(map(len, self._needed(steps, rank, world_size)))

    def prepare(
        self, steps: range, rank: int = 0, world_size: int = 1, on_prepared: Callable[[int], object] = lambda n: None
    ) -> None:
        """Encode what these steps draw and the cache lacks, in the files' order; ranks share the work.

        Ranks have to wait for one another afterwards, which is up to the caller, and then `refresh`.
        on_prepared: called with counts of latents gone through.
        """
        if self._is_prepared(steps, rank, world_size):
            return
        samples = samples_to_encode(self._sampler, self._needed(steps, rank, world_size))
        threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
        encode_all(self._loader, self._sampler, samples, threads, on_prepared)
        self._cache.flush()
        self._prepared_steps.add(self.manifest, steps, (rank, world_size))
        self._needed.cache_clear()

    def refresh(self) -> None:
        """See the latents that other ranks have written since."""
        self._cache.refresh()

    def close(self) -> None:
        """Write the latents that are still in memory; close files."""
        self._cache.flush()
        for source in self._sources:
            source.close()

    def _needed_latents(self, steps: range, rank: int, world_size: int) -> list[NDArray[np.int64]]:
        sample_numbers = range(steps.start * self._batch_size, steps.stop * self._batch_size)
        return needed_latents(self._sampler, sample_numbers, (rank, world_size))

    def _is_prepared(self, steps: range, rank: int, world_size: int) -> bool:
        return self._prepared_steps.covers(self.manifest, steps, (rank, world_size))

    # ------------------------------------------------------------ one step

    def _load_step(self, step: int, rank: int, world_size: int) -> list[EncodedSample | DecodedSample]:
        size, left = divmod(self._batch_size, world_size)
        if left or not 0 <= rank < world_size or step < 0:
            raise ValueError(f"no part {rank} of {world_size} of a batch of {self._batch_size}, step {step}")
        first = step * self._batch_size + rank * size
        return [self._load(sample) for sample in self._sampler.samples(np.arange(first, first + size))]

    def _load(self, sample: TrainingSample) -> EncodedSample | DecodedSample:
        """Load a sample, or the first of its substitutes that is not broken."""
        while True:
            try:
                return self._loader.load(sample)
            except BadRowError as e:
                sample = self._sampler.substitute(sample, e)

    def _encode(self, step: int, loaded: list[EncodedSample | DecodedSample]) -> TrainingBatch:
        """Encode the samples without latents, repeatedly where latents turn out broken and substitutes replace them."""
        while decoded := [(i, d) for i, d in enumerate(loaded) if isinstance(d, DecodedSample)]:
            results = self._loader.encode_latents([d for _, d in decoded])
            for (i, d), result in zip(decoded, results, strict=True):
                if isinstance(result, BadRowError):
                    loaded[i] = self._load(self._sampler.substitute(d.sample, result))
                else:
                    loaded[i] = result
        encoded = [e for e in loaded if isinstance(e, EncodedSample)]
        masks = torch.stack([e.latent.mask for e in encoded]).unsqueeze(1)
        return TrainingBatch(
            step=step,
            size=encoded[0].sample.size,
            sample_numbers=tuple(e.sample.number for e in encoded),
            keys=tuple(self._sampler.key(e.sample) for e in encoded),
            captions=tuple(e.sample.caption for e in encoded),
            moments=torch.stack([e.latent.moments for e in encoded]).float(),
            masks=masks.float().div(255.0),
        )

    def _quarantine_unusable(self) -> None:
        """Record the rows that indexing left out, and those too small for their bucket. Raises DatasetError where a
        source has no others."""
        for name, source, small in zip(self._source_names, self._sources, self._rows.small, strict=True):
            if isinstance(source, TableSource):
                for key, reason, detail in source.left_out:
                    self._quarantine.add(name, key, reason, detail)
                self._quarantine.add_counts(source.left_out_unnamed)
            for row in small[:MAX_NAMED]:
                key, detail = source.key(int(row)), "less than half its bucket"
                self._quarantine.add(name, key, "picture is too small", detail)
            self._quarantine.add_counts({"picture is too small": max(0, len(small) - MAX_NAMED)})
            if len(small) == len(source):
                what = f"no picture is large enough for {self._config.size}×{self._config.size}"
                raise DatasetError(what, allowed="at least half of it each way", where=name)


def open_training_dataset(
    config: DataConfig,
    encoder: Encoder,
    *,
    seed: int,
    batch_size: int,
    cache: Path,
    quarantine: Path | None = None,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
    max_tokens: int = 77,
    on_scanned: Callable[[int], object] = lambda n: None,
) -> TrainingDataset:
    """Open the cache and the sources, scanning those that are new or have changed.

    config: of the data.
    encoder: the VAE's.
    seed: of order, captions and mirroring.
    batch_size: samples a step, over all ranks and micro-batches.
    cache: folder for row tables and latents, unless the configuration names one.
    quarantine: a .jsonl that gets one line for each row left out.
    count_tokens: captions → tokens of each, start and end included; without it no caption is overlong.
    max_tokens: the text encoder's window.
    on_scanned: called with counts of samples scanned.

    Raises DatasetError.
    """
    folder = Path(config.cache) if config.cache is not None else cache
    sources = [open_source(s, folder / "tables", on_scanned) for s in config.sources]
    return TrainingDataset(
        config,
        sources,
        encoder,
        folder,
        Quarantine(quarantine),
        seed=seed,
        batch_size=batch_size,
        count_tokens=count_tokens,
        max_tokens=max_tokens,
    )
