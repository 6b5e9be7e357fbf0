"""Pictures: measured from their heads, decoded, cut and laid on a background; whatever is broken says so."""

from __future__ import annotations

import io
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.train.disk import png
from vrm_synth.train.data.image_decoder import decode, fit, measure
from vrm_synth.train.data.source import BadRowError

WHITE = (255, 255, 255)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_what_is_measured_is_what_is_decoded(form, mode):
    allowed = {"PNG": "RGB RGBA L LA P 1 I;16", "JPEG": "RGB L CMYK", "WEBP": "RGB RGBA"}[form]
    if mode not in allowed.split():
        return
    data = saved(Image.new(mode, (70, 33)), form)
    pixels = decode(data)
    assert measure(io.BytesIO(data)) == (70, 33) == pixels.shape[1::-1]
    assert pixels.dtype == np.uint8 and pixels.shape[2] == (4 if mode in ("RGBA", "LA") else 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 60}, {"quality": 60, "exif": b"Exif\0\0"}])
def test_webp_is_measured_in_all_its_forms(options):
    for mode in ("RGB", "RGBA"):
        assert measure(io.BytesIO(saved(Image.new(mode, (70, 33)), "WEBP", **options))) == (70, 33)


def test_a_photo_lies_as_its_camera_was_held():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.new("RGB", (70, 33)), "JPEG", exif=exif)
    assert measure(io.BytesIO(data)) == (33, 70) == decode(data).shape[1::-1]


def test_sixteen_bits_become_eight():
    grey = Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))
    assert (decode(saved(grey, "PNG")) == 0x80).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_cut_picture_is_damaged_at_any_length(form):
    data = saved(Image.effect_noise((64, 64), 80).convert("RGB"), form)
    for length in (0, 1, 11, 29, 60, len(data) // 2, len(data) - 20):
        with pytest.raises(BadRowError):
            decode(data[:length])


def test_what_is_no_picture_of_ours_is_refused():
    for data in (b"", b"hello", saved(Image.new("RGB", (8, 8)), "GIF"), b"%!PS-Adobe-3.0 EPSF\n", b"<svg/>"):
        with pytest.raises(BadRowError, match="not a picture we read"):
            decode(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [12_000, 30_000, 2_000_000])
def test_a_picture_that_claims_a_gigantic_size_is_refused_before_it_is_decoded(side):
    data = bytearray(png(0))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    for read in (lambda: decode(bytes(data)), lambda: measure(io.BytesIO(bytes(data)))):
        with pytest.raises(BadRowError, match=r"too large|damaged"):
            read()


def test_clear_parts_show_the_background_and_half_clear_ones_half_of_it():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8, :, 3], pixels[8:, :, 3] = 0, 128
    scaled, mask = fit(pixels, (16, 16), (200, 100, 0), None, 8)
    assert scaled[0, 0].tolist() == [200, 100, 0] and np.allclose(scaled[15, 0], [100, 50, 0], atol=1)
    assert mask.tolist() == [[0, 0], [128, 128]]


def test_the_middle_is_taken_and_the_mask_with_it():
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = 250
    mask = np.zeros((64, 192), np.uint8)
    mask[:32, 64:96] = 255
    scaled, shares = fit(pixels, (64, 64), WHITE, mask, 8)
    assert scaled.shape == (64, 64, 3) and (scaled == 250).all()
    assert shares.shape == (8, 8) and (shares[:4, :4] == 255).all() and shares.sum() == 16 * 255


def test_a_mask_is_the_share_of_figure_in_each_cell():
    mask = np.zeros((128, 128), np.uint8)
    mask[:, :24] = 255  # one and a half cells of 16 pixels, at half the size
    _, shares = fit(np.zeros((128, 128, 3), np.uint8), (64, 64), WHITE, mask, 8)
    assert shares[0, :3].tolist() == [255, 128, 0]
    _, without = fit(np.zeros((128, 128, 3), np.uint8), (64, 64), WHITE, None, 8)
    assert (without == 255).all()


def test_a_padded_picture_is_whole_and_its_margins_are_background_and_no_figure():
    pixels = np.full((128, 64, 3), 200, np.uint8)
    scaled, shares = fit(pixels, (64, 64), (10, 20, 30), None, 8, pad=True)
    assert np.allclose(scaled[:, 20:44], 200, atol=2) and np.allclose(scaled[:, :12], (10, 20, 30), atol=2)
    assert (shares[:, 2:6] == 255).all() and (shares[:, [0, 1, 6, 7]] == 0).all()
    exact, _ = fit(np.full((64, 64, 3), 7, np.uint8), (64, 64), WHITE, None, 8, pad=True)
    assert (exact == 7).all()


def test_jpeg_xl_is_read_where_its_plugin_is_and_named_where_it_is_not(monkeypatch):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pillow_jxl", None)
        with pytest.raises(BadRowError, match=r"JPEG XL needs a plugin; allowed: pip install"):
            decode(b"\xff\x0a" + bytes(100))
    pytest.importorskip("pillow_jxl", reason="no JPEG XL: pip install 'vrm-synth[jxl]'")
    data = saved(Image.new("RGBA", (70, 33), (9, 8, 7, 6)), "JXL", lossless=True)
    assert measure(io.BytesIO(data)) == (70, 33) and (decode(data) == (9, 8, 7, 6)).all()
    for cut in (data[:20], data[: len(data) // 2]):
        with pytest.raises(BadRowError, match=r"damaged|not a picture"):
            decode(cut)
