"""A drawn picture as a file: PNG by our own encoder, the others by Pillow's."""

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
    """suffix: of its files; lossless: it keeps every pixel; alpha: and transparency."""

    suffix: str
    lossless: bool
    alpha: bool
    encode: Callable[[Pixels], bytes]


def _webp(rgba: Pixels) -> bytes:
    return _saved(rgba, "WEBP", lossless=True, quality=0, method=0, exact=True)


def _webp_lossy(rgba: Pixels) -> bytes:
    return _saved(rgba, "WEBP", quality=90, method=2)


def _jpeg(rgba: Pixels) -> bytes:
    return _saved(rgba[..., :3], "JPEG", quality=95, subsampling=0)


def _jxl(rgba: Pixels) -> bytes:
    load_jxl()
    return _saved(rgba, "JXL", lossless=True, effort=1)


ENCODINGS: Mapping[str, Encoding] = {
    "png": Encoding("png", True, True, encode_png),
    "webp": Encoding("webp", True, True, _webp),
    "webp-lossy": Encoding("webp", False, True, _webp_lossy),
    "jpeg": Encoding("jpg", False, False, _jpeg),
    "jxl": Encoding("jxl", True, True, _jxl),
}


def check_encoding(name: str) -> None:
    """Raises ExtraError where pictures cannot be written so on this machine."""
    if ENCODINGS[name].suffix == "jxl":
        load_jxl()


def encode_mask(mask: Pixels) -> bytes:
    """A PNG of one channel (H, W) uint8."""
    return _saved(mask, "PNG", compress_level=1)


def _saved(pixels: Pixels, form: str, **settings: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, form, **settings)
    return out.getvalue()
