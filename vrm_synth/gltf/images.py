"""Find and decode the images of a glTF file: sizes are checked from their headers before anything is decoded.

The headers are parsed here rather than by Pillow: opening a WebP already allocates its canvas, and a
decompression bomb should cost nothing.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Collection

import numpy as np
import PIL.Image
import pygltflib
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.accessors import BufferBytes, data_uri, refuse_external
from vrm_synth.gltf.codecs import ktx2
from vrm_synth.gltf.codecs.decoder import Decoder
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.model import Image
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.io.image_integrity import check_container
from vrm_synth.io.png_bit_depth import to_eight_bit

_BAND_ROWS = 64  # rows that _rgba converts at a time
_PILLOW_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def read_images(
    gltf: pygltflib.GLTF2, buffers: BufferBytes, wanted: Collection[int], limits: Limits, oddities: Oddities
) -> tuple[Image | None, ...]:
    """Decode the images whose indices are `wanted`; the others (a thumbnail) are None.

    Sizes and completeness of all are checked before the first is decoded. Raises AvatarError for
    a format other than PNG, JPEG, WebP and KTX 2, for damaged data, beyond the limits, and for a URI that leads
    out of the file.
    """
    for i, image in enumerate(gltf.images):
        if image.uri is not None:  # refused even where nothing uses it
            refuse_external(image.uri, f"images[{i}].uri")
    found: dict[int, tuple[str, memoryview]] = {}
    pixels = 0
    for i in sorted(wanted):
        where = f"images[{i}]"
        data = _image_bytes(gltf.images[i], buffers, limits, where)
        mime, width, height = read_header(data, where)
        if not (0 < width <= limits.image_side and 0 < height <= limits.image_side):
            raise AvatarError(
                "picture is too large" if width and height else "picture is empty",
                got=f"{width}×{height}",
                allowed=f"1 to {limits.image_side} each way",
                where=where,
            )
        if mime == "image/ktx2":
            ktx2.check(data, where)
        pixels += width * height
        if pixels > limits.image_pixels:
            raise AvatarError(
                "pictures have too many pixels together", got=pixels, allowed=limits.image_pixels, where=where
            )
        if gltf.images[i].mimeType not in ("", mime):
            oddities.add(f"{where} says {gltf.images[i].mimeType} but is {mime}")
        found[i] = (mime, data)
    for i, (mime, data) in found.items():
        check_container(data, mime, f"images[{i}]")
    return tuple(
        Image(gltf.images[i].name, found[i][0], _decode(found[i][1], found[i][0], buffers.decoder, f"images[{i}]"))
        if i in found
        else None
        for i in range(len(gltf.images))
    )


def _image_bytes(image: pygltflib.Image, buffers: BufferBytes, limits: Limits, where: str) -> memoryview:
    if image.bufferView is not None:
        return buffers.view(image.bufferView, f"{where}.bufferView")
    if image.uri is not None:
        return memoryview(data_uri(image.uri, limits, f"{where}.uri"))
    raise AvatarError("picture has neither a bufferView nor a uri", where=where)


def read_header(data: memoryview, where: str) -> tuple[str, int, int]:
    """Return (MIME type, width, height) from an image's first bytes. Raises AvatarError for an unknown format."""
    head = bytes(data[:64])
    size: tuple[int, int] | None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        mime, size = (
            "image/png",
            struct.unpack(">II", head[16:24]) if head[12:16] == b"IHDR" and len(head) > 24 else None,
        )
    elif head.startswith(b"\xff\xd8\xff"):
        mime, size = "image/jpeg", _jpeg_size(data)
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        mime, size = "image/webp", _webp_size(head)
    elif head.startswith(ktx2.IDENTIFIER):
        mime, size = "image/ktx2", ktx2.size(data)
    else:
        raise AvatarError(
            "picture is in no known format",
            got=f"data that starts with {head[:8]!r}" if head else "no data",
            allowed="PNG, JPEG, WebP or KTX 2",
            where=where,
        )
    if size is None:
        raise AvatarError("picture's header is damaged", got=mime, where=where)
    return mime, size[0], size[1]


def _jpeg_size(data: memoryview) -> tuple[int, int] | None:
    """(width, height) of a JPEG: walk the marker segments to the frame header (ITU T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a segment
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        elif marker in (0xD9, 0xDA):  # the picture's data, and no frame header before it
            return None
        else:
            at += 2 + int(struct.unpack_from(">H", data, at + 2)[0])
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) of the canvas of a lossy, lossless or extended WebP (RFC 9649, 2.4 to 2.7)."""
    kind = head[12:16]
    if len(head) < 30:
        return None
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _decode(data: memoryview, mime: str, decoder: Decoder, where: str) -> NDArray[np.uint8]:
    """Decode to (H, W, 4) uint8, read-only; color profiles are ignored, 16 bits become 8, as in browsers for WebGL."""
    if mime == "image/ktx2":
        return ktx2.decode(data, decoder, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata; a damaged picture is an error
            picture: PIL.Image.Image = PIL.Image.open(io.BytesIO(data), formats=(_PILLOW_FORMATS[mime],))
            picture.load()
            pixels = _rgba(to_eight_bit(picture, data))
    # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError … on damaged
    # data, without a common base; whatever they raise, the picture is damaged.
    except Exception as e:
        raise AvatarError(f"picture is damaged: {e}", got=mime, where=where) from e
    pixels.setflags(write=False)
    return pixels


def _rgba(picture: PIL.Image.Image) -> NDArray[np.uint8]:
    """Convert an 8-bit image to (H, W, 4) uint8, in bands of rows to bound the memory of the conversion."""
    out = np.empty((picture.height, picture.width, 4), np.uint8)
    for top in range(0, picture.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, picture.height)
        out[top:bottom] = np.asarray(picture.crop((0, top, picture.width, bottom)).convert("RGBA"))
    return out
