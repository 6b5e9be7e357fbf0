"""Mip chains made on the CPU: each texel is the mean, in linear light, of the four above it.

llvmpipe makes a 1024² chain in 5 ms, but before its first one it compiles shaders for 80, in every process, which no
cache of its own keeps. Here a 1024² chain takes 12 ms, and levels can be kept on disk. Four 16-bit channels go
through one 64-bit addition a texel: a texel's channels are 14 bits wide, so that the sum of four fits in 16.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.color import linear_from_srgb, srgb_from_linear

_WHITE = 16383  # of a channel; times four it fits in 16 bits
_ALPHA = 64  # 14 bits for each step of an 8-bit number that is linear already
_BAND = 32  # rows of a picture, an even number
_TWO = np.uint64(0x0002_0002_0002_0002)
_14_BITS = np.uint64(0x3FFF_3FFF_3FFF_3FFF)

Level = NDArray[np.uint8]


def mip_chain(pixels: Level, srgb: bool) -> list[Level]:
    """Make levels 1, 2, … down to 1 × 1 of a picture, which is level 0: (H, W, 4) uint8 → (max(1, H // 2), …, 4) uint8.

    srgb: red, green and blue are sRGB-encoded; alpha and everything else is linear. An odd side is halved by linear
    interpolation at the new texels' centres, as drivers do.
    """
    if max(pixels.shape[:2]) == 1:
        return []
    sums = _sums_of_fours(pixels, srgb)
    levels = [_encoded(sums, srgb)]
    while max(sums.shape) > 1:
        sums = _halved((sums + _TWO) >> np.uint64(2) & _14_BITS)
        levels.append(_encoded(sums, srgb))
    return levels


def _sums_of_fours(pixels: Level, srgb: bool) -> NDArray[np.uint64]:
    """`_halved` of the decoded picture, band by band where its height is even, which stays in the processor's cache."""
    height, width = pixels.shape[:2]
    if height % 2:
        return _halved(_decoded(pixels, srgb))
    sums = np.empty((height // 2, max(1, width // 2)), "<u8")
    for at in range(0, height, _BAND):
        sums[at // 2 : (at + _BAND) // 2] = _halved(_decoded(pixels[at : at + _BAND], srgb))
    return sums


def _halved(wide: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Four times the mean of each four."""
    return _sum_of_pairs(_sum_of_pairs(wide, 0), 1)


def _decoded(pixels: Level, srgb: bool) -> NDArray[np.uint64]:
    """(H, W): four channels of 14 bits, each in 16."""
    if srgb:
        wide = _decoding()[pixels]
        wide[..., 3] = pixels[..., 3] * np.uint16(_ALPHA)
    else:
        wide = pixels * np.uint16(_ALPHA)
    return wide.view("<u8")[..., 0]


def _sum_of_pairs(wide: NDArray[np.uint64], axis: int) -> NDArray[np.uint64]:
    """Half as many along an axis, each twice the mean of its two (of one, where there is but one)."""
    count = wide.shape[axis]
    along = np.moveaxis(wide, axis, 0)
    if count == 1:
        out = along + along
    elif count % 2 == 0:
        out = along[0::2] + along[1::2]
    else:
        half = count // 2
        centre = (np.arange(half) + 0.5) * count / half - 0.5
        first = centre.astype(np.intp)
        share = (centre - first).reshape(-1, *[1] * along.ndim)
        channels = np.ascontiguousarray(along).view("<u2").reshape(*along.shape, 4).astype(np.float64)
        mixed = 2 * (channels[first] * (1 - share) + channels[first + 1] * share)
        out = np.rint(mixed).astype("<u2").view("<u8")[..., 0]
    return np.moveaxis(out, 0, axis)


def _encoded(sums: NDArray[np.uint64], srgb: bool) -> Level:
    channels = np.ascontiguousarray(sums).view("<u2").reshape(*sums.shape, 4)
    if not srgb:
        return (channels + np.uint16(2 * _ALPHA) >> np.uint16(8)).astype(np.uint8)
    out = _encoding()[channels]
    out[..., 3] = channels[..., 3] + np.uint16(2 * _ALPHA) >> np.uint16(8)
    return out


@cache
def _decoding() -> NDArray[np.uint16]:
    return np.rint(linear_from_srgb(np.arange(256) / 255.0) * _WHITE).astype("<u2")


@cache
def _encoding() -> Level:
    return np.rint(srgb_from_linear(np.minimum(np.arange(65536) / (4.0 * _WHITE), 1.0)) * 255.0).astype(np.uint8)
