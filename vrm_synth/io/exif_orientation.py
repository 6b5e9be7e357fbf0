"""Exif orientation of images: the turn or mirroring with which they are shown, in every format.

Exif 2.32, 4.6.4: orientation 1 is as stored; 2 to 4 are mirrored or upside down; in 5 to 8 rows are columns. JPEG
holds the block in its head (a file of several pictures, MPO, too). PNG has it before its pixels or after them (PNG 3rd
edition, 5.6), WebP after them (RFC 9649, 2.7). JPEG XL is decoded upright: there the codestream says it, and Exif does
not count (ISO/IEC 18181-2).
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import PIL.Image
from PIL.Image import Transpose

_TAG = 0x0112
_TRANSPOSES = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange width and height
_PNG_TAIL = 1 << 17  # bytes from the end of a PNG that are searched: an Exif block of 64 KiB, and metadata after it
_LONGEST_EXIF = 1 << 20  # bytes
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04  # flags of VP8X: such a chunk is there
_MOST_CHUNKS = 1 << 16  # of a WebP: an animation has one a frame


def orientation(picture: PIL.Image.Image, file: BinaryIO) -> int:
    """Read the orientation, 1 to 8, of an image that Pillow has opened from `file`, without decoding it; 1 where the
    block is damaged."""
    if picture.format == "JXL":
        return 1
    if picture.format == "WEBP":
        return webp_orientation(file)
    if picture.format == "PNG" and "exif" not in picture.info and (exif := _png_tail_exif(file)):
        picture.info["exif"] = exif
    return _orientation_tag(picture)


def webp_orientation(file: BinaryIO) -> int:
    """Read the orientation, 1 to 8, of a WebP from its chunks alone, because Pillow decodes a whole WebP to open it."""
    at = file.tell()
    try:
        metadata_holder = PIL.Image.new("1", (1, 1))
        metadata_holder.info.update(_webp_metadata(file))
    finally:
        file.seek(at)
    return _orientation_tag(metadata_holder) if metadata_holder.info else 1


def apply_orientation(picture: PIL.Image.Image, file: BinaryIO) -> PIL.Image.Image:
    """Turn an image as its Exif block asks. Raises what Pillow raises where it cannot be decoded."""
    turn = _TRANSPOSES.get(orientation(picture, file))
    return picture if turn is None else picture.transpose(turn)


def _orientation_tag(picture: PIL.Image.Image) -> int:
    """The tag in the metadata that Pillow has read. PNG's own `getexif` would decode the picture to look behind it."""
    try:
        orientation = int(PIL.Image.Image.getexif(picture).get(_TAG, 1))
    except Exception:  # a block that is damaged in any way: the picture stands as it is stored
        return 1
    return orientation if orientation in _TRANSPOSES else 1


def _png_tail_exif(file: BinaryIO) -> bytes | None:
    """The eXIf chunk behind the pixels. It is found by its name and its checksum, for only the way through all chunks
    of pixels would lead to it."""
    at = file.tell()
    try:
        end = file.seek(0, 2)
        file.seek(max(0, end - _PNG_TAIL))
        tail = file.read(_PNG_TAIL)
    finally:
        file.seek(at)
    offset = tail.rfind(b"eXIf")
    while offset >= 4:
        (length,) = struct.unpack_from(">I", tail, offset - 4)
        stop = offset + 4 + length
        if stop + 4 <= len(tail) and zlib.crc32(tail[offset:stop]) == int.from_bytes(tail[stop : stop + 4], "big"):
            return tail[offset + 4 : stop]
        offset = tail.rfind(b"eXIf", 0, offset)
    return None


def _webp_metadata(file: BinaryIO) -> dict[str, bytes]:
    """Its Exif and XMP chunks, named as Pillow names them; none where its head says that there are none."""
    file.seek(0)
    head = file.read(21)
    if len(head) < 21 or head[12:16] != b"VP8X" or not head[20] & (_WEBP_EXIF | _WEBP_XMP):
        return {}
    chunk_kinds = {b"EXIF": ("exif", _WEBP_EXIF), b"XMP ": ("xmp", _WEBP_XMP)}
    metadata: dict[str, bytes] = {}
    offset = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(offset)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        length = int.from_bytes(chunk[4:], "little")
        name, flag = chunk_kinds.get(chunk[:4], ("", 0))
        if name and head[20] & flag and name not in metadata and length <= _LONGEST_EXIF:
            metadata[name] = file.read(length)
        offset += 8 + length + length % 2
    return metadata
