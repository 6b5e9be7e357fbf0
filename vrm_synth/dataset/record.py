"""The completion record of a shard: what it consists of, and the last thing that is written of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import to_json

RECORDS = "records"


@dataclass(frozen=True)
class FileRecord:
    """A file of the shard. size: in bytes; sha256: of them, hexadecimal."""

    name: str
    size: int
    sha256: str

    @staticmethod
    def of(name: str, data: bytes) -> FileRecord:
        return FileRecord(name, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Record:
    """shard: its number; split; keys: of its samples in order; files; pixels: SHA-256 over the decoded pixels of all;
    words: SHA-256 over the lines of metadata; drawn_by, packages: driver and versions; quarantined: what could not
    be made, key → why."""

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
            told: dict[str, Any] = json.loads(data)
            seal = told.pop("seal")
            files = tuple(FileRecord(**f) for f in told.pop("files"))
            told |= {"files": files, "keys": tuple(told["keys"]), "drawn_by": tuple(told["drawn_by"])}
            record = Record(**told)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise DatasetError("not a completion record", got=str(e), where=where) from e
        if record.to_bytes() != data or seal != _seal(asdict(record)):
            raise DatasetError("a completion record that was changed", where=where)
        return record


def record_name(shard: int) -> str:
    return f"{RECORDS}/{shard:05d}.json"


def words_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_json(row).encode() + b"\n")
    return digest.hexdigest()


def _seal(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(told).encode()).hexdigest()
