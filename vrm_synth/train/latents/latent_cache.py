"""The latent cache: what the VAE made of pictures, found by what it followed from.

    CACHE/latents/<hash>.safetensors       shards (latent_shard.py): latents by key, pictures' hashes by fingerprint
    CACHE/latents/index.json, <hash>.npy   in which shard a hash is (latent_index.py); made anew where missing

A picture that has not been touched is known by its fingerprint, without being read; one that has is read, hashed
and found by its hash, or made again. A damaged shard is set aside as .bad and its rows made again. Several
processes may write to one cache: shards bear their contents' hash as their name.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import file_errors, make_folder, to_json, write_file
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.latents.index import LatentIndex, ShardRow
from vrm_synth.train.latents.shard import Latent, Shard, pack

SHARD_BYTES = 64 << 20  # of moments, about: 1,000 pictures of 512² in half precision
OPEN_SHARDS = 4096  # mapped, not read
STALE = 24 * 3600  # seconds after which a file that was never finished is nobody's
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class LatentKey:
    """What a latent follows from beside the picture.

    variant: what was done to its pixels ("on #ffffff", "on #ffffff, mirrored"). encoder: Encoder.identity.
    size: (width, height) of the bucket. crop: which part ("centre", "whole"). dtype: a key of DTYPES.
    """

    variant: str
    encoder: str
    size: Size
    crop: str
    dtype: str

    def key(self, picture: bytes) -> bytes:
        """16 bytes, for the picture of this SHA-256."""
        parts = [picture.hex(), self.variant, self.encoder, list(self.size), self.crop, self.dtype]
        return hashlib.sha256(to_json(parts).encode()).digest()[:16]


class LatentCache:
    """A cache folder. Raises DatasetError where it cannot be written.

    damaged: shards set aside by this process. Methods may be called from several threads.
    """

    def __init__(self, folder: Path):
        self._folder = folder / "latents"
        make_folder(self._folder)
        _sweep(self._folder)
        self.damaged = 0
        self._lock = threading.RLock()
        # What is not written yet: latents by shape and dtype, and key; prints → pictures.
        self._pending: dict[tuple[object, ...], dict[bytes, Latent]] = defaultdict(dict)
        self._keys: dict[bytes, Latent] = {}
        self._prints: dict[bytes, bytes] = {}
        self._open = lru_cache(OPEN_SHARDS)(self._open_shard)
        self._index = LatentIndex(self._folder, self._heads)

    def picture(self, print_: bytes) -> bytes | None:
        """The SHA-256 of an unread picture, by its source's fingerprint."""
        with self._lock:
            if print_ in self._prints:
                return self._prints[print_]
        for shard, place in self._places(print_):
            picture = shard.picture(place.row, print_)
            if picture is not None:
                return picture
        return None

    def find(self, picture: bytes, making: LatentKey) -> Latent | None:
        """The latent of the picture with this SHA-256."""
        key = making.key(picture)
        with self._lock:
            if key in self._keys:
                return self._keys[key]
        for shard, place in self._places(key):
            if shard.is_key(place.row, key):
                try:
                    return shard.latent(place.row)
                except DatasetError:
                    self._set_aside(place.shard)
        return None

    def know(self, print_: bytes, picture: bytes) -> None:
        """The picture with this fingerprint has this SHA-256."""
        with self._lock:
            self._prints[print_] = picture

    def keep(self, picture: bytes, making: LatentKey, latent: Latent) -> None:
        """Remember it; written when a shard is full, or by `flush`."""
        key = making.key(picture)
        shape = (*latent.moments.shape, latent.moments.dtype)
        with self._lock:
            self._keys[key] = self._pending[shape][key] = latent
            if len(self._pending[shape]) * latent.moments.numel() * latent.moments.element_size() >= SHARD_BYTES:
                self._write(self._pending.pop(shape))

    def flush(self) -> None:
        """Write what is still in memory, and the index."""
        with self._lock:
            while self._pending:
                self._write(self._pending.popitem()[1])
            if self._prints:
                self._write({})
            self._index.save()

    def refresh(self) -> None:
        """See what other processes have written since."""
        with self._lock:
            self._index.refresh()

    def _write(self, latents: dict[bytes, Latent]) -> None:
        name, data = pack(latents, self._prints)
        write_file(self._folder / name, data)
        shard = self._heads(name)
        if shard is not None:
            self._index.add(name, *shard)
        for key in latents:
            del self._keys[key]
        self._prints.clear()

    def _places(self, hash_: bytes) -> list[tuple[Shard, ShardRow]]:
        with self._lock:
            places = self._index.find(hash_)
        return [(shard, place) for place in places if (shard := self._shard(place.shard)) is not None]

    def _shard(self, name: str) -> Shard | None:
        try:
            return self._open(name)
        except FileNotFoundError:  # removed by hand, or set aside by another process
            with self._lock:
                self._index.forget(name)
        except DatasetError:
            self._set_aside(name)
        return None

    def _open_shard(self, name: str) -> Shard:
        return Shard(self._folder / name)

    def _heads(self, name: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]] | None:
        """For the index: what a shard holds; None where there is none, or a damaged one, which is set aside."""
        try:
            return Shard(self._folder / name).heads()
        except FileNotFoundError:
            return None
        except DatasetError:
            self._rename(name)
            return None

    def _set_aside(self, name: str) -> None:
        with self._lock:
            self._rename(name)
            self._open.cache_clear()
            self._index.forget(name)

    def _rename(self, name: str) -> None:
        path = self._folder / name
        if path.exists():  # or another process was first
            with file_errors(path, "set aside"):
                path.replace(path.with_suffix(".bad"))
            self.damaged += 1


def _sweep(folder: Path) -> None:
    """Remove what killed processes left: as large as an index, and found by nobody."""
    now = time.time()
    for path in folder.glob(".*.part"):
        with file_errors(path, "removed"), contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > STALE:
                path.unlink()
