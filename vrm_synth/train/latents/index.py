"""Where in which shard a hash is: one sorted array, mapped from disk, so that millions cost no memory.

    index.json    {"array": <hash>.npy, "shards": [[name, bytes, mtime in ns], …]}; replaced whole
    <hash>.npy    (2, entries) uint64: the first 8 bytes of keys and prints, sorted; shard × 2^32 + row

Everything in it is in the shards' heads, too: an index that is missing, old or damaged is made from them. A
database would need locks that network file systems do not keep; here, whoever writes last only makes others look
at a few heads again.
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
LOOSE = 1 << 18  # entries that may be in memory only before they are merged into the array
_ROW_BITS = 32
Mark = tuple[int, int]  # bytes and mtime of a shard


class ShardRow(NamedTuple):
    """A shard's file name, and the row in it."""

    shard: str
    row: int


class LatentIndex:
    """The index of a folder of shards.

    heads: name → the first 8 bytes of a shard's keys and of its prints, uint64; None where it is no good.
    """

    def __init__(self, folder: Path, heads: Callable[[str], tuple[NDArray[np.uint64], NDArray[np.uint64]] | None]):
        self._folder, self._heads = folder, heads
        self._shards: list[str] = []  # by number; "" where one has gone
        self._numbers: dict[str, int] = {}
        self._marks: dict[str, Mark] = {}
        self._sorted: NDArray[np.uint64] = np.empty((2, 0), np.uint64)
        self._loose: dict[int, list[int]] = {}
        self._read()
        self.refresh()

    def find(self, hash_: bytes) -> list[ShardRow]:
        """Where a key or print may be; whoever asks compares the whole of it. Newest first."""
        head = int.from_bytes(hash_[:8], "little")
        first, last = (int(np.searchsorted(self._sorted[0], np.uint64(head), side)) for side in ("left", "right"))
        found = self._loose.get(head, [])[::-1] + self._sorted[1, first:last][::-1].tolist()
        known = [(w >> _ROW_BITS, w & (1 << _ROW_BITS) - 1) for w in found]
        return [ShardRow(self._shards[n], row) for n, row in known if n < len(self._shards) and self._shards[n]]

    def add(self, name: str, *heads: NDArray[np.uint64]) -> None:
        """A new shard, and what `heads` says of it."""
        mark = self._mark(name)
        if name in self._numbers or mark is None:
            return
        number = len(self._shards)
        self._shards.append(name)
        self._numbers[name], self._marks[name] = number, mark
        for several in heads:
            for row, head in enumerate(several.tolist()):
                self._loose.setdefault(head, []).append(number << _ROW_BITS | row)
        if len(self._loose) > LOOSE:
            self.save()

    def forget(self, name: str) -> None:
        """A shard is gone."""
        number = self._numbers.pop(name, None)
        if number is not None:
            self._shards[number] = ""
            del self._marks[name]

    def refresh(self) -> None:
        """Look at the folder again: shards that are new are added, those that are gone or changed forgotten."""
        with file_errors(self._folder, "read"):
            there = sorted(p.name for p in self._folder.glob("*.safetensors") if not p.name.startswith("."))
        for name in set(self._numbers) - set(there):
            self.forget(name)
        for name in there:
            if name in self._numbers and self._mark(name) != self._marks[name]:
                self.forget(name)
            if name not in self._numbers:
                heads = self._heads(name)
                if heads is not None:
                    self.add(name, *heads)

    def save(self) -> None:
        """Merge what is in memory into the array on disk."""
        if not self._loose and all(self._shards):
            return
        heads = np.fromiter((h for h, places in self._loose.items() for _ in places), np.uint64)
        wheres = np.fromiter((w for places in self._loose.values() for w in places), np.uint64)
        # numbers of the shards that are left, and entries of those alone
        left = [i for i, name in enumerate(self._shards) if name]
        number = np.zeros(len(self._shards), np.uint64)
        number[left] = np.arange(len(left), dtype=np.uint64)
        merged = np.concatenate([self._sorted, np.stack([heads, wheres])], axis=1)
        merged = merged[:, merged[1] >> np.uint64(_ROW_BITS) < len(self._shards)]  # all, unless it is damaged
        shard = merged[1] >> np.uint64(_ROW_BITS)
        merged[1] = number[shard.astype(np.int64)] << np.uint64(_ROW_BITS) | merged[1] & np.uint64(0xFFFFFFFF)
        if len(left) < len(self._shards):
            merged = merged[:, np.isin(shard, np.array(left, np.uint64))]
        merged = merged[:, np.argsort(merged[0], kind="stable")]
        self._shards = [self._shards[i] for i in left]
        self._numbers = {name: i for i, name in enumerate(self._shards)}
        self._loose = {}
        self._write(merged)

    # ------------------------------------------------------------ on disk

    def _mark(self, name: str) -> Mark | None:
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return None
        return found.st_size, found.st_mtime_ns

    def _write(self, merged: NDArray[np.uint64]) -> None:
        name = f"{hashlib.sha256(merged.tobytes()).hexdigest()[:32]}.npy"
        path = self._folder / name
        temporary = self._folder / f".{name}.{secrets.token_hex(8)}.part"  # others may write the same, from elsewhere
        with file_errors(path, "written"):
            try:
                with temporary.open("wb") as f:
                    np.save(f, merged, allow_pickle=False)
                # Mapped before others see it: a process that has more of them may delete it at once.
                self._sorted = self._map(temporary.name)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        shards = [[s, *self._marks[s]] for s in self._shards]
        write_file(self._folder / INDEX, to_json({"array": name, "shards": shards}).encode())
        named = {name, *self._named()}  # which may be another process's by now
        for old in self._folder.glob("*.npy"):
            if old.name not in named:
                old.unlink(missing_ok=True)  # whoever has it mapped keeps it; whoever comes late makes a new one

    def _named(self) -> list[str]:
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
            return  # none yet, or damaged: made from the shards
        self._shards = [name for name, _ in shards]
        self._numbers = {name: i for i, (name, _) in enumerate(shards)}
        self._marks = dict(shards)
