"""The GLB container (glTF 2.0, 4.4): the JSON and BIN chunks of a file, or one line on what it is instead."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from vrm_synth.avatar.limits import Limits
from vrm_synth.core.errors import AvatarError

_HEADER = struct.Struct("<4sII")
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


@dataclass
class Notes:
    """The oddities found on the way, each once, in order."""

    lines: dict[str, None] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Remember one oddity."""
        if len(self.lines) < 200:
            self.lines.setdefault("".join(c if c.isprintable() else " " for c in line))


@dataclass(frozen=True)
class Container:
    """json: the JSON chunk; bin: the BIN chunk, None where the file has none."""

    json: bytes
    bin: memoryview | None


def split(data: bytes, limits: Limits, notes: Notes) -> Container:
    """The chunks of a GLB file. Raises AvatarError where it is not one, or is cut short."""
    if len(data) > limits.file_bytes:
        raise AvatarError(
            "file is too large", got=f"{len(data)} bytes", allowed=f"{limits.file_bytes} bytes", where="file"
        )
    if data[:4] != b"glTF":
        raise AvatarError("not a VRM file", got=_looks_like(data), allowed="a binary glTF (GLB)", where="byte 0")
    if len(data) < _HEADER.size:
        raise AvatarError("file is cut short", got=f"{len(data)} bytes", allowed="a 12-byte header", where="GLB header")
    _, version, length = _HEADER.unpack_from(data)
    if version != 2:
        raise AvatarError("unknown GLB version", got=version, allowed="2", where="GLB header")
    if length > len(data):
        raise AvatarError(
            "file is cut short", got=f"{len(data)} bytes", allowed=f"the {length} that it announces", where="GLB header"
        )
    if length < len(data):
        notes.add(f"{len(data) - length} bytes after the end that the GLB header announces")
    return _chunks(data, length, notes)


def _chunks(data: bytes, length: int, notes: Notes) -> Container:
    found: dict[bytes, memoryview] = {}
    offset, number = _HEADER.size, 0
    while offset < length:
        place = f"chunk {number}"
        if length - offset < _CHUNK.size:
            raise AvatarError("chunk header is cut short", got=f"{length - offset} bytes", allowed="8", where=place)
        size, kind = _CHUNK.unpack_from(data, offset)
        offset += _CHUNK.size
        if size > length - offset:
            raise AvatarError(
                "chunk runs past the end of the file", got=f"{size} bytes", allowed=f"{length - offset}", where=place
            )
        if number == 0 and kind != b"JSON":
            raise AvatarError("first chunk is not JSON", got=repr(kind), allowed="JSON", where=place)
        if kind not in (b"JSON", b"BIN\0"):
            notes.add(f"unknown GLB chunk {kind!r} skipped")
        elif kind in found:
            notes.add(f"second {kind!r} chunk skipped")
        else:
            found[kind] = memoryview(data)[offset : offset + size]
        offset, number = offset + size, number + 1
    if b"JSON" not in found:
        raise AvatarError("file has no JSON chunk", where="GLB")
    return Container(bytes(found[b"JSON"]), found.get(b"BIN\0"))


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
