"""Index of the latent cache: latent digest or file fingerprint → shard and row. One sorted array, memory-mapped so that
millions cost no memory.

    index.json    {"array": <hash>.npy, "shards": [[name, bytes, mtime in ns], …]}; replaced whole
    <hash>.npy    (2, entries) uint64: first 8 bytes of digests and fingerprints, sorted; shard × 2^32 + row

Everything in it is in the shards, too: an index that is missing, old or damaged is rebuilt from them. A database would
need locks that network file systems do not keep; here the last writer wins, and others have to read a few shards again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrm_synth.io.atomic_files import file_errors, to_json, write_file

INDEX = "index.json"
MAX_UNMERGED = 1 << 18  # entries in memory before they are merged into the array
_ROW_BITS = 32
Prefixes = tuple[
    NDArray[np.uint64], NDArray[np.uint64]
]  # first 8 bytes of a shard's latent digests, and of its file fingerprints
FileStat = tuple[int, int]  # bytes, and mtime in ns, of a shard


class ShardRow(NamedTuple):
    """A row of a shard.

    shard: its file name.
    row: number of the row.
    """

    shard: str
    row: int


class LatentIndex:
    """Index of a folder of shards.

    folder: where shards and index lie.
    read_prefixes: shard's file name → first 8 bytes of its latent digests and of its file fingerprints, uint64;
        None where the shard cannot be used.
    """

    def __init__(self, folder: Path, read_prefixes: Callable[[str], Prefixes | None]):
        self._folder, self._read_prefixes = folder, read_prefixes
        self._shards: list[str] = []  # by number; "" where one is gone
        self._numbers: dict[str, int] = {}
        self._stats: dict[str, FileStat] = {}
        self._sorted: NDArray[np.uint64] = np.empty((2, 0), np.uint64)
        self._unmerged: dict[int, list[int]] = {}  # prefix → shard × 2^32 + row of each
        self._read()
        self.refresh()

    def find(self, digest_or_fingerprint: bytes) -> list[ShardRow]:
        """Rows that may have a latent digest or file fingerprint, newest first: only its first 8 bytes are compared."""
        prefix = int.from_bytes(digest_or_fingerprint[:8], "little")
        first, last = (int(np.searchsorted(self._sorted[0], np.uint64(prefix), side)) for side in ("left", "right"))
        packed = self._unmerged.get(prefix, [])[::-1] + self._sorted[1, first:last][::-1].tolist()
        rows = [(p >> _ROW_BITS, p & (1 << _ROW_BITS) - 1) for p in packed]
        return [ShardRow(self._shards[n], row) for n, row in rows if n < len(self._shards) and self._shards[n]]

    def add(self, name: str, *prefixes: NDArray[np.uint64]) -> None:
        """Add a new shard, with what `read_prefixes` returns for it."""
        stat = self._stat(name)
        if name in self._numbers or stat is None:
            return
        number = len(self._shards)
        self._shards.append(name)
        self._numbers[name], self._stats[name] = number, stat
        for array in prefixes:
            for row, prefix in enumerate(array.tolist()):
                self._unmerged.setdefault(prefix, []).append(number << _ROW_BITS | row)
        if len(self._unmerged) > MAX_UNMERGED:
            self.save()

    def remove(self, name: str) -> None:
        """Remove a shard that is gone."""
        number = self._numbers.pop(name, None)
        if number is not None:
            self._shards[number] = ""
            del self._stats[name]

    def refresh(self) -> None:
        """List the folder again: add new shards, remove those that are gone or changed."""
        with file_errors(self._folder, "read"):
            existing = sorted(p.name for p in self._folder.glob("*.safetensors") if not p.name.startswith("."))
        for name in set(self._numbers) - set(existing):
            self.remove(name)
        for name in existing:
            if name in self._numbers and self._stat(name) != self._stats[name]:
                self.remove(name)
            if name not in self._numbers:
                prefixes = self._read_prefixes(name)
                if prefixes is not None:
                    self.add(name, *prefixes)

    def save(self) -> None:
        """Merge the entries in memory into the array on disk."""
        if not self._unmerged and all(self._shards):
            return
        prefixes = np.fromiter((p for p, packed in self._unmerged.items() for _ in packed), np.uint64)
        packed_rows = np.fromiter((p for packed in self._unmerged.values() for p in packed), np.uint64)
        # Renumber the shards that are left, and keep their entries alone.
        left = [i for i, name in enumerate(self._shards) if name]
        number = np.zeros(len(self._shards), np.uint64)
        number[left] = np.arange(len(left), dtype=np.uint64)
        merged = np.concatenate([self._sorted, np.stack([prefixes, packed_rows])], axis=1)
        merged = merged[:, merged[1] >> np.uint64(_ROW_BITS) < len(self._shards)]  # all, unless the index is damaged
        shard = merged[1] >> np.uint64(_ROW_BITS)
        merged[1] = number[shard.astype(np.int64)] << np.uint64(_ROW_BITS) | merged[1] & np.uint64(0xFFFFFFFF)
        if len(left) < len(self._shards):
            merged = merged[:, np.isin(shard, np.array(left, np.uint64))]
        merged = merged[:, np.argsort(merged[0], kind="stable")]
        self._shards = [self._shards[i] for i in left]
        self._numbers = {name: i for i, name in enumerate(self._shards)}
        self._unmerged = {}
        self._write(merged)

    # ------------------------------------------------------------ on disk

    def _stat(self, name: str) -> FileStat | None:
        """Return size and modification time of a shard; None where it does not exist."""
        try:
            stat = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        return stat.st_size, stat.st_mtime_ns

    def _write(self, merged: NDArray[np.uint64]) -> None:
        name = f"{hashlib.sha256(merged.tobytes()).hexdigest()[:32]}.npy"
        path = self._folder / name
        temporary = self._folder / f".{name}.{secrets.token_hex(8)}.part"  # another process may write the same
        with file_errors(path, "written"):
            try:
                with temporary.open("wb") as f:
                    np.save(f, merged, allow_pickle=False)
                # Mapped before it gets its name: another process with a newer index may delete it at once.
                self._sorted = self._map(temporary.name)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        shards = [[s, *self._stats[s]] for s in self._shards]
        write_file(self._folder / INDEX, to_json({"array": name, "shards": shards}).encode())
        named = {name, *self._named_arrays()}  # index.json may be another process's by now
        for old in self._folder.glob("*.npy"):
            if old.name not in named:
                old.unlink(missing_ok=True)  # stays mapped where it is; a process that misses it rebuilds the index

    def _named_arrays(self) -> list[str]:
        try:
            return [str(json.loads((self._folder / INDEX).read_bytes())["array"])]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _map(self, name: str) -> NDArray[np.uint64]:
        mapped = np.load(self._folder / name, mmap_mode="r", allow_pickle=False)
        if mapped.dtype != np.uint64 or mapped.ndim != 2 or mapped.shape[0] != 2:
            raise ValueError("not an index")
        return np.asarray(mapped)

    def _read(self) -> None:
        try:
            value = json.loads((self._folder / INDEX).read_bytes())
            shards = [(str(name), (int(size), int(mtime))) for name, size, mtime in value["shards"]]
            name = str(value["array"])
            if Path(name).name != name:
                raise ValueError("not an index")
            self._sorted = self._map(name)
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            return  # none yet, or damaged: rebuilt from the shards
        self._shards = [name for name, _ in shards]
        self._numbers = {name: i for i, (name, _) in enumerate(shards)}
        self._stats = dict(shards)
