"""The latent cache: what the VAE made of pictures, found by what it followed from.

    CACHE/latents/<hash>.safetensors   a shard: moments, masks, and for each row
                                       keys      16 bytes: hash of (picture, variant, VAE, size, crop, dtype)
                                       prints    16 bytes: the source's fingerprint of the unread picture
                                       pictures  32 bytes: SHA-256 of the picture
                                       sums      CRC-32 of the row's moments and mask
    CACHE/latents/index.json, <hash>.npy   where keys and prints are (latent_index.py); made anew where missing

A picture that has not been touched is known by its fingerprint, without being read; one that has is read, hashed
and found by its hash, or made again. Shards never change; a damaged one is set aside as .bad and its rows made
again. Several processes may write to one cache: shards bear their contents' hash as their name.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from isal import isal_zlib
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import make_folder, to_json, write_file
from vrm_synth.train.buckets import Size
from vrm_synth.train.latent_index import LatentIndex, Place

FORMAT = "vrm-synth latents 1"
SHARD_BYTES = 64 << 20  # of moments, about: 1,000 pictures of 512² in half precision
OPEN_SHARDS = 256
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class Making:
    """What a latent follows from beside the picture.

    variant: what was done to its pixels ("on ffffff", "on ffffff, mirrored"). encoder: Encoder.identity.
    size: (width, height) of the bucket. crop: which part ("centre"). dtype: that it is kept in, a key of DTYPES.
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


class Latent(NamedTuple):
    """moments: (2 × channels, h, w) in the cache's dtype. mask: (h, w) uint8, the share of figure × 255."""

    moments: torch.Tensor
    mask: torch.Tensor


class _Kept(NamedTuple):
    key: bytes
    print: bytes
    picture: bytes
    latent: Latent


class LatentCache:
    """A cache folder. Raises DatasetError where it cannot be written.

    damaged: shards set aside by this process. Methods may be called from several threads.
    """

    def __init__(self, folder: Path):
        self._folder = folder / "latents"
        make_folder(self._folder)
        self.damaged = 0
        self._lock = threading.RLock()
        self._pending: dict[bytes, _Kept] = {}
        self._printed: dict[bytes, bytes] = {}  # of the pending: print → picture
        self._open = lru_cache(OPEN_SHARDS)(self._open_shard)
        self._index = LatentIndex(self._folder, self._heads)

    def find(self, print_: bytes, making: Making) -> Latent | None:
        """The latent of an unread picture, by its source's fingerprint."""
        picture = self._picture(print_)
        return None if picture is None else self.find_picture(picture, making)

    def find_picture(self, picture: bytes, making: Making) -> Latent | None:
        """The latent of the picture with this SHA-256."""
        key = making.key(picture)
        with self._lock:
            if key in self._pending:
                return self._pending[key].latent
        for place in self._index.find(key):
            shard = self._shard(place)
            if shard is not None and shard.is_key(place.row, key):
                try:
                    return shard.latent(place.row)
                except DatasetError:
                    self._set_aside(place.shard)
        return None

    def keep(self, print_: bytes, picture: bytes, making: Making, latent: Latent) -> None:
        """Remember it; written when a shard is full, or by `flush`."""
        key = making.key(picture)
        with self._lock:
            self._pending[key] = _Kept(key, print_, picture, latent)
            self._printed[print_] = picture
            alike = [k for k in self._pending.values() if _shape(k.latent) == _shape(latent)]
            if sum(_weight(k.latent) for k in alike) >= SHARD_BYTES:
                self._write(alike)

    def flush(self) -> None:
        """Write what is still in memory, and the index."""
        with self._lock:
            while self._pending:
                shape = _shape(next(iter(self._pending.values())).latent)
                self._write([k for k in self._pending.values() if _shape(k.latent) == shape])
            self._index.save()

    def refresh(self) -> None:
        """See what other processes have written since."""
        with self._lock:
            self._index.refresh()

    # ------------------------------------------------------------ shards

    def _picture(self, print_: bytes) -> bytes | None:
        with self._lock:
            if print_ in self._printed:
                return self._printed[print_]
        for place in self._index.find(print_):
            shard = self._shard(place)
            if shard is not None and shard.is_print(place.row, print_):
                return shard.picture(place.row)
        return None

    def _shard(self, place: Place) -> _Shard | None:
        try:
            return self._open(place.shard)
        except FileNotFoundError:
            self._index.forget(place.shard)  # removed by hand, or set aside by another process
        except DatasetError:
            self._set_aside(place.shard)
        return None

    def _open_shard(self, name: str) -> _Shard:
        return _Shard(self._folder / name)

    def _heads(self, name: str) -> NDArray[np.uint64] | None:
        """For the index: (rows, 2) keys and prints of a shard, their first 8 bytes. None where it is damaged."""
        try:
            return _Shard(self._folder / name).heads()
        except FileNotFoundError:
            return None
        except DatasetError:
            self._set_aside(name)
            return None

    def _set_aside(self, name: str) -> None:
        with self._lock:
            self.damaged += 1
            path = self._folder / name
            if path.exists():
                path.replace(path.with_suffix(".bad"))
            self._open.cache_clear()
            if hasattr(self, "_index"):  # it asks for heads while it is made
                self._index.forget(name)

    def _write(self, rows: Sequence[_Kept]) -> None:
        tensors = {
            "moments": torch.stack([k.latent.moments for k in rows]),
            "masks": torch.stack([k.latent.mask for k in rows]),
            "keys": _bytes([k.key for k in rows]),
            "prints": _bytes([k.print for k in rows]),
            "pictures": _bytes([k.picture for k in rows]),
            "sums": torch.tensor([_sum(k.latent) for k in rows], dtype=torch.int64),
        }
        digest = _head_digest(tensors)
        name = f"{digest[:32]}.safetensors"
        write_file(self._folder / name, save(tensors, {"format": FORMAT, "sha256": digest}))
        heads = np.stack([_first_eight(tensors[n].numpy()) for n in ("keys", "prints")], axis=1)
        self._index.add(name, heads)
        for k in rows:
            del self._pending[k.key]
            self._printed.pop(k.print, None)


class _Shard:
    """An open shard, its head checked. Raises FileNotFoundError, or DatasetError where it is damaged."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._file = safe_open(str(path), framework="pt")
            metadata = self._file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise DatasetError("not a shard of latents", got=metadata.get("format"), allowed=FORMAT, where=path)
            self._slices = {n: self._file.get_slice(n) for n in ("moments", "masks", *_HEAD)}
            heads = {n: self._file.get_tensor(n) for n in _HEAD}
        except SafetensorError as e:
            raise DatasetError(f"shard of latents is damaged: {e}", where=path) from e
        rows = {int(s.get_shape()[0]) for s in self._slices.values()}
        if len(rows) != 1 or _head_digest(heads) != metadata.get("sha256"):
            raise DatasetError("shard of latents is damaged", where=path)
        self._keys, self._prints, self._pictures = (heads[n].numpy() for n in _HEAD[:3])
        self._sums = heads["sums"].tolist()

    def heads(self) -> NDArray[np.uint64]:
        """(rows, 2): the first 8 bytes of keys and prints."""
        return np.stack([_first_eight(self._keys), _first_eight(self._prints)], axis=1)

    def is_key(self, row: int, key: bytes) -> bool:
        return row < len(self._sums) and self._keys[row].tobytes() == key

    def is_print(self, row: int, print_: bytes) -> bool:
        return row < len(self._sums) and self._prints[row].tobytes() == print_

    def picture(self, row: int) -> bytes:
        return self._pictures[row].tobytes()

    def latent(self, row: int) -> Latent:
        """Raises DatasetError where its bytes are not those that were written."""
        found = Latent(self._slices["moments"][row], self._slices["masks"][row])
        if _sum(found) != self._sums[row]:
            raise DatasetError("shard of latents is damaged", got=f"row {row}", where=self._path)
        return found


_HEAD = ("keys", "prints", "pictures", "sums")


def _head_digest(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in _HEAD:
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _bytes(values: Sequence[bytes]) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1).copy())


def _first_eight(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes[:, :8]).view("<u8")[:, 0]


def _sum(latent: Latent) -> int:
    moments = latent.moments.contiguous().view(torch.uint8).numpy()
    return int(isal_zlib.crc32(latent.mask.contiguous().numpy(), isal_zlib.crc32(moments)))


def _shape(latent: Latent) -> tuple[object, ...]:
    return (*latent.moments.shape, latent.moments.dtype)


def _weight(latent: Latent) -> int:
    return latent.moments.numel() * latent.moments.element_size()
