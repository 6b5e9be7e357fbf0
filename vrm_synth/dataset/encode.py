"""The one PNG encoder: the same pixels always give the same bytes.

Always 8-bit RGBA, straight alpha, also where a picture happens to be opaque: what a shot's file looks like
must not depend on what the shot happens to show. (Every trainer converts; an alpha channel of 255s costs 1 %.)

Every row takes the Up filter and zlib's run-length strategy: toon shading is flat, so the differences
are mostly zeros. Measured on 24 pictures of 512², CPU-ms and bytes each: this 3.5 and 40k; level 1 with
string matching 3.7 and 47k; Pillow at level 1 9.2 and 46k, at level 6 14.5 and 35k. isal's deflate takes
0.6 and 44k, but is one more package to install.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UP = 2  # filter type: each byte minus the one above it (PNG specification, clause 9.2)


def encode_png(rgba: NDArray[np.uint8]) -> bytes:
    """A PNG file of rgba (H, W, 4) uint8, sRGB, straight alpha, top row first."""
    if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] != 4 or 0 in rgba.shape:
        raise ValueError(f"encode_png wants (H, W, 4) uint8, got {rgba.shape} {rgba.dtype}")
    height, width, _ = rgba.shape
    rows = np.ascontiguousarray(rgba).reshape(height, width * 4)
    filtered = np.empty((height, 1 + width * 4), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    data = deflate.compress(filtered.data) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"sRGB", b"\0") + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
