"""Textures are decoded to the RGBA that a browser would upload, whatever their file format."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.vrm.vrm_file import glb, replaced_image, vrm1
from vrm_synth.vrm import load_bytes

GRADIENT = np.dstack(
    [
        np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1)),
        np.full((16, 16), 99, np.uint8),
        np.zeros((16, 16), np.uint8),
    ]
)


def decoded(data: bytes, mime: str = "image/png") -> np.ndarray:
    image = load_bytes(replaced_image(data, mime), "x.vrm").images[0]
    assert image is not None and image.mime_type == mime and not image.pixels.flags.writeable
    return image.pixels


def saved(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def png16(rows: np.ndarray, color_type: int) -> bytes:
    """A 16-bit PNG of (H, W) or (H, W, C) uint16."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], 16, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_rgb_and_rgba_pngs_are_read() -> None:
    opaque = np.dstack([GRADIENT, np.full((16, 16), 255, np.uint8)])
    np.testing.assert_array_equal(decoded(saved(PIL.Image.fromarray(GRADIENT), "PNG")), opaque)
    clear = opaque.copy()
    clear[..., 3] = 7
    np.testing.assert_array_equal(decoded(saved(PIL.Image.fromarray(clear), "PNG")), clear)  # color kept where clear


def test_grey_palette_and_one_bit_pngs_are_read() -> None:
    gray = PIL.Image.fromarray(GRADIENT[..., 0])
    np.testing.assert_array_equal(decoded(saved(gray, "PNG"))[3, :, :3], np.stack([GRADIENT[3, :, 0]] * 3, 1))
    two = PIL.Image.fromarray(np.dstack([GRADIENT[..., 0], GRADIENT[..., 1]]), "LA")
    assert decoded(saved(two, "PNG"))[0, 5].tolist() == [80, 80, 80, 99]
    palette = PIL.Image.new("P", (5, 3), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    for bits in (1, 2, 4, 8):
        assert decoded(saved(palette, "PNG", bits=bits))[2, 4].tolist() == [10, 20, 30, 255]
    assert decoded(saved(palette, "PNG", transparency=bytes([255, 40])))[2, 4].tolist() == [10, 20, 30, 40]
    assert decoded(saved(PIL.Image.new("1", (9, 2), 1), "PNG"))[1, 8].tolist() == [255, 255, 255, 255]
    keyed = saved(PIL.Image.fromarray(GRADIENT), "PNG", transparency=(80, 99, 0))
    assert decoded(keyed)[0, 5].tolist() == [80, 99, 0, 0] and decoded(keyed)[0, 6, 3] == 255


@pytest.mark.parametrize(("channels", "color_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_sixteen_bits_keep_their_high_byte(channels: int, color_type: int) -> None:
    values = np.arange(2 * 3 * channels, dtype=np.uint16).reshape(2, 3, channels) * 2570 + 200
    got, high = decoded(png16(values, color_type)), (values >> 8).astype(np.uint8)
    rgb = high[..., :1].repeat(3, 2) if channels < 3 else high[..., :3]
    np.testing.assert_array_equal(got[..., :3], rgb)
    np.testing.assert_array_equal(got[..., 3], high[..., -1] if channels % 2 == 0 else np.full((2, 3), 255))


def test_interlaced_pngs_and_odd_sizes_are_read() -> None:
    for size in ((256, 1), (1, 256), (37, 19)):
        assert decoded(saved(PIL.Image.new("RGB", size, (1, 2, 3)), "PNG")).shape == (size[1], size[0], 4)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_are_read(progressive: bool) -> None:
    data = saved(PIL.Image.fromarray(GRADIENT), "JPEG", quality=95, progressive=progressive, subsampling=0)
    got = decoded(data, "image/jpeg").astype(int)
    assert np.abs(got[..., :3] - GRADIENT).max() <= 12 and (got[..., 3] == 255).all()
    gray = saved(PIL.Image.new("L", (8, 8), 120), "JPEG")
    assert decoded(gray, "image/jpeg")[0, 0].tolist() == [120, 120, 120, 255]
    cmyk = saved(PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(decoded(cmyk, "image/jpeg")[0, 0].astype(int) - [255, 0, 0, 255]).max() <= 4


def test_jpeg_with_a_long_preamble_is_measured() -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "x" * 50_000
    data = saved(PIL.Image.new("RGB", (24, 10), (9, 9, 9)), "JPEG", exif=exif, icc_profile=b"i" * 3000)
    assert decoded(data, "image/jpeg").shape == (10, 24, 4)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_webps_are_read(lossless: bool, alpha: bool) -> None:
    picture = PIL.Image.new("RGBA" if alpha else "RGB", (33, 21), (200, 100, 50, 128) if alpha else (200, 100, 50))
    got = decoded(saved(picture, "WEBP", lossless=lossless, quality=95), "image/webp")
    assert got.shape == (21, 33, 4)
    assert np.abs(got[10, 10].astype(int) - [200, 100, 50, 128 if alpha else 255]).max() <= 6


def test_a_wrong_name_for_the_format_is_reported() -> None:
    avatar = load_bytes(replaced_image(saved(PIL.Image.new("RGB", (4, 4)), "JPEG"), "image/png"), "x.vrm")
    assert avatar.images[0] is not None and avatar.images[0].mime_type == "image/jpeg"
    assert avatar.oddities == ("images[0] says image/png but is image/jpeg",)


def test_a_picture_that_no_material_uses_is_not_decoded() -> None:
    doc, data = vrm1()
    doc["images"] += [{"uri": "data:image/png;base64,AAAA"}]
    avatar = load_bytes(glb(doc, bytes(data)), "x.vrm")
    assert avatar.images[0] is not None and avatar.images[1] is None


def test_a_texture_without_a_readable_picture_is_dropped_and_noted() -> None:
    doc, data = vrm1()
    doc["textures"].append({"extensions": {"MSFT_texture_dds": {"source": 0}}})
    doc["materials"][0]["emissiveTexture"] = {"index": 1}
    avatar = load_bytes(glb(doc, bytes(data)), "x.vrm")
    assert avatar.materials[0].emissive_texture is None
    assert avatar.oddities == ("materials[0].emissiveTexture uses textures[1], which has no picture that can be read",)


def test_webp_by_the_texture_extension_is_read() -> None:
    doc, data = vrm1()
    doc["textures"][0] = {"extensions": {"EXT_texture_webp": {"source": 0}}}
    doc["extensionsRequired"] = ["EXT_texture_webp"]
    assert load_bytes(glb(doc, bytes(data)), "x.vrm").images[0] is not None
