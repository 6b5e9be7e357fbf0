"""The decoder of image files: PNG, JPEG, WebP and JPEG XL, by Pillow with its guards on.

Our own shards, strangers' pictures that are trained on, and previews all go through here. `measure` reads a file's
head alone; `open_image` decodes it whole. Colour profiles are ignored; 16 bits become 8.
"""

from __future__ import annotations

import importlib
import io
import struct
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError, ExtraError
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.io.exif_orientation import SIDEWAYS, apply_orientation, orientation, webp_orientation
from vrm_synth.io.png_bit_depth import to_eight_bit

DECODER_VERSION = b"2"  # raise it where the same file gives other pixels than before: latents are cached by it
MAX_FILE_BYTES = 512 << 20
MAX_PIXELS = 1 << 27  # of a picture: 134 million, four bytes each; museums scan up to about 100 million
PILLOW_FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG", "jxl": "JXL"}  # file suffix → Pillow's name
JXL_SIGNATURES = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")  # a bare codestream, and a container (ISO/IEC 18181-2)
_PNG_END = b"IEND\xaeB`\x82"
_READABLE = "PNG, JPEG, WebP or JPEG XL"


def measure(file: BinaryIO) -> tuple[int, int]:
    """(width, height) of an upright image, read from the file's head. Raises DatasetError."""
    size, turn = _stored_size(file)
    _check_size(size, None, None)
    return (size[1], size[0]) if turn in SIDEWAYS else size


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decode a stranger's image: upright, of up to MAX_PIXELS pixels.

    Returns (H, W, 4) uint8, sRGB, straight alpha; (H, W, 3) where the file has no alpha. Raises DatasetError, which is
    an ExtraError where a plugin is missing.
    """
    picture = open_image(data, None, max_side=None, orient=True)
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    return np.asarray(picture.convert("RGBA" if has_alpha else "RGB"))


def decode_rgba(data: bytes, where: object = None) -> NDArray[np.uint8]:
    """Decode an image of our own shards: (H, W, 4) uint8, sRGB, straight alpha, 255 where it has none.

    where: for errors. Raises as `open_image`.
    """
    return np.asarray(open_image(data, where).convert("RGBA"))


def open_image(
    data: bytes, where: object = None, max_side: int | None = MAX_IMAGE_SIDE, orient: bool = False
) -> PIL.Image.Image:
    """Decode an image file to 8 bits a channel, whatever its mode.

    where: for errors; max_side: the most pixels of a side, None for MAX_PIXELS in all; orient: turn it upright, as its
    Exif block asks. Raises DatasetError for what is no image, is damaged, cut short or too large; ExtraError where a
    plugin is missing.
    """
    file = io.BytesIO(data)
    picture = _open(file, where)
    _check_size(picture.size, max_side, where)
    if picture.format == "PNG" and _PNG_END not in data:  # Pillow is content without the checksums
        raise DatasetError("picture is damaged", got="a PNG without its end", where=where)
    try:
        # Turned last: the transparent colour of 16-bit RGB is found in the pixels as they are stored.
        stored = to_eight_bit(picture, data)
        shown = apply_orientation(stored, file) if orient else stored
        shown.load()
    except Exception as e:  # Pillow's plugins raise whatever they meet, without a common base
        raise DatasetError("picture is damaged", got=str(e), where=where) from e
    return shown


def load_jxl() -> None:
    """Import the plugin that reads and writes JPEG XL, which registers itself with Pillow. Raises ExtraError where it
    is missing."""
    try:
        importlib.import_module("pillow_jxl")
    except ImportError as e:
        raise ExtraError("JPEG XL needs a plugin", allowed="pip install 'vrm-synth[jxl]'") from e


def _open(file: BinaryIO, where: object) -> PIL.Image.Image:
    is_jxl = file.read(12).startswith(JXL_SIGNATURES)
    file.seek(0)
    if is_jxl:
        try:
            load_jxl()
        except ExtraError as e:
            raise e if where is None else e.at(where) from None
    formats = ["JXL"] if is_jxl else [name for name in PILLOW_FORMATS.values() if name != "JXL"]
    try:
        return PIL.Image.open(file, formats=formats)
    except PIL.UnidentifiedImageError as e:
        raise DatasetError("not a picture we read", allowed=_READABLE, where=where) from e
    except Exception as e:  # as above; a "decompression bomb" is one, too
        raise DatasetError("picture is damaged", got=str(e), where=where) from e


def _stored_size(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """(width, height) as stored, and the Exif orientation. Raises DatasetError."""
    head = file.read(30)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head), webp_orientation(file)  # Pillow reads a WebP whole to open it
    picture = _open(file, None)
    return picture.size, orientation(picture, file)


def _check_size(size: tuple[int, int], max_side: int | None, where: object) -> None:
    allowed = f"{MAX_PIXELS} pixels" if max_side is None else f"{max_side} pixels a side"
    fits = size[0] * size[1] <= MAX_PIXELS if max_side is None else max(size) <= max_side
    if min(size) < 1 or not fits:
        raise DatasetError("picture is too large or empty", got=f"{size[0]}×{size[1]}", allowed=allowed, where=where)


def _webp_size(head: bytes) -> tuple[int, int]:
    """The canvas of a lossy, lossless or extended WebP (RFC 9649, 2.4 to 2.7)."""
    kind = head[12:16]
    if len(head) == 30 and kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if len(head) == 30 and kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(head) == 30 and kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise DatasetError("picture is damaged", got="a WebP whose header is none")
