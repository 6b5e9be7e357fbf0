"""KHR_texture_basisu: check the header of a KTX 2 image (KTX 2.0, 3), then decode it in the decoder process."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.codecs.decoder import Decoder

IDENTIFIER = b"\xabKTX 20\xbb\r\n\x1a\n"
# vkFormat … supercompressionScheme; dfd, kvd (offset, length); sgd (offset, length); then the level index
_HEADER = struct.Struct("<12s9I4I2Q")
_LEVEL = struct.Struct("<3Q")
_NONE, _BASIS_LZ, _ZSTD = 0, 1, 2
# KTX 2.0's data format descriptor (Khronos Data Format, 5.6): the color model is the byte after 4 of total size
# and 8 of the block's header.
_MODEL = 12
_ETC1S, _UASTC = 163, 166


def size(data: memoryview) -> tuple[int, int] | None:
    """Return (width, height) in pixels, or None where the header is cut short."""
    if len(data) < _HEADER.size:
        return None
    _, _, _, width, height, *_ = _HEADER.unpack_from(data)
    return width, height


def check(data: memoryview, where: str) -> None:
    """Raise AvatarError for anything but one complete 2D image of Basis Universal (ETC1S or UASTC).

    Call it with data whose size() is not None.
    """
    header = _HEADER.unpack_from(data)
    _, vk_format, _, width, height, depth, layers, faces, levels, scheme = header[:10]
    if vk_format != 0:
        raise AvatarError(
            "KTX 2 picture is not of Basis Universal", got=f"vkFormat {vk_format}", allowed="0", where=where
        )
    if depth or layers > 1 or faces != 1 or levels > 32:
        raise AvatarError(
            "KTX 2 data is not one picture",
            got=f"depth {depth}, {layers} layers, {faces} faces, {levels} levels",
            allowed="depth 0, at most 1 layer, 1 face, at most 32 levels",
            where=where,
        )
    if scheme not in (_NONE, _BASIS_LZ, _ZSTD):
        raise AvatarError("unknown supercompression", got=scheme, allowed="0, 1 or 2", where=where)
    spans = {"descriptor": header[10:12], "key/values": header[12:14], "supercompression": header[14:16]}
    table = _HEADER.size + max(levels, 1) * _LEVEL.size
    if table > len(data):
        raise AvatarError("KTX 2 picture is cut short", got=f"{len(data)} bytes", allowed=table, where=where)
    for k in range(max(levels, 1)):
        offset, length, unpacked = _LEVEL.unpack_from(data, _HEADER.size + k * _LEVEL.size)
        spans[f"level {k}"] = (offset, length)
        blocks = -(-max(width >> k, 1) // 4) * -(-max(height >> k, 1) // 4)
        if scheme != _BASIS_LZ and unpacked != 16 * blocks:
            raise AvatarError(
                f"level {k} of a KTX 2 picture has the wrong size", got=unpacked, allowed=16 * blocks, where=where
            )
    for name, (offset, length) in spans.items():
        if offset + length > len(data):
            raise AvatarError(
                f"{name} of a KTX 2 picture runs past its end", got=offset + length, allowed=len(data), where=where
            )
    offset, length = spans["descriptor"]
    model = data[offset + _MODEL] if length > _MODEL else None
    if model != (_ETC1S if scheme == _BASIS_LZ else _UASTC):
        raise AvatarError(
            "KTX 2 picture is in no known form",
            got=f"color model {model} with supercompression {scheme}",
            allowed="ETC1S (163) with 1, UASTC (166) with 0 or 2",
            where=where,
        )


def decode(data: memoryview, decoder: Decoder, where: str) -> NDArray[np.uint8]:
    """Decode an image that has passed check() to (H, W, 4) uint8 RGBA; without an alpha channel alpha is 255."""
    found = size(data)
    assert found is not None  # check() was called
    width, height = found
    request = {"width": width, "height": height}
    pixels = decoder.decode("basis", request, data, width * height * 4, where).get("pixels")
    if pixels is None or pixels.dtype != np.uint8 or pixels.shape != (height, width, 4):
        raise AvatarError(
            "picture's decoder gave another size than its header", allowed=f"{width}×{height}", where=where
        )
    return pixels
