"""Encoding ahead: all that some steps draw, in the order of the files rather than of the draws."""

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
from vrm_synth.train.data.sampler import RowSampler, TrainingSample
from vrm_synth.train.data.source import BadRowError
from vrm_synth.train.latents.loader import AT_ONCE, DecodedSample, LatentLoader

AHEAD = 4  # pictures read ahead by each thread
BUCKETS = 8  # room for a bucket's number in a code
_CHUNK = 1 << 16  # sample numbers looked at together


@dataclass(frozen=True)
class Marks:
    """Which steps a cache has been prepared for, by the data's manifest: so that a resume need not look again."""

    folder: Path

    def covers(self, manifest: str, steps: range, part: tuple[int, int]) -> bool:
        """Whether this part (rank, world) of these steps has been gone through."""
        try:
            start, stop = json.loads(self._path(manifest, part).read_bytes())
            return bool(start <= steps.start and steps.stop <= stop)
        except (OSError, ValueError, TypeError):
            return False

    def set(self, manifest: str, steps: range, part: tuple[int, int]) -> None:
        """It has."""
        make_folder(self.folder)
        write_file(self._path(manifest, part), to_json([steps.start, steps.stop]).encode())

    def _path(self, manifest: str, part: tuple[int, int]) -> Path:
        return self.folder / f"{manifest[:32]}-{part[0]}-of-{part[1]}.json"


def needed(sampler: RowSampler, numbers: range, part: tuple[int, int]) -> list[NDArray[np.int64]]:
    """What these sample numbers need, once each: by source the (m,) codes of rows, variants and buckets, in the
    order of the rows; of part (rank, world) its share. Eleven million of them are 88 MB."""
    found: list[list[NDArray[np.int64]]] = [[] for _ in range(sampler.sources)]
    for start in range(numbers.start, numbers.stop, _CHUNK):
        several = np.arange(start, min(start + _CHUNK, numbers.stop))
        rows = sampler.rows(several)
        codes = (rows.row * 2 + rows.mirrored) * BUCKETS + rows.bucket
        for source, parts in enumerate(found):
            parts.append(np.unique(codes[rows.source == source]))
    rank, world = part
    joined = [np.unique(np.concatenate(parts)) for parts in found]
    return [codes[len(codes) * rank // world : len(codes) * (rank + 1) // world] for codes in joined]


def samples_of(sampler: RowSampler, codes: Sequence[NDArray[np.int64]]) -> Iterator[TrainingSample]:
    """One sample for each of the codes, for the darkroom: of no number and without caption."""
    for source, several in enumerate(codes):
        for code in several:
            left, bucket = divmod(int(code), BUCKETS)
            yield TrainingSample(-1, source, left // 2, sampler.buckets[bucket], 0, "", bool(left % 2))


def encode_all(
    darkroom: LatentLoader,
    sampler: RowSampler,
    samples: Iterable[TrainingSample],
    threads: int,
    done: Callable[[int], object],
) -> None:
    """Encode the samples' pictures that the cache lacks; broken ones are left out. done: called with numbers of
    samples gone through."""
    waiting: dict[tuple[int, int], list[DecodedSample]] = {}

    def develop(raws: list[DecodedSample]) -> None:
        for raw, made in zip(raws, darkroom.develop(raws), strict=True):
            if isinstance(made, BadRowError):
                sampler.leave_out(raw.sample.source, raw.sample.row, made)
        done(len(raws))

    for sample, loaded in _loaded(darkroom, samples, threads):
        if isinstance(loaded, BadRowError):
            sampler.leave_out(sample.source, sample.row, loaded)
        if not isinstance(loaded, DecodedSample):
            done(1)
            continue
        raws = waiting.setdefault(sample.size, [])
        raws.append(loaded)
        if len(raws) == AT_ONCE:
            develop(waiting.pop(sample.size))
    for raws in waiting.values():
        develop(raws)


def _loaded(
    darkroom: LatentLoader, samples: Iterable[TrainingSample], threads: int
) -> Iterator[tuple[TrainingSample, object]]:
    """In the samples' order, read by threads."""

    def load(sample: TrainingSample) -> object:
        try:
            return darkroom.load(sample)
        except BadRowError as e:
            return e

    reading: deque[tuple[TrainingSample, Future[object]]] = deque()
    pool = ThreadPoolExecutor(threads, "read")
    try:
        for sample in samples:
            reading.append((sample, pool.submit(load, sample)))
            if len(reading) > threads * AHEAD:
                first, future = reading.popleft()
                yield first, future.result()
        for first, future in reading:
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
