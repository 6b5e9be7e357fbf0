"""Results of verifying a dataset: its faults, and what was found in each shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vrm_synth.dataset.verify.expected import ExpectedShard


@dataclass(frozen=True)
class Fault:
    """A fault of a dataset.

    file: name of the file in the dataset.
    what: the fault.
    shard: number of the shard to make again; None where only what `finish` writes is wrong.
    """

    file: str
    what: str
    shard: int | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class ShardCheck:
    """The result of checking a shard.

    expected: the shard.
    faults: its faults.
    keys: of its samples.
    hashes: key → perceptual hash, of the pictures that could be decoded.
    rows: SHA-256 over its rows of the table.
    files: the files that its record accounts for.
    sources: an avatar's SHA-256 → the name that its shots have for it.
    undecoded: number of pictures that no installed library reads.
    """

    expected: ExpectedShard
    faults: tuple[Fault, ...]
    keys: tuple[str, ...] = ()
    hashes: Mapping[str, bytes] = field(default_factory=dict)
    rows: str = ""
    files: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    undecoded: int = 0


@dataclass(frozen=True)
class VerifyReport:
    """The result of verifying a dataset.

    faults: all faults, shard by shard.
    samples: number of pictures that were checked.
    redrawn: number of shots that were rendered again.
    near_duplicates: groups of keys whose pictures look the same.
    sources: an avatar's SHA-256 → the name that shots have for it.
    undrawable: why shots were not rendered again, where the dataset is not to blame.
    unchecked: what else could not be checked here, and what to install for it.
    """

    faults: tuple[Fault, ...]
    samples: int
    redrawn: int = 0
    near_duplicates: tuple[tuple[str, ...], ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    undrawable: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[int, ...]:
        """The shards that are to be made again."""
        return tuple(sorted({f.shard for f in self.faults if f.shard is not None}))
