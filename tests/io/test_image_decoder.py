"""The image decoder: sizes read from heads, pixels, and errors for whatever is broken."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.disk import png
from vrm_synth.core.errors import DatasetError
from vrm_synth.io.image_decoder import decode, decode_rgba, measure, open_image
from vrm_synth.io.image_encodings import ENCODINGS
from vrm_synth.io.png_encoder import encode_png

ROOT = Path(__file__).resolve().parents[2]
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_measured_and_decoded_sizes_agree(form, mode):
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


def test_exif_orientation_is_applied():
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
        with pytest.raises(DatasetError):
            decode(data[:length])


def test_other_formats_are_refused():
    for data in (b"", b"hello", saved(Image.new("RGB", (8, 8)), "GIF"), b"%!PS-Adobe-3.0 EPSF\n", b"<svg/>"):
        with pytest.raises(DatasetError, match="not a picture we read"):
            decode(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [12_000, 30_000, 2_000_000])
def test_a_picture_that_claims_a_gigantic_size_is_refused_before_it_is_decoded(side):
    data = bytearray(png(0))
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    for read in (lambda: decode(bytes(data)), lambda: measure(io.BytesIO(bytes(data)))):
        with pytest.raises(DatasetError, match=r"too large|damaged"):
            read()


def test_jpeg_xl_is_read_where_its_plugin_is_and_named_where_it_is_not(monkeypatch):
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pillow_jxl", None)
        with pytest.raises(DatasetError, match=r"JPEG XL needs a plugin; allowed: pip install"):
            decode(b"\xff\x0a" + bytes(100))
    pytest.importorskip("pillow_jxl", reason="no JPEG XL: pip install 'vrm-synth[jxl]'")
    data = saved(Image.new("RGBA", (70, 33), (9, 8, 7, 6)), "JXL", lossless=True)
    assert measure(io.BytesIO(data)) == (70, 33) and (decode(data) == (9, 8, 7, 6)).all()
    for cut in (data[:20], data[: len(data) // 2]):
        with pytest.raises(DatasetError, match=r"damaged|not a picture"):
            decode(cut)


def test_broken_and_foreign_images_of_our_own_shards_are_refused():
    png = encode_png(PIXELS)
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    gif = io.BytesIO()
    Image.new("L", (4, 4)).save(gif, "GIF")
    for data in (
        b"",
        png[:40],
        png[: len(png) // 2],
        b"GIF89a",
        gif.getvalue(),
        bomb.getvalue(),
        png[:50] + b"\xff" * 60,
    ):
        with pytest.raises(DatasetError):
            open_image(data)


def test_a_process_that_wrote_no_jpeg_xl_reads_it_and_names_the_missing_plugin(monkeypatch):
    data = ENCODINGS["jxl"].encode(PIXELS)
    read = "import sys; from vrm_synth.io.image_decoder import decode_rgba"
    read += "; print(decode_rgba(sys.stdin.buffer.read()).tobytes().hex())"
    process = subprocess.run([sys.executable, "-c", read], input=data, capture_output=True, cwd=ROOT)
    assert process.stdout.decode().strip() == PIXELS.tobytes().hex(), process.stderr
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(DatasetError, match=r"JPEG XL needs a plugin; allowed: pip install 'vrm-synth\[jxl\]'"):
        decode_rgba(data)
