"""The completion record of a shard: what it consists of, and the last thing that is written of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import to_json
from vrm_synth.dataset.store import Store

RECORDS = "records"
Buffer: TypeAlias = bytes  # FileRecord has a field of that name


@dataclass(frozen=True)
class FileRecord:
    """A file of the shard. bytes: its size; sha256: of its bytes, hexadecimal."""

    name: str
    bytes: int
    sha256: str

    @staticmethod
    def of(name: str, data: Buffer) -> FileRecord:
        return FileRecord(name, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Record:
    """shard: its number; split; keys: of its samples in order; files; pixels: SHA-256 over the SHA-256 of each decoded
    picture ((H, W, 4) uint8); words: SHA-256 over the lines of metadata; drawn_by, packages: driver and versions;
    quarantined: what could not be made, key → why."""

    shard: int
    split: str
    keys: tuple[str, ...]
    files: tuple[FileRecord, ...]
    pixels: str
    words: str
    drawn_by: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """One spelling, sealed with the SHA-256 of itself."""
        told = asdict(self)
        return (to_json(told | {"seal": _seal(told)}, indent=1) + "\n").encode()

    @staticmethod
    def of_bytes(data: bytes, where: str) -> Record:
        """Raises DatasetError where it is none, or was changed."""
        try:
            told = json.loads(data)
            seal = told.pop("seal")
            record = Record(
                shard=int(told["shard"]),
                split=str(told["split"]),
                keys=tuple(map(str, told["keys"])),
                files=tuple(FileRecord(str(f["name"]), int(f["bytes"]), str(f["sha256"])) for f in told["files"]),
                pixels=str(told["pixels"]),
                words=str(told["words"]),
                drawn_by=tuple(map(str, told["drawn_by"])),
                packages=dict(told["packages"]),
                quarantined=dict(told["quarantined"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise DatasetError("not a completion record", got=str(e), where=where) from e
        if record.to_bytes() != data or seal != _seal(asdict(record)):
            raise DatasetError("a completion record that was changed", where=where)
        return record


def is_done(store: Store, name: str, shard: int) -> bool:
    """Whether a record is whole and the shard's own. What the shard holds is verify's to look at."""
    try:
        return Record.of_bytes(store.read(name), name).shard == shard
    except DatasetError:
        return False


def record_name(shard: int) -> str:
    """The record's name in the store."""
    return f"{RECORDS}/{shard:05d}.json"


def words_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 over rows, hexadecimal."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_json(row).encode() + b"\n")
    return digest.hexdigest()


def _seal(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(told).encode()).hexdigest()


def read_records(store: Store) -> list[Record]:
    """All completion records, in the order of their shards. Raises DatasetError."""
    names = [name for name in store.list(RECORDS) if name.endswith(".json")]
    return sorted((Record.of_bytes(store.read(name), name) for name in names), key=lambda record: record.shard)
