"""Shard of the latent cache: a safetensors file of latents and fingerprints, never changed after it is written.

moments   (n, 2 × channels, h, w), all of one dtype
masks     (n, h, w) uint8
keys      (n, 16) uint8: LatentKey.latent_digest of each latent
sums      (n,) int64: CRC-32 of each latent's moments and mask
prints    (m, 16) uint8: file fingerprints of pictures
pictures  (m, 32) uint8: SHA-256 of those pictures
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
DIGEST_BYTES, SHA256_BYTES = 16, 32  # of latent digests and file fingerprints, and of pictures
_HASHED = ("keys", "prints", "pictures", "sums")


class Latent(NamedTuple):
    """A cached latent.

    moments: (2 × channels, h, w) in the cache's dtype, mean and log variance.
    mask: (h, w) uint8, share of figure in each latent's pixels × 255.
    """

    moments: torch.Tensor
    mask: torch.Tensor


def pack(latents: Mapping[bytes, Latent], fingerprints: Mapping[bytes, bytes]) -> tuple[str, bytes]:
    """Serialize a shard: (file name, bytes). The name is a hash of the contents.

    latents: latent digest → latent, all of one shape and dtype.
    fingerprints: file fingerprint → the picture's SHA-256.
    """
    values = list(latents.values())
    tensors = {
        "moments": torch.stack([x.moments for x in values]) if values else torch.empty(0, 0, 0, 0),
        "masks": torch.stack([x.mask for x in values]) if values else torch.empty(0, 0, 0, dtype=torch.uint8),
        "keys": _stack_bytes(list(latents), DIGEST_BYTES),
        "prints": _stack_bytes(list(fingerprints), DIGEST_BYTES),
        "pictures": _stack_bytes(list(fingerprints.values()), SHA256_BYTES),
        "sums": torch.tensor([_checksum(x) for x in values], dtype=torch.int64),
    }
    sha256 = _sha256(tensors)
    return f"{sha256[:32]}.safetensors", save(tensors, {"format": FORMAT, "sha256": sha256})


class LatentShard:
    """An open shard, memory-mapped. Raises FileNotFoundError, or DatasetError where it is damaged or another file."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._file = safe_open(str(path), framework="pt")
            names = set(self._file.keys())
            metadata = self._file.metadata() or {}
            if metadata.get("format") != FORMAT or names != {"moments", "masks", *_HASHED}:
                raise DatasetError("not a shard of latents", got=metadata.get("format"), allowed=FORMAT, where=path)
            self._slices = {n: self._file.get_slice(n) for n in names}
        except SafetensorError as e:
            raise DatasetError(f"shard of latents is damaged: {e}", where=path) from e
        self._sha256 = metadata.get("sha256")
        rows = {n: int(s.get_shape()[0]) for n, s in self._slices.items()}
        self._rows, self._fingerprint_count = rows["keys"], rows["prints"]
        latents_match = {rows[n] for n in ("moments", "masks", "sums")} == {self._rows}
        if not latents_match or rows["pictures"] != self._fingerprint_count:
            raise DatasetError("shard of latents is damaged", got=rows, where=path)

    def prefixes(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """First 8 bytes of the latent digests, (n,) uint64, and of the file fingerprints, (m,) uint64.

        Verifies the shard's hash; raises DatasetError.
        """
        tensors = {n: self._file.get_tensor(n) for n in _HASHED}
        if _sha256(tensors) != self._sha256:
            raise DatasetError("shard of latents is damaged", where=self._path)
        heads = (np.ascontiguousarray(tensors[n].numpy()[:, :8]) for n in ("keys", "prints"))
        latent_digests, fingerprints = (head.view("<u8")[:, 0] for head in heads)
        return latent_digests, fingerprints

    def has_latent(self, row: int, latent_digest: bytes) -> bool:
        """True where the row's latent has this digest."""
        return row < self._rows and _row_bytes(self._slices["keys"][row]) == latent_digest

    def picture_sha256(self, row: int, file_fingerprint: bytes) -> bytes | None:
        """SHA-256 of a row's picture; None where the row has another file fingerprint."""
        if row >= self._fingerprint_count or _row_bytes(self._slices["prints"][row]) != file_fingerprint:
            return None
        return _row_bytes(self._slices["pictures"][row])

    def latent(self, row: int) -> Latent:
        """Read a row's latent. Raises DatasetError where its bytes do not match their checksum."""
        latent = Latent(self._slices["moments"][row].clone(), self._slices["masks"][row].clone())
        if _checksum(latent) != int(self._slices["sums"][row]):
            raise DatasetError("shard of latents is damaged", got=f"row {row}", where=self._path)
        return latent


def _sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of a shard's small tensors."""
    digest = hashlib.sha256()
    for name in _HASHED:
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _stack_bytes(values: Sequence[bytes], size: int) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(b"".join(values), np.uint8).reshape(len(values), size).copy())


def _row_bytes(row: torch.Tensor) -> bytes:
    return bytes(row.numpy().tobytes())


def _checksum(latent: Latent) -> int:
    moments = latent.moments.contiguous().view(torch.uint8).numpy()
    return int(isal_zlib.crc32(latent.mask.contiguous().numpy(), isal_zlib.crc32(moments)))
