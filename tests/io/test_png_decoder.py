"""The decoder of our own PNG files: every bit comes back, and anything else is refused in one line."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.io.png_decoder import decode_png
from vrm_synth.io.png_encoder import SIGNATURE, encode_png


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([None, 1, 3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(1, 16),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=80, deadline=None)
def test_every_bit_comes_back(width, height, channels, dtype, bits, slope, seed):
    shape = (height, width) if channels is None else (height, width, channels)
    top = 2 ** min(bits, 8 * np.dtype(dtype).itemsize)
    pixels = np.random.default_rng(seed).integers(0, top, shape, dtype=dtype)
    if slope:  # which packs better by the other filter
        pixels = (pixels[:1] + np.arange(height, dtype=dtype).reshape(-1, *[1] * (len(shape) - 1))).astype(dtype)
    back = decode_png(encode_png(pixels, is_color=False))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels.reshape(height, width) if channels == 1 else pixels)


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)
    )


def png(width=4, height=4, depth=8, color=0, interlace=0, rows: bytes | None = None, *, more: bytes = b"") -> bytes:
    """A PNG file of a header and rows, each with its filter's number before it."""
    rows = bytes(height * (1 + width * depth // 8)) if rows is None else rows
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))
    return SIGNATURE + head + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pillow(mode: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture = Image.fromarray((np.random.default_rng(0).random((32, 32, 3)) * 255).astype(np.uint8)).convert(mode)
    picture.save(out, "PNG", **options)
    return out.getvalue()


GOOD = encode_png(np.arange(1024, dtype=np.uint16).reshape(32, 32))
HOSTILE = {
    "nothing": b"",
    "another format": b"\xff\xd8\xff" * 50,
    "a signature alone": SIGNATURE,
    "truncated": GOOD[: len(GOOD) // 2],
    "without its end": GOOD[:-12],
    "a wrong checksum": GOOD[:-20] + bytes([GOOD[-20] ^ 1]) + GOOD[-19:],
    "a chunk beyond the file": SIGNATURE + b"\xff\xff\xff\xff" + b"IDAT" + bytes(100),
    "no header": SIGNATURE + chunk(b"IDAT", zlib.compress(bytes(20))) + chunk(b"IEND", b""),
    "no pixels": SIGNATURE + png()[8:33] + chunk(b"IEND", b""),
    "a short header": SIGNATURE + chunk(b"IHDR", b"\0\0") + chunk(b"IEND", b""),
    "two headers": SIGNATURE + png()[8:33] + png()[8:],
    "no width": png(width=0, rows=bytes(4)),
    "a side beyond the limit": png(width=MAX_IMAGE_SIDE + 1, height=1),
    "a palette": pillow("P"),
    "one bit": pillow("1"),
    "grey with alpha": pillow("LA"),
    "interlaced": png(interlace=1),
    "too few rows": png(rows=bytes(5 * 3)),
    "no deflate": SIGNATURE + png()[8:33] + chunk(b"IDAT", b"hello") + chunk(b"IEND", b""),
    "another filter": png(rows=b"".join(b"\1" + bytes(4) for _ in range(4))),
    "two filters": png(rows=b"".join(bytes([f]) + bytes(4) for f in (0, 2, 0, 2))),
    "another encoder": pillow("RGB"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(kind):
    with pytest.raises(DatasetError, match="not a PNG file of ours") as e:
        decode_png(HOSTILE[kind], "000001: depth")
    assert "\n" not in str(e.value) and str(e.value).startswith("000001: depth: ")


def test_a_bomb_is_unpacked_no_further_than_its_picture():
    bomb = png(rows=bytes(20) + bytes(100 << 20))
    assert len(bomb) < 200_000
    assert decode_png(bomb).shape == (4, 4)


def test_pixels_in_many_chunks_are_put_together():
    packed = zlib.compress(bytes(range(20)).replace(b"\5", b"\0").replace(b"\12", b"\0").replace(b"\17", b"\0"))
    many = SIGNATURE + png()[8:33] + b"".join(chunk(b"IDAT", packed[k : k + 1]) for k in range(len(packed)))
    assert decode_png(many + chunk(b"IEND", b"")).tolist()[0] == [1, 2, 3, 4]


def test_unknown_chunks_are_passed_over():
    np.testing.assert_array_equal(decode_png(png(more=chunk(b"tEXt", b"a\0b"))), np.zeros((4, 4), np.uint8))
