"""The GLB container (glTF 2.0, 4.4): the JSON and BIN chunks of a file, or one line on what it is instead."""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Protocol

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.limits import Limits

_HEADER = struct.Struct("<4sII")
_HEAD = 512  # bytes by which a file that is something else is recognised
_CHUNK = struct.Struct("<I4s")

# What people save under the name of an avatar, by the bytes that it starts with.
_LOOKALIKES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it points to (fetch it with `git lfs pull`)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"Kaydara FBX", "an FBX model"),
    (b"UnityFS", "a Unity asset bundle"),
    (b"BLENDER", "a Blender file"),
    (b"%PDF", "a PDF document"),
)


_MOST_ODDITIES = 200


@dataclass
class Oddities:
    """The oddities found on the way, each once, in order of their first appearance; at most 200 lines.

    found: what tells one oddity from another → its line; more: how often one of `add_alike` came again.
    """

    found: dict[str, str] = field(default_factory=dict)
    more: Counter[str] = field(default_factory=Counter)

    def add(self, line: str) -> None:
        """Remember one oddity."""
        if len(self.found) < _MOST_ODDITIES:
            self.found.setdefault(line, line)

    def add_alike(self, place: str, what: str) -> None:
        """Remember an oddity that other entries of the same list may share: they become one line with a count.

        place: "meshes[0].primitives[2].material"; what: the rest of the sentence, the same for all of them.
        """
        key = f"{_alike(place)} {what}"
        if key in self.found:
            self.more[key] += 1
        elif len(self.found) < _MOST_ODDITIES:
            self.found[key] = f"{place} {what}"

    def lines(self) -> tuple[str, ...]:
        """One line an oddity, without control characters."""
        return tuple(
            "".join(c if c.isprintable() else " " for c in line)
            + (f" (and {n} more in {key.partition(' ')[0]})" if (n := self.more[key]) else "")
            for key, line in self.found.items()
        )


def _alike(place: str) -> str:
    """The last two parts of a place, numbers left out: "primitives[*].material"."""
    return re.sub(r"\[\d+\]", "[*]", ".".join(place.split(".")[-2:]))


class Bytes(Protocol):
    """A file's bytes, read where they are asked for."""

    size: int

    def read(self, offset: int, size: int) -> memoryview:
        """`size` bytes, all of which must be inside the file."""
        ...

    def sha256(self) -> str:
        """Of the whole file, in hexadecimal."""
        ...


class InMemory:
    """Bytes that are there already."""

    def __init__(self, data: bytes):
        self._data, self.size = memoryview(data), len(data)

    def read(self, offset: int, size: int) -> memoryview:
        """See Bytes; nothing is copied."""
        return self._data[offset : offset + size]

    def sha256(self) -> str:
        """See Bytes."""
        return hashlib.sha256(self._data).hexdigest()


class OnDisk:
    """An open file; no more of it is read than is asked for. Raises AvatarError where it cannot be read."""

    def __init__(self, file: BufferedReader):
        self._file, self.size = file, os.fstat(file.fileno()).st_size

    def read(self, offset: int, size: int) -> memoryview:
        """See Bytes."""
        try:
            self._file.seek(offset)
            data = self._file.read(size)
        except OSError as e:
            raise AvatarError(f"cannot read the file: {e.strerror or e}") from e
        if len(data) != size:
            raise AvatarError("file is cut short", got=f"{offset + len(data)} bytes", allowed=self.size, where="file")
        return memoryview(data)

    def sha256(self) -> str:
        """See Bytes."""
        try:
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").hexdigest()
        except OSError as e:
            raise AvatarError(f"cannot read the file: {e.strerror or e}") from e


@dataclass(frozen=True)
class Container:
    """Where a GLB file's chunks lie: (offset, size) in bytes. bin: None where the file has none."""

    json: tuple[int, int]
    bin: tuple[int, int] | None


def split(file: Bytes, limits: Limits, notes: Oddities) -> Container:
    """The chunks of a GLB file, from their headers alone. Raises AvatarError where it is not one, is cut short,
    or its size or its JSON's is beyond the limits."""
    if file.size > limits.file_bytes:
        raise AvatarError(
            "file is too large", got=f"{file.size} bytes", allowed=f"{limits.file_bytes} bytes", where="file"
        )
    head = bytes(file.read(0, min(file.size, _HEAD)))
    if head[:4] != b"glTF":
        raise AvatarError("not a VRM file", got=_looks_like(head), allowed="a binary glTF (GLB)", where="byte 0")
    if file.size < _HEADER.size:
        raise AvatarError("file is cut short", got=f"{file.size} bytes", allowed="a 12-byte header", where="GLB header")
    _, version, length = _HEADER.unpack_from(head)
    if version != 2:
        raise AvatarError("unknown GLB version", got=version, allowed="2", where="GLB header")
    if length > file.size:
        raise AvatarError(
            "file is cut short", got=f"{file.size} bytes", allowed=f"the {length} that it announces", where="GLB header"
        )
    if length < file.size:
        notes.add(f"{file.size - length} bytes after the end that the GLB header announces")
    return _chunks(file, length, limits, notes)


def _chunks(file: Bytes, length: int, limits: Limits, notes: Oddities) -> Container:
    found: dict[bytes, tuple[int, int]] = {}
    offset, number = _HEADER.size, 0
    while offset < length:
        place = f"chunk {number}"
        if length - offset < _CHUNK.size:
            raise AvatarError("chunk header is cut short", got=f"{length - offset} bytes", allowed="8", where=place)
        if number == limits.items:
            raise AvatarError("too many chunks", got=f"more than {number}", allowed=number, where="GLB")
        size, kind = _CHUNK.unpack(file.read(offset, _CHUNK.size))
        offset += _CHUNK.size
        if size > length - offset:
            raise AvatarError(
                "chunk runs past the end of the file", got=f"{size} bytes", allowed=f"{length - offset}", where=place
            )
        if number == 0 and kind != b"JSON":
            raise AvatarError("first chunk is not JSON", got=repr(kind), allowed="JSON", where=place)
        if number == 0 and size > limits.json_bytes:
            raise AvatarError(
                "JSON is too large", got=f"{size} bytes", allowed=f"{limits.json_bytes} bytes", where="JSON chunk"
            )
        if kind not in (b"JSON", b"BIN\0"):
            notes.add(f"unknown GLB chunk {kind!r} skipped")
        elif kind in found:
            notes.add(f"second {kind!r} chunk skipped")
        else:
            found[kind] = (offset, size)
        offset, number = offset + size, number + 1
    if b"JSON" not in found:
        raise AvatarError("file has no JSON chunk", where="GLB")
    return Container(found[b"JSON"], found.get(b"BIN\0"))


def _looks_like(data: bytes) -> str:
    if not data:
        return "an empty file"
    for start, name in _LOOKALIKES:
        if data.startswith(start):
            return name
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in (b"{", b"["):
        return "JSON text"
    if head[:1] == b"<":
        return "an HTML or XML page"
    return f"a file that starts with {data[:8]!r}"
