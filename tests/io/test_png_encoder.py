"""The PNG encoder: other decoders read back every pixel, and the bytes depend on the pixels alone."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vrm_synth.io.png_encoder import NONE, UP, encode_png


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_a_decoder_reads_back_every_pixel(width, height, seed, bits):
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (height, width, 4), dtype=np.uint8)
    data = encode_png(pixels)
    with Image.open(io.BytesIO(data)) as picture:
        picture.verify()
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (width, height))
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_the_bytes_depend_on_the_pixels_and_not_on_memory_layout():
    pixels = np.random.default_rng(1).integers(0, 255, (30, 20, 4), dtype=np.uint8)
    assert encode_png(np.asfortranarray(pixels)) == encode_png(pixels) == encode_png(pixels[::-1][::-1])


def test_an_opaque_picture_keeps_its_alpha_channel():
    with Image.open(io.BytesIO(encode_png(np.full((4, 4, 4), 255, np.uint8)))) as picture:
        assert picture.mode == "RGBA"


def test_flat_pictures_are_small():
    flat = np.full((512, 512, 4), 200, np.uint8)
    assert len(encode_png(flat)) < flat.nbytes / 100


def test_gradients_use_the_up_filter_and_flat_colors_none():
    ramp = np.broadcast_to((np.arange(512) // 2).astype(np.uint8)[:, None, None], (512, 512, 4)).copy()
    ramp[..., 1] = np.random.default_rng(0).integers(0, 256, 512, dtype=np.uint8)  # columns that go straight down
    y, x = np.indices((512, 512))
    colors = np.random.default_rng(0).integers(0, 256, (8, 4), dtype=np.uint8)
    flat = colors[(np.hypot(x - 200, y - 300) // 30 + np.hypot(x - 300, y - 150) // 40).astype(int) % 8]
    kinds = {}
    for name, pixels in {"ramp": ramp, "flat": flat}.items():
        data = encode_png(pixels)
        packed = data[data.index(b"IDAT") + 4 :]
        kinds[name] = zlib.decompressobj().decompress(packed)[0]
    assert kinds == {"ramp": UP, "flat": NONE}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("channels", "color_type"), [(1, 0), (3, 2), (4, 6)])
def test_grey_rgb_and_rgba_of_8_and_16_bits_have_their_header(channels, color_type, dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, channels), dtype=dtype)
    data = encode_png(pixels, is_color=False)
    assert struct.unpack(">IIBBBBB", data[16:29]) == (7, 5, 8 * pixels.itemsize, color_type, 0, 0, 0)
    assert b"sRGB" not in data and b"sRGB" in encode_png(pixels)
    if channels == 1:
        assert encode_png(pixels[..., 0], is_color=False) == data
    with Image.open(io.BytesIO(data)) as picture:
        picture.verify()


def test_pillow_reads_every_bit_of_sixteen_bit_grey():
    pixels = np.arange(60_000, 60_000 + 24, dtype=np.uint16).reshape(4, 6)
    with Image.open(io.BytesIO(encode_png(pixels, is_color=False))) as picture:
        assert picture.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_the_bytes_of_a_picture_are_those_of_earlier_versions():
    """Of what does not depend on the machine: the header, sRGB, the filter and the unpacked rows."""
    y, x = np.indices((16, 16))
    pixels = np.dstack([x * 16, y * 16, x + y, np.full_like(x, 255)]).astype(np.uint8)
    data = encode_png(pixels)
    head = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000100000001008060000001ff3ff610000000173524742" + "00aece1ce9"
    )
    assert data.startswith(head)
    size = int.from_bytes(data[len(head) : len(head) + 4], "big")
    rows = zlib.decompress(data[len(head) + 8 : len(head) + 8 + size])
    up = np.vstack([pixels.reshape(16, -1)[:1], np.diff(pixels.reshape(16, -1), axis=0)])
    assert rows == b"".join(bytes([UP]) + row.tobytes() for row in up)
    assert data.endswith(bytes.fromhex("0000000049454e44ae426082"))


@pytest.mark.parametrize("shape", [(4, 4, 2), (4, 4, 5), (4,), (2, 4, 4, 4), (0, 4, 4), (4, 0, 4), (0, 4), (4, 4, 0)])
def test_invalid_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="encode_png takes"):
        encode_png(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int16, bool])
def test_other_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=np.dtype(dtype).name):
        encode_png(np.zeros((4, 4, 4), dtype))
