"""PNGs of every kind against an independent decoder: pypng reads the samples, PNG's own rules say what they mean."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.vrm.vrm_file import replaced_image
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.io.image_decoder import decode
from vrm_synth.io.png_bit_depth import to_eight_bit
from vrm_synth.vrm import load_bytes

pypng = pytest.importorskip("png", reason="pypng is not installed: the extra dev has it")

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(color, depth) for color, depths in DEPTHS.items() for depth in depths]
WIDTH, HEIGHT = 19, 13  # a multiple of no interlaced pass


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def picture(color: int, depth: int, transparent: bool, sbit: bool, interlace: bool) -> bytes:
    """A PNG of noise; `transparent` has a tRNS chunk whose colour is in it, and beside it all but in the last bit."""
    rng = np.random.default_rng(16 * color + depth)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    colors = min(2**depth, 11) if color == 3 else 2**depth
    values = rng.integers(0, colors, (HEIGHT, WIDTH, channels))
    options: dict[str, Any] = {"bitdepth": depth, "interlace": interlace}
    if color == 3:
        rows = rng.integers(0, 256, (colors, 4 if transparent else 3)).tolist()
        if transparent:
            rows[-1][3] = 255  # tRNS may be shorter than the palette
        options["palette"] = [tuple(row) for row in rows]
    else:
        options |= {"greyscale": color in (0, 4), "alpha": color in (4, 6)}
        if transparent:
            key = [max(1, v) for v in values[3, 4].tolist()]  # 0 is 0 at any depth
            values[5, 5:9] = key
            values[5, 6, -1] ^= 1
            options["transparent"] = key[0] if color == 0 else tuple(key)
    out = io.BytesIO()
    pypng.Writer(WIDTH, HEIGHT, **options).write(out, values.reshape(HEIGHT, -1).tolist())
    data = out.getvalue()
    body = bytes([max(1, min(8 if color == 3 else depth, 6) - 1)] * (3 if color == 3 else channels))
    return data[:33] + chunk(b"sBIT", body) + data[33:] if sbit else data


def expected(data: bytes) -> np.ndarray:
    """(H, W, 4) uint8 by PNG 3rd edition: samples scaled to 8 bits, the high byte of 16, tRNS compared in full."""
    width, height, rows, info = pypng.Reader(bytes=data).read()
    samples = np.array([list(row) for row in rows]).reshape(height, width, info["planes"])
    if "palette" in info:
        return np.array([(*entry, 255)[:4] for entry in info["palette"]], np.uint8)[samples[..., 0]]
    depth = info["bitdepth"]
    eight = samples >> 8 if depth == 16 else samples * (255 // (2**depth - 1))
    alpha = np.full((height, width), 255)
    if info["alpha"]:
        eight, alpha = eight[..., :-1], eight[..., -1]
    elif "transparent" in info:
        alpha = np.where((samples == np.array(info["transparent"])).all(-1), 0, 255)
    return np.dstack([eight.repeat(3, 2) if info["greyscale"] else eight, alpha]).astype(np.uint8)


def of_avatar(data: bytes) -> np.ndarray:
    image = load_bytes(replaced_image(data), "x.vrm").images[0]
    assert image is not None
    return image.pixels


def of_training(data: bytes) -> np.ndarray:
    pixels = decode(data)
    return pixels if pixels.shape[2] == 4 else np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


@pytest.mark.parametrize("read", [of_avatar, of_training])
@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_every_kind_of_png_is_read_as_the_independent_decoder_reads_it(read: Any, color: int, depth: int) -> None:
    for transparent, sbit, interlace in itertools.product((False, True), repeat=3):
        if transparent and color in (4, 6):
            continue  # these may have no tRNS
        data = picture(color, depth, transparent, sbit, interlace)
        want = expected(data)
        assert (want[..., 3] < 255).any() == (transparent or color in (4, 6))
        np.testing.assert_array_equal(read(data), want, err_msg=f"tRNS {transparent}, sBIT {sbit}, Adam7 {interlace}")


@pytest.mark.parametrize("read", [of_avatar, of_training])
@pytest.mark.parametrize(("color", "depth"), [(0, 8), (0, 2), (2, 8)])
def test_only_the_low_bits_of_a_transparent_color_count(read: Any, color: int, depth: int) -> None:
    data = picture(color, depth, True, False, False)
    at = data.index(b"tRNS")
    length = struct.unpack(">I", data[at - 4 : at])[0]
    high = b"".join(struct.pack(">H", v | 0xFF00) for (v,) in struct.iter_unpack(">H", data[at + 4 : at + 4 + length]))
    odd = data[: at - 4] + chunk(b"tRNS", high) + data[at + 8 + length :]
    np.testing.assert_array_equal(read(odd), expected(data))


@pytest.mark.parametrize("read", [of_avatar, of_training])
@pytest.mark.parametrize("body", [b"", b"\0"])
def test_a_truncated_trns_chunk_is_refused(read: Any, body: bytes) -> None:
    data = picture(0, 16, False, False, False)
    at = data.index(b"IDAT") - 4
    with pytest.raises(VrmSynthError, match="picture is damaged"):
        read(data[:at] + chunk(b"tRNS", body) + data[at:])


def test_metadata_stays_with_the_picture() -> None:
    """An Exif block turns the picture after its samples were made 8 bits wide."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    PIL.Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) << 8).save(out, "PNG", exif=exif)
    opened = PIL.Image.open(io.BytesIO(out.getvalue()))
    converted = to_eight_bit(opened, out.getvalue())
    assert converted.format == "PNG" and converted.mode == "L" and converted.getexif()[0x0112] == 6
    assert np.asarray(converted).tolist() == np.arange(12).reshape(3, 4).tolist()
