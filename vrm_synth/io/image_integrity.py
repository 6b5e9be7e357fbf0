"""Checks of an image file's container without decoding it, so that a truncated one among large ones costs nothing.

Only the structure is walked: what compressed data holds is found out by decoding.
"""

from __future__ import annotations

import re
import struct
import zlib

from vrm_synth.core.errors import AvatarError

_PNG_START = 8
_RIFF_HEADER = 8


def check_container(data: memoryview, mime: str, where: str) -> None:
    """Raise AvatarError for a PNG, JPEG or WebP that is cut short, or a PNG whose critical chunks are damaged."""
    trouble = _CHECKS[mime](data) if mime in _CHECKS else None
    if trouble is not None:
        raise AvatarError(f"picture is damaged: {trouble}", got=mime, where=where)


def _png(data: memoryview) -> str | None:
    """Chunk lengths and the critical chunks' checksums up to IEND (PNG, 5.3). What follows the pixels may be cut."""
    at, pixels = _PNG_START, False
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if kind == b"IEND":
            break
        if end > len(data):
            if pixels and kind != b"IDAT":
                break
            return f"{kind!r} at byte {at} runs past its end"
        if not kind[0] & 0x20 and zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return f"{kind!r} at byte {at} has a wrong checksum"
        pixels = pixels or kind == b"IDAT"
        at = end
    return None if pixels else "it has no IDAT"


def _jpeg(data: memoryview) -> str | None:
    """Marker segments up to the first scan, then an end of image (ITU T.81, B.2.1)."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            return f"byte {at} is not a marker"
        if marker == 0xDA:
            return None if re.search(rb"\xff\xd9", data[at:]) else "it has no end of image"
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return "it has no scan"


def _webp(data: memoryview) -> str | None:
    """The size that RIFF announces (RFC 9649, 2.4)."""
    end = _RIFF_HEADER + int(struct.unpack_from("<I", data, 4)[0])
    return f"it has {len(data)} of {end} bytes" if end > len(data) else None


_CHECKS = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp}
