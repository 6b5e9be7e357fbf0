"""Conversion of PNGs to 8 bits, where Pillow alone gets samples or the transparent colour wrong.

Pillow 13 compares the transparent colour (tRNS) of 2- and 4-bit grey with samples that it has scaled, that of 16-bit
RGB with their high bytes, drops that of 16-bit grey, and clips 16-bit grey where it is to become 8-bit.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2  # colour types that tRNS gives one colour for (PNG 11.3.2.1)


def to_eight_bit(picture: PIL.Image.Image, data: bytes | memoryview) -> PIL.Image.Image:
    """The picture that `data` was opened as, at 8 bits a sample, its transparent colour turned into alpha.

    16 bits keep their high byte, and sBIT changes nothing, as in browsers. What Pillow has right, pictures of other
    formats included, is returned as it is. Raises whatever Pillow raises where the data is damaged.
    """
    color = _transparent_color(data)
    if color is None and not picture.mode.startswith("I"):
        return picture
    samples = np.asarray(picture)
    clear = None if color is None else _is_color(samples, data, *color)
    if picture.mode == "1":
        samples = samples * np.uint8(255)
    if picture.mode.startswith("I"):
        samples = (samples.astype(np.uint32) >> 8).astype(np.uint8)
    if clear is not None:
        samples = np.dstack([samples, np.where(clear, np.uint8(0), np.uint8(255))])
    out = PIL.Image.fromarray(samples)
    out.format = picture.format
    out.info = {key: value for key, value in picture.info.items() if key != "transparency"}
    return out


def _is_color(samples: NDArray[Any], data: bytes | memoryview, depth: int, color: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) where the picture has that colour, all its bits compared."""
    if depth < 16:
        samples = samples * np.uint8(255) if samples.dtype == np.bool_ else samples
        color = tuple(c * (255 // (2**depth - 1)) for c in color)
    elif len(color) == 3:  # of 16-bit RGB Pillow keeps one byte a sample, the high one unless asked for the other
        low = PIL.Image.open(io.BytesIO(data), formats=("PNG",))
        low.tile = [(*tile[:3], "RGB;16L") for tile in low.tile]  # type: ignore[misc]
        samples = samples.astype(np.uint16) << 8 | np.asarray(low)
    same = samples == np.array(color, np.uint16)
    return np.asarray(same.all(-1) if len(color) == 3 else same)


def _transparent_color(data: bytes | memoryview) -> tuple[int, tuple[int, ...]] | None:
    """(bits a sample, the samples of the colour that is transparent) of a grey or RGB PNG; None where it has none."""
    depth = kind = -1
    for name, body in _head(data):
        if name == b"IHDR" and len(body) == 13:
            depth, kind = body[8], body[9]
        if name == b"tRNS" and kind in (_GREY, _RGB):
            count = 1 if kind == _GREY else 3
            if len(body) < 2 * count or not 1 <= depth <= 16:
                return None
            return depth, tuple(c & (2**depth - 1) for c in struct.unpack_from(f">{count}H", body))
    return None


def _head(data: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of a PNG's chunks before its pixels; none where it is no PNG."""
    at = len(_SIGNATURE) if bytes(data[: len(_SIGNATURE)]) == _SIGNATURE else len(data)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            return
        yield name, bytes(data[at + 8 : at + 8 + length]) if name in (b"IHDR", b"tRNS") else b""
        at += 12 + length
