"""Latent cache: the VAE's moments of pictures, keyed by everything that they follow from.

    CACHE/latents/<hash>.safetensors      shards (latent_shard.py): latent digest → latent, file fingerprint → picture's
                                          SHA-256
    CACHE/latents/index.json, <hash>.npy  index: digest or fingerprint → shard and row (latent_index.py); rebuilt where
                                          missing

Three hashes:
    file fingerprint  of where a picture lies and of its file's size, inode and times, made without reading it
    picture SHA-256   of the encoded picture, its mask and the decoder's version (both: table_source.py)
    latent digest     of picture SHA-256 and LatentKey: what a latent is stored under

An unchanged picture is recognized by its file fingerprint, without being read. Any other is read and hashed, and its
latent found by that hash or encoded. A damaged shard is renamed to .bad and its latents are encoded again. Several
processes may write to one cache: a shard's name is the hash of its contents.
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
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.latents.latent_index import LatentIndex, ShardRow
from vrm_synth.training.latents.latent_shard import Latent, LatentShard, pack

SHARD_BYTES = 64 << 20  # of moments, about: 1,000 pictures of 512² in half precision
MAX_OPEN_SHARDS = 4096  # memory-mapped
STALE_SECONDS = 24 * 3600  # age of an unfinished file at which it is removed
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class LatentKey:
    """Everything that a latent follows from, beside the picture.

    variant: what was done to the pixels: "on #ffffff" (the background), "on #ffffff, mirrored".
    encoder: Encoder.identity.
    size: (width, height) in pixels of the bucket.
    crop: part of the picture: "centre" for a center crop, "whole" for a padded picture.
    dtype: of the cached moments, a key of DTYPES.
    """

    variant: str
    encoder: str
    size: Size
    crop: str
    dtype: str

    def latent_digest(self, picture_sha256: bytes) -> bytes:
        """Hash of this key and a picture, 16 bytes, by which the cache finds the picture's latent."""
        inputs = [picture_sha256.hex(), self.variant, self.encoder, list(self.size), self.crop, self.dtype]
        return hashlib.sha256(to_json(inputs).encode()).digest()[:16]


class LatentCache:
    """A folder of cached latents. Safe among threads. Raises DatasetError where it cannot be written.

    folder: the cache folder, of which it uses latents/.

    Attributes:
    damaged: number of shards that this process has set aside.
    """

    def __init__(self, folder: Path):
        self._folder = folder / "latents"
        make_folder(self._folder)
        _remove_stale_files(self._folder)
        self.damaged = 0
        self._lock = threading.RLock()
        # Not written yet: latents by (shape and dtype) and digest, and by digest alone; pictures' SHA-256.
        self._pending_by_shape: dict[tuple[object, ...], dict[bytes, Latent]] = defaultdict(dict)
        self._pending: dict[bytes, Latent] = {}
        self._sha256_by_fingerprint: dict[bytes, bytes] = {}
        self._open = lru_cache(MAX_OPEN_SHARDS)(self._open_shard)
        self._index = LatentIndex(self._folder, self._read_prefixes)

    def get_picture_sha256(self, file_fingerprint: bytes) -> bytes | None:
        """SHA-256 of a picture, 32 bytes, by its file fingerprint; None where it is not known."""
        with self._lock:
            if file_fingerprint in self._sha256_by_fingerprint:
                return self._sha256_by_fingerprint[file_fingerprint]
        for shard, location in self._candidates(file_fingerprint):
            picture_sha256 = shard.picture_sha256(location.row, file_fingerprint)
            if picture_sha256 is not None:
                return picture_sha256
        return None

    def get_latent(self, picture_sha256: bytes, key: LatentKey) -> Latent | None:
        """The latent of a picture; None where it is not cached."""
        latent_digest = key.latent_digest(picture_sha256)
        with self._lock:
            if latent_digest in self._pending:
                return self._pending[latent_digest]
        for shard, location in self._candidates(latent_digest):
            if shard.has_latent(location.row, latent_digest):
                try:
                    return shard.latent(location.row)
                except DatasetError:
                    self._set_aside(location.shard)
        return None

    def put_picture_sha256(self, file_fingerprint: bytes, picture_sha256: bytes) -> None:
        """Remember the SHA-256 of the picture with this file fingerprint."""
        with self._lock:
            self._sha256_by_fingerprint[file_fingerprint] = picture_sha256

    def put_latent(self, picture_sha256: bytes, key: LatentKey, latent: Latent) -> None:
        """Cache a latent; it is written when a shard is full, or by `flush`."""
        latent_digest = key.latent_digest(picture_sha256)
        shape = (*latent.moments.shape, latent.moments.dtype)
        with self._lock:
            self._pending[latent_digest] = self._pending_by_shape[shape][latent_digest] = latent
            if (
                len(self._pending_by_shape[shape]) * latent.moments.numel() * latent.moments.element_size()
                >= SHARD_BYTES
            ):
                self._write(self._pending_by_shape.pop(shape))

    def flush(self) -> None:
        """Write the latents and fingerprints that are still in memory, and the index."""
        with self._lock:
            while self._pending_by_shape:
                self._write(self._pending_by_shape.popitem()[1])
            if self._sha256_by_fingerprint:
                self._write({})
            self._index.save()

    def refresh(self) -> None:
        """See the shards that other processes have written since."""
        with self._lock:
            self._index.refresh()

    def _write(self, latents: dict[bytes, Latent]) -> None:
        name, data = pack(latents, self._sha256_by_fingerprint)
        write_file(self._folder / name, data)
        prefixes = self._read_prefixes(name)
        if prefixes is not None:
            self._index.add(name, *prefixes)
        for latent_digest in latents:
            del self._pending[latent_digest]
        self._sha256_by_fingerprint.clear()

    def _candidates(self, digest_or_fingerprint: bytes) -> list[tuple[LatentShard, ShardRow]]:
        """Rows that may have this latent digest or file fingerprint: the index knows the first bytes alone."""
        with self._lock:
            locations = self._index.find(digest_or_fingerprint)
        return [(shard, location) for location in locations if (shard := self._shard(location.shard)) is not None]

    def _shard(self, name: str) -> LatentShard | None:
        try:
            return self._open(name)
        except FileNotFoundError:  # removed by hand, or set aside by another process
            with self._lock:
                self._index.remove(name)
        except DatasetError:
            self._set_aside(name)
        return None

    def _open_shard(self, name: str) -> LatentShard:
        return LatentShard(self._folder / name)

    def _read_prefixes(self, name: str) -> tuple[NDArray[np.uint64], NDArray[np.uint64]] | None:
        """First bytes of a shard's latent digests and file fingerprints, for the index; None where it is gone, or
        damaged and now set aside."""
        try:
            return LatentShard(self._folder / name).prefixes()
        except FileNotFoundError:
            return None
        except DatasetError:
            self._rename(name)
            return None

    def _set_aside(self, name: str) -> None:
        with self._lock:
            self._rename(name)
            self._open.cache_clear()
            self._index.remove(name)

    def _rename(self, name: str) -> None:
        path = self._folder / name
        if path.exists():  # or another process was first
            with file_errors(path, "set aside"):
                path.replace(path.with_suffix(".bad"))
            self.damaged += 1


def _remove_stale_files(folder: Path) -> None:
    """Remove unfinished files that killed processes left: they may be as large as an index."""
    now = time.time()
    for path in folder.glob(".*.part"):
        with file_errors(path, "removed"), contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
