"""Read the GLB container (glTF 2.0, 4.4): find the JSON and BIN chunks, and recognize files that are no GLB."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from io import BufferedReader
from typing import Protocol

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.oddities import Oddities

_HEADER = struct.Struct("<4sII")
_SNIFFED_BYTES = 512  # read from the start of the file to name what it is when it is no GLB
_CHUNK = struct.Struct("<I4s")

# Magic bytes of other formats that are found under the name of an avatar → what an error message calls them.
_OTHER_FORMATS: tuple[tuple[bytes, str], ...] = (
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


class ByteSource(Protocol):
    """Random access to the bytes of a file.

    Attributes:
        size: length of the file, bytes.
    """

    size: int

    def read(self, offset: int, size: int) -> memoryview:
        """Return `size` bytes from `offset`; all of them must be inside the file."""
        ...

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hexadecimal."""
        ...


class MemorySource:
    """ByteSource over bytes in memory; nothing is copied."""

    def __init__(self, data: bytes):
        self._data, self.size = memoryview(data), len(data)

    def read(self, offset: int, size: int) -> memoryview:
        """See ByteSource."""
        return self._data[offset : offset + size]

    def sha256(self) -> str:
        """See ByteSource."""
        return hashlib.sha256(self._data).hexdigest()


class FileSource:
    """ByteSource over an open file, read on demand. Raises AvatarError where the file cannot be read."""

    def __init__(self, file: BufferedReader):
        self._file, self.size = file, os.fstat(file.fileno()).st_size

    def read(self, offset: int, size: int) -> memoryview:
        """See ByteSource."""
        try:
            self._file.seek(offset)
            data = self._file.read(size)
        except OSError as e:
            raise AvatarError(f"cannot read the file: {e.strerror or e}") from e
        if len(data) != size:
            raise AvatarError("file is cut short", got=f"{offset + len(data)} bytes", allowed=self.size, where="file")
        return memoryview(data)

    def sha256(self) -> str:
        """See ByteSource."""
        try:
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").hexdigest()
        except OSError as e:
            raise AvatarError(f"cannot read the file: {e.strerror or e}") from e


@dataclass(frozen=True)
class GlbChunks:
    """Location of a GLB file's chunks.

    Attributes:
        json: (offset, size) of the JSON chunk, bytes.
        bin: (offset, size) of the BIN chunk, bytes; None where the file has none.
    """

    json: tuple[int, int]
    bin: tuple[int, int] | None


def find_chunks(file: ByteSource, limits: Limits, oddities: Oddities) -> GlbChunks:
    """Find the chunks of a GLB file by reading their headers.

    Raises AvatarError where the file is no GLB, is cut short, or its size or that of its JSON is beyond the limits.
    """
    if file.size > limits.file_bytes:
        raise AvatarError(
            "file is too large", got=f"{file.size} bytes", allowed=f"{limits.file_bytes} bytes", where="file"
        )
    head = bytes(file.read(0, min(file.size, _SNIFFED_BYTES)))
    if head[:4] != b"glTF":
        raise AvatarError("not a VRM file", got=_describe_format(head), allowed="a binary glTF (GLB)", where="byte 0")
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
        oddities.add(f"{file.size - length} bytes after the end that the GLB header announces")
    return _read_chunk_headers(file, length, limits, oddities)


def _read_chunk_headers(file: ByteSource, length: int, limits: Limits, oddities: Oddities) -> GlbChunks:
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
            oddities.add(f"unknown GLB chunk {kind!r} skipped")
        elif kind in found:
            oddities.add(f"second {kind!r} chunk skipped")
        else:
            found[kind] = (offset, size)
        offset, number = offset + size, number + 1
    if b"JSON" not in found:
        raise AvatarError("file has no JSON chunk", where="GLB")
    return GlbChunks(found[b"JSON"], found.get(b"BIN\0"))


def _describe_format(data: bytes) -> str:
    if not data:
        return "an empty file"
    for start, name in _OTHER_FORMATS:
        if data.startswith(start):
            return name
    head = data[:_SNIFFED_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in (b"{", b"["):
        return "JSON text"
    if head[:1] == b"<":
        return "an HTML or XML page"
    return f"a file that starts with {data[:8]!r}"
