"""Files of pictures: their size from the head, their pixels, and the part of them that a bucket takes."""

from __future__ import annotations

import importlib
import io
import struct
from typing import BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vrm_synth.io.exif_orientation import SIDEWAYS, orientation, upright, webp_orientation
from vrm_synth.io.png_bit_depth import eight_bit
from vrm_synth.train.data.buckets import Size, crop
from vrm_synth.train.data.source import BadRowError

DECODING = b"2"  # of how files become pixels: raised where the same bytes give others than before
LONGEST_FILE = 512 << 20  # bytes
MOST_PIXELS = 1 << 27  # of a picture: 134 million, four bytes each; museums scan up to about 100 million
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")  # a bare codestream, and a container (ISO/IEC 18181-2)
_PNG_END = b"IEND\xaeB`\x82"
_FORMATS = ("PNG", "JPEG", "WEBP")


def measure(file: BinaryIO) -> Size:
    """(width, height) as `decode` will give it, from the head of a file. Raises BadRowError."""
    size, turn = _stored(file)
    _check_size(size)
    return (size[1], size[0]) if turn in SIDEWAYS else size


def decode(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 4) uint8, sRGB, straight alpha, upright; (H, W, 3) where the file has no alpha. Raises BadRowError.

    Colour profiles are ignored; 16 bits become 8.
    """
    file = io.BytesIO(data)
    picture = _open(file)
    _check_size(picture.size)
    if picture.format == "PNG" and _PNG_END not in data:  # Pillow is content without the checksums
        raise BadRowError("picture is damaged", got="a PNG without its end")
    try:
        # Turned last: the transparent colour of 16-bit RGB is found in the pixels as they are stored.
        picture = upright(eight_bit(picture, data), file)
        picture.load()
        clear = "A" in picture.getbands() or "transparency" in picture.info
        return np.asarray(picture.convert("RGBA" if clear else "RGB"))
    except Exception as e:  # Pillow's plugins raise whatever they meet, without a common base
        raise BadRowError("picture is damaged", got=str(e)) from e


def fit(
    pixels: NDArray[np.uint8],
    bucket: Size,
    background: tuple[int, int, int],
    mask: NDArray[np.uint8] | None,
    cell: int,
    pad: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture as a bucket takes it: laid on the background, its middle cut out, scaled; or all of it, with pad.

    pixels: (H, W, 3 or 4), mask: (H, W) or None for its alpha. Returns (height, width, 3) uint8, and the mask
    averaged over cells of `cell`² pixels, (height / cell, width / cell) uint8; 255 where there is neither, but 0
    where a picture that is padded is not.
    """
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    if mask is None and pixels.shape[2] == 4:
        mask = pixels[..., 3]
    shares = None if mask is None else PIL.Image.fromarray(np.ascontiguousarray(mask))
    if picture.mode == "RGBA":
        ground = PIL.Image.new("RGBA", picture.size, (*background, 255))
        picture = PIL.Image.alpha_composite(ground, picture).convert("RGB")
    if pad:
        shares = shares or PIL.Image.new("L", picture.size, 255)
        picture, shares = _padded(picture, bucket, background), _padded(shares, bucket, 0)
    box = crop(picture.size, bucket)
    scaled = picture.resize(bucket, PIL.Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    cells = bucket[0] // cell, bucket[1] // cell
    if shares is None:
        return np.asarray(scaled), np.full(cells[::-1], 255, np.uint8)
    return np.asarray(scaled), np.asarray(shares.resize(cells, PIL.Image.Resampling.BOX, box=box))


def _padded(picture: PIL.Image.Image, bucket: Size, background: int | tuple[int, ...]) -> PIL.Image.Image:
    """The picture in the middle of the least canvas of the bucket's shape that holds it."""
    scale = max(picture.width / bucket[0], picture.height / bucket[1])
    size = max(picture.width, round(bucket[0] * scale)), max(picture.height, round(bucket[1] * scale))
    canvas = PIL.Image.new(picture.mode, size, background)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas


def _open(file: BinaryIO) -> PIL.Image.Image:
    formats = ["JXL"] if _is_jxl(file) else _FORMATS
    try:
        return PIL.Image.open(file, formats=formats)
    except PIL.UnidentifiedImageError as e:
        raise BadRowError("not a picture we read", allowed="PNG, JPEG, WebP or JPEG XL") from e
    except Exception as e:  # as above; a "decompression bomb" is one, too
        raise BadRowError("picture is damaged", got=str(e)) from e


def _stored(file: BinaryIO) -> tuple[Size, int]:
    """(width, height) as stored, and the Exif orientation. Raises BadRowError."""
    head = file.read(30)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head), webp_orientation(file)  # Pillow reads a WebP whole to open it
    picture = _open(file)
    return picture.size, orientation(picture, file)


def _is_jxl(file: BinaryIO) -> bool:
    """Whether it is JPEG XL, whose plugin then is there. Raises BadRowError where it is not."""
    found = file.read(12).startswith(_JXL)
    file.seek(0)
    if found:
        try:
            importlib.import_module("pillow_jxl")  # registers itself with Pillow
        except ImportError as e:
            raise BadRowError("JPEG XL needs a plugin", allowed="pip install 'vrm-synth[jxl]'") from e
    return found


def _check_size(size: Size) -> None:
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise BadRowError("picture is too large or empty", got=f"{size[0]}×{size[1]}", allowed=f"{MOST_PIXELS} pixels")


def _webp_size(head: bytes) -> Size:
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
    raise BadRowError("picture is damaged", got="a WebP whose header is none")
