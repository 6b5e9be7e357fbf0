"""The PNG encoder: other decoders read back every pixel, and the bytes depend on the pixels alone."""

from __future__ import annotations

import io
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


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 4), (0, 4, 4), (4, 0, 4)])
def test_invalid_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="H, W, 4"):
        encode_png(np.zeros(shape, np.uint8))


def test_floats_are_refused():
    with pytest.raises(ValueError, match="float64"):
        encode_png(np.zeros((4, 4, 4)))
