"""Exif orientation: as Pillow applies it, for every format and value, and known before decoding."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from vrm_synth.io.exif_orientation import apply_orientation, orientation, webp_orientation

FORMS = {"PNG": {}, "JPEG": {"quality": 95}, "WEBP": {"lossless": True}, "MPO": {"save_all": True}}
PIXELS = np.random.default_rng(1).integers(0, 255, (24, 40, 3), np.uint8)


def saved(form: str, value: int | None = None, **options: object) -> bytes:
    """A picture of 40×24 in which Exif says an orientation."""
    picture, file = Image.fromarray(PIXELS), io.BytesIO()
    if form == "MPO":
        options["append_images"] = [Image.new("RGB", (20, 12))]
    if value is not None:
        options["exif"] = exif(value)
    picture.save(file, form, **{**FORMS[form], **options})
    return file.getvalue()


def exif(value: int) -> Image.Exif:
    tag = Image.Exif()
    tag[0x0112] = value
    return tag


def read(data: bytes) -> tuple[int, Image.Image]:
    file = io.BytesIO(data)
    picture = Image.open(file)
    return orientation(picture, file), apply_orientation(picture, file)


def late(data: bytes) -> bytes:
    """A PNG whose Exif block stands behind its pixels, as some programs write it."""
    start = data.index(b"eXIf") - 4
    (length,) = struct.unpack_from(">I", data, start)
    chunk = data[start : start + length + 12]
    return data[:start] + data[start + len(chunk) : -12] + chunk + data[-12:]


@pytest.mark.parametrize("value", [None, *range(10), 300])
@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_turned_as_pillow_turns_it(form, value):
    data = saved(form, value)
    read_value, turned = read(data)
    assert read_value == (value if value in range(1, 9) else 1)
    assert turned.format == form or read_value > 1
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (np.asarray(turned) == np.asarray(expected)).all()


@pytest.mark.parametrize("value", [1, 3, 6])
def test_an_exif_block_after_the_pixels_of_a_png_counts(value):
    data = late(saved("PNG", value))
    read_value, turned = read(data)
    assert read_value == value
    assert (np.asarray(turned) == np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))).all()


def test_a_png_is_not_decoded_for_its_orientation_and_a_block_with_a_wrong_checksum_is_ignored():
    data = late(saved("PNG", 6))
    offset = data.rindex(b"eXIf")
    wrong = bytearray(data)
    wrong[offset + 20] ^= 1
    assert read(bytes(wrong))[0] == 1
    file = io.BytesIO(data[:60] + data[-200:])  # without most of its pixels
    assert orientation(Image.open(io.BytesIO(data)), file) == 6


def test_webp_orientation_is_read_without_decoding_and_only_where_its_flag_is_set():
    data = bytearray(saved("WEBP", 8))
    assert webp_orientation(io.BytesIO(data)) == 8
    data[20] &= ~0x08  # VP8X says that there is no Exif
    assert webp_orientation(io.BytesIO(data)) == 1
    for length in (0, 12, 20, 30, len(data) - 20):
        assert webp_orientation(io.BytesIO(saved("WEBP", 8)[:length])) == 1


def test_xmp_gives_the_orientation_where_exif_does_not():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert webp_orientation(io.BytesIO(saved("WEBP", xmp=xmp))) == 6
    assert read(saved("JPEG", xmp=xmp))[0] == 6


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_block_leaves_a_picture_as_it_is_stored(form):
    for block in (b"", b"Exif\0\0", b"MM\0*\0\0\0", b"garbage" * 50):
        read_value, turned = read(saved(form, exif=b"Exif\0\0" + block))
        assert read_value == 1 and turned.size == (40, 24)
