"""Prepare latents before training: encode what some steps draw and the cache lacks, in the order of the files."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrm_synth.io.atomic_files import make_folder, to_json, write_file
from vrm_synth.training.data.row_sampler import RowSampler, TrainingSample
from vrm_synth.training.data.source import BadRowError
from vrm_synth.training.latents.latent_loader import ENCODE_BATCH_SIZE, DecodedSample, EncodedSample, LatentLoader

READ_AHEAD = 4  # pictures read ahead by each thread
BUCKET_RADIX = 8  # a code's last digit in this base is the bucket; above the largest number of buckets
_CHUNK = 1 << 16  # samples drawn at once

Loaded = EncodedSample | DecodedSample | BadRowError


@dataclass(frozen=True)
class PreparedSteps:
    """Record of the steps that a cache is prepared for, by the data's manifest, so that a resumed run need not look.

    folder: where it is kept, one file for each manifest and rank.
    """

    folder: Path

    def covers(self, manifest: str, steps: range, rank_and_world_size: tuple[int, int]) -> bool:
        """True where these steps are prepared for a rank."""
        try:
            start, stop = json.loads(self._path(manifest, rank_and_world_size).read_bytes())
            return bool(start <= steps.start and steps.stop <= stop)
        except (OSError, ValueError, TypeError):
            return False

    def add(self, manifest: str, steps: range, rank_and_world_size: tuple[int, int]) -> None:
        """Record these steps as prepared for a rank."""
        make_folder(self.folder)
        write_file(self._path(manifest, rank_and_world_size), to_json([steps.start, steps.stop]).encode())

    def _path(self, manifest: str, rank_and_world_size: tuple[int, int]) -> Path:
        rank, world_size = rank_and_world_size
        return self.folder / f"{manifest[:32]}-{rank}-of-{world_size}.json"


def needed_latents(
    sampler: RowSampler, sample_numbers: range, rank_and_world_size: tuple[int, int]
) -> list[NDArray[np.int64]]:
    """Codes of the latents that some samples need, each once; of these a rank's share.

    sample_numbers: numbers of the samples in the run.
    rank_and_world_size: each rank gets its share.
    Returns for each source (m,) int64 codes, (row × 2 + mirrored) × BUCKET_RADIX + bucket, in the order of the rows.
    Eleven million of them are 88 MB.
    """
    by_source: list[list[NDArray[np.int64]]] = [[] for _ in range(sampler.source_count)]
    for start in range(sample_numbers.start, sample_numbers.stop, _CHUNK):
        rows = sampler.rows(np.arange(start, min(start + _CHUNK, sample_numbers.stop)))
        codes = (rows.row * 2 + rows.mirrored) * BUCKET_RADIX + rows.bucket
        for source, chunks in enumerate(by_source):
            chunks.append(np.unique(codes[rows.source == source]))
    rank, world_size = rank_and_world_size
    joined = [np.unique(np.concatenate(chunks)) for chunks in by_source]
    return [codes[len(codes) * rank // world_size : len(codes) * (rank + 1) // world_size] for codes in joined]


def samples_to_encode(sampler: RowSampler, codes: Sequence[NDArray[np.int64]]) -> Iterator[TrainingSample]:
    """A sample for each of the `needed_latents`, to be encoded: without a number (−1) and without a caption."""
    for source, source_codes in enumerate(codes):
        for code in source_codes:
            row_and_mirrored, bucket = divmod(int(code), BUCKET_RADIX)
            row, mirrored = divmod(row_and_mirrored, 2)
            yield TrainingSample(-1, source, row, sampler.buckets[bucket], 0, "", bool(mirrored))


def encode_all(
    loader: LatentLoader,
    sampler: RowSampler,
    samples: Iterable[TrainingSample],
    threads: int,
    on_prepared: Callable[[int], object],
) -> None:
    """Encode the samples' pictures that the cache lacks; broken ones are quarantined.

    threads: that read files; this one encodes.
    on_prepared: called with counts of samples gone through.
    """
    by_size: dict[tuple[int, int], list[DecodedSample]] = {}

    def encode(decoded: list[DecodedSample]) -> None:
        for d, result in zip(decoded, loader.encode_latents(decoded), strict=True):
            if isinstance(result, BadRowError):
                sampler.mark_broken(d.sample.source, d.sample.row, result)
        on_prepared(len(decoded))

    for sample, loaded in _load_ahead(loader, samples, threads):
        if isinstance(loaded, BadRowError):
            sampler.mark_broken(sample.source, sample.row, loaded)
        if not isinstance(loaded, DecodedSample):
            on_prepared(1)
            continue
        decoded = by_size.setdefault(sample.size, [])
        decoded.append(loaded)
        if len(decoded) == ENCODE_BATCH_SIZE:
            encode(by_size.pop(sample.size))
    for decoded in by_size.values():
        encode(decoded)


def _load_ahead(
    loader: LatentLoader, samples: Iterable[TrainingSample], threads: int
) -> Iterator[tuple[TrainingSample, Loaded]]:
    """Load samples in threads, and yield them in their order."""

    def load(sample: TrainingSample) -> Loaded:
        try:
            return loader.load(sample)
        except BadRowError as e:
            return e

    loading: deque[tuple[TrainingSample, Future[Loaded]]] = deque()
    pool = ThreadPoolExecutor(threads, "load")
    try:
        for sample in samples:
            loading.append((sample, pool.submit(load, sample)))
            if len(loading) > threads * READ_AHEAD:
                first, future = loading.popleft()
                yield first, future.result()
        for first, future in loading:
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
