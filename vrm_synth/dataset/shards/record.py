"""Completion records: what a shard consists of, written after all its files.

Its last line is a seal, the SHA-256 of the bytes before. To decide what to resume takes no more than that and the
first line: 11 million pictures have 11,000 records of up to 160 kB, which to parse and to spell again took 10 minutes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.format_version import check_format
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import RECORDS_FOLDER
from vrm_synth.io.store import Store

FORMAT = 1  # of a record
Buffer: TypeAlias = bytes  # FileRecord has a field of that name


@dataclass(frozen=True)
class FileRecord:
    """A file of a shard.

    name: in the dataset.
    bytes: its size.
    sha256: of its content, hexadecimal.
    """

    name: str
    bytes: int
    sha256: str

    @staticmethod
    def of(name: str, data: Buffer) -> FileRecord:
        return FileRecord(name, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Record:
    """The completion record of a shard.

    shard: number of the shard.
    split: name of its split.
    keys: of its samples in order.
    files: of the shard.
    pixels: SHA-256 over the SHA-256 of each decoded picture ((H, W, 4) uint8), hexadecimal.
    words: SHA-256 over its rows of metadata, hexadecimal.
    drawn_by: renderers and their drivers.
    packages: package → version.
    quarantined: key of a shot that could not be made → reason.
    """

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
        """The record as canonical JSON, its seal last."""
        content = asdict(self)
        body = to_json({"shard": content.pop("shard"), "format": FORMAT, **content}, indent=1)
        return sealed(body.removesuffix("\n}").encode())

    @staticmethod
    def of_bytes(data: bytes, where: str) -> Record:
        """Parse a record. Raises DatasetError where it is not a record, is of a newer format, or was changed."""
        try:
            content = json.loads(data)
            check_format(content.get("format"), FORMAT, where)
            record = Record(
                shard=int(content["shard"]),
                split=str(content["split"]),
                keys=tuple(map(str, content["keys"])),
                files=tuple(FileRecord(str(f["name"]), int(f["bytes"]), str(f["sha256"])) for f in content["files"]),
                pixels=str(content["pixels"]),
                words=str(content["words"]),
                drawn_by=tuple(map(str, content["drawn_by"])),
                packages=dict(content["packages"]),
                quarantined=dict(content["quarantined"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise DatasetError("not a completion record", got=str(e), where=where) from e
        if not is_sealed(data):
            raise DatasetError("a completion record that was changed", where=where)
        return record


def is_done(store: Store, name: str, shard: int) -> bool:
    """Return True where a record is complete (sealed) and of this shard; `verify` checks the shard's files."""
    data = store.read(name)
    return is_sealed(data) and data.startswith(f'{{\n "shard": {shard},\n'.encode())


def sealed(body: bytes) -> bytes:
    """The bytes of a record, with their seal appended."""
    return body + _seal(body)


def is_sealed(data: bytes) -> bool:
    """True if a record's bytes are those that were sealed."""
    at = len(data) - len(_seal(b""))
    return at > 0 and data[at:] == _seal(data[:at])


def words_digest(rows: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 over rows, hexadecimal."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(to_json(row).encode() + b"\n")
    return digest.hexdigest()


def _seal(body: bytes) -> bytes:
    return f',\n "seal": "{hashlib.sha256(body).hexdigest()}"\n}}\n'.encode()


def read_records(store: Store) -> Iterator[Record]:
    """All completion records one by one, in the order of their shards. Raises DatasetError."""
    names = [name for name in store.list(RECORDS_FOLDER) if name.endswith(".json")]
    for name in sorted(names, key=lambda name: (len(name), name)):  # numbers of five digits, and of more
        yield Record.of_bytes(store.read(name), name)
