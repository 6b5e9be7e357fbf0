"""One file of the latent cache: latents with their keys and checksums, and pictures' fingerprints. Never changed.

moments   (n, 2 × channels, h, w), all of one dtype
masks     (n, h, w) uint8
keys      (n, 16) uint8: hash of (picture, variant, VAE, size, crop, dtype)
sums      (n,) int64: CRC-32 of a row's moments and mask
prints    (m, 16) uint8: a source's fingerprint of an unread picture
pictures  (m, 32) uint8: that picture's SHA-256
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from isal import isal_zlib
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vrm_synth.core.errors import DatasetError

FORMAT = "vrm-synth latents 1"
HASH, PICTURE = 16, 32  # bytes of keys and prints, and of pictures
_HEAD = ("keys", "prints", "pictures", "sums")


class Latent(NamedTuple):
    """moments: (2 × channels, h, w) in the cache's dtype. mask: (h, w) uint8, the share of figure × 255."""

    moments: torch.Tensor
    mask: torch.Tensor


def pack(latents: Mapping[bytes, Latent], prints: Mapping[bytes, bytes]) -> tuple[str, bytes]:
    """Key → latent, all of one shape, and print → picture, as (name, bytes) of a shard: same contents, same name."""
    some = list(latents.values())
    tensors = {
        "moments": torch.stack([x.moments for x in some]) if some else torch.empty(0, 0, 0, 0),
        "masks": torch.stack([x.mask for x in some]) if some else torch.empty(0, 0, 0, dtype=torch.uint8),
        "keys": _bytes(list(latents), HASH),
        "prints": _bytes(list(prints), HASH),
        "pictures": _bytes(list(prints.values()), PICTURE),
        "sums": torch.tensor([_sum(x) for x in some], dtype=torch.int64),
    }
    digest = _digest(tensors)
    return f"{digest[:32]}.safetensors", save(tensors, {"format": FORMAT, "sha256": digest})


class Shard:
    """An open shard: mapped, nothing read. Raises FileNotFoundError, or DatasetError where it is none or cut."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._file = safe_open(str(path), framework="pt")
            names = set(self._file.keys())
            metadata = self._file.metadata() or {}
            if metadata.get("format") != FORMAT or names != {"moments", "masks", *_HEAD}:
                raise DatasetError("not a shard of latents", got=metadata.get("format"), allowed=FORMAT, where=path)
            self._slices = {n: self._file.get_slice(n) for n in names}
        except SafetensorError as e:
            raise DatasetError(f"shard of latents is damaged: {e}", where=path) from e
        self._sha256 = metadata.get("sha256")
        rows = {n: int(s.get_shape()[0]) for n, s in self._slices.items()}
        self._rows, self._prints = rows["keys"], rows["prints"]
        if {rows[n] for n in ("moments", "masks", "sums")} != {self._rows} or rows["pictures"] != self._prints:
            raise DatasetError("shard of latents is damaged", got=rows, where=path)

    def heads(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The first 8 bytes of the keys (n,) and of the prints (m,), all of them verified. Raises DatasetError."""
        head = {n: self._file.get_tensor(n) for n in _HEAD}
        if _digest(head) != self._sha256:
            raise DatasetError("shard of latents is damaged", where=self._path)
        keys, prints = (np.ascontiguousarray(head[n].numpy()[:, :8]).view("<u8")[:, 0] for n in ("keys", "prints"))
        return keys, prints

    def is_key(self, row: int, key: bytes) -> bool:
        """Whether a latent of this key is there."""
        return row < self._rows and _tobytes(self._slices["keys"][row]) == key

    def picture(self, row: int, print_: bytes) -> bytes | None:
        """The SHA-256 of the picture with this print; None where another's is there."""
        if row >= self._prints or _tobytes(self._slices["prints"][row]) != print_:
            return None
        return _tobytes(self._slices["pictures"][row])

    def latent(self, row: int) -> Latent:
        """Raises DatasetError where its bytes are not those that were written."""
        found = Latent(self._slices["moments"][row].clone(), self._slices["masks"][row].clone())
        if _sum(found) != int(self._slices["sums"][row]):
            raise DatasetError("shard of latents is damaged", got=f"row {row}", where=self._path)
        return found


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in _HEAD:
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _bytes(values: Sequence[bytes], size: int) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(b"".join(values), np.uint8).reshape(len(values), size).copy())


def _tobytes(row: torch.Tensor) -> bytes:
    return bytes(row.numpy().tobytes())


def _sum(latent: Latent) -> int:
    moments = latent.moments.contiguous().view(torch.uint8).numpy()
    return int(isal_zlib.crc32(latent.mask.contiguous().numpy(), isal_zlib.crc32(moments)))
