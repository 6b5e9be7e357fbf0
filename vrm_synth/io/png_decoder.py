"""Decode the PNG files that io/png_encoder.py writes, with all their bits: Pillow reduces RGB of 16 bits to 8."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.io.png_encoder import COLOR_TYPES, NONE, SIGNATURE, UP

_CHANNELS = {color_type: channels for channels, color_type in COLOR_TYPES.items()}


def decode_png(data: bytes, where: object = None) -> NDArray[Any]:
    """(H, W) or (H, W, channels), uint8 or uint16. where: for errors.

    Raises DatasetError for a damaged file, one larger than MAX_IMAGE_SIDE, and one of another encoder's features:
    palettes, interlacing, filters other than None and Up.
    """
    try:
        chunks = _chunks(data)
        width, height, depth, color_type, compression, filters, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        channels = _CHANNELS[color_type]
        if depth not in (8, 16) or compression or filters or interlace:
            raise ValueError("features that our files do not have")
        if not (0 < width <= MAX_IMAGE_SIDE and 0 < height <= MAX_IMAGE_SIDE):
            raise ValueError(f"{width}×{height} pixels, allowed up to {MAX_IMAGE_SIDE} a side")
        row_bytes = width * channels * depth // 8
        inflate = zlib.decompressobj()
        packed = inflate.decompress(chunks[b"IDAT"], height * (1 + row_bytes))
        rows = np.frombuffer(packed, np.uint8).reshape(height, 1 + row_bytes)
        pixels = _unfiltered(rows)
    except (ValueError, KeyError, IndexError, struct.error, zlib.error) as e:
        raise DatasetError("not a PNG file of ours", got=str(e), where=where) from e
    values = pixels if depth == 8 else pixels.view(">u2").astype(np.uint16)
    return values.reshape((height, width) if channels == 1 else (height, width, channels))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunks by their types, the IDATs put together. Raises ValueError for a wrong checksum or a missing end."""
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG signature")
    parts: dict[bytes, list[bytes]] = {}
    at = len(SIGNATURE)
    while b"IEND" not in parts:
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(kind + content) != checksum:
            raise ValueError(f"checksum of {kind!r}")
        parts.setdefault(kind, []).append(content)
        at += 12 + length
    return {kind: b"".join(contents) for kind, contents in parts.items()}


def _unfiltered(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows (H, 1 + N), each with its filter's number first → (H, N)."""
    kinds = set(np.unique(rows[:, 0]).tolist())
    if kinds == {NONE}:
        return np.ascontiguousarray(rows[:, 1:])
    if kinds == {UP}:
        return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    raise ValueError(f"filters {sorted(kinds)}")
