"""Encodings of rendered pictures: PNG by our own encoder, the others by Pillow's."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vrm_synth.io.image_decoder import load_jxl
from vrm_synth.io.png_encoder import encode_png

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Encoding:
    """A way to encode pictures.

    suffix: of its files.
    lossless: True where it keeps every pixel.
    alpha: True where it keeps transparency.
    encode: (H, W, 4) uint8, sRGB, straight alpha → the file.
    """

    suffix: str
    lossless: bool
    alpha: bool
    encode: Callable[[Pixels], bytes]


def _webp(rgba: Pixels) -> bytes:
    return _save(rgba, "WEBP", lossless=True, quality=0, method=0, exact=True)


def _webp_lossy(rgba: Pixels) -> bytes:
    return _save(rgba, "WEBP", quality=90, method=2)


def _jpeg(rgba: Pixels) -> bytes:
    return _save(rgba[..., :3], "JPEG", quality=95, subsampling=0)


def _jxl(rgba: Pixels) -> bytes:
    load_jxl()
    return _save(rgba, "JXL", lossless=True, effort=1)


ENCODINGS: Mapping[str, Encoding] = {
    "png": Encoding("png", True, True, encode_png),
    "webp": Encoding("webp", True, True, _webp),
    "webp-lossy": Encoding("webp", False, True, _webp_lossy),
    "jpeg": Encoding("jpg", False, False, _jpeg),
    "jxl": Encoding("jxl", True, True, _jxl),
}


def check_encoding(name: str) -> None:
    """Raise ExtraError where an encoding's plugin is not installed."""
    if ENCODINGS[name].suffix == "jxl":
        load_jxl()


def _save(pixels: Pixels, pillow_format: str, **settings: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, pillow_format, **settings)
    return out.getvalue()
