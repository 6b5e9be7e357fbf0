"""Checks of a rendered picture: it must not be empty, black, blown out or of another size.

A gate against faults of drivers, files and recipes that would otherwise pass silently, not a judge of taste: what it
refuses shows nothing that a caption could be true of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLACK = 8  # of 255: no channel of a seen pixel is brighter
WHITE = 0xFFFFFF  # of a packed pixel: every channel is 255
NEARLY_ALL = 0.995  # of what is seen
_RGB, _LOW_BITS, _TOP_BIT = 0xFFFFFF, 0x7F7F7F, 0x808080  # of the three colours of a packed pixel
_ABOVE_BLACK = (127 - BLACK) * 0x010101  # added to the low bits, it carries into the top bit where they exceed BLACK

Packed = NDArray[np.uint32]


def find_fault(rgba: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """The fault of a picture (H, W, 4) uint8, straight alpha; "" where it has none. size: (width, height) wanted.

    Looks at whole pixels, packed as 0xAABBGGRR: 0.2 CPU-ms of a 512² picture, where comparisons of single channels
    took 4 (benchmarks/small_stages.py).
    """
    if rgba.shape[1::-1] != size:
        return f"{rgba.shape[1]}×{rgba.shape[0]} pixels, where {size[0]}×{size[1]} were wanted"
    pixels: Packed = np.ascontiguousarray(rgba).view("<u4")[..., 0]
    foreground = pixels != pixels[0, 0]  # the corner is background in nearly every picture
    if not foreground.any():
        return "empty: every pixel is the same"
    seen = pixels[foreground & (pixels > _RGB)]  # alpha above 0
    if not len(seen):
        return "empty: nothing that can be seen"
    if _share(_is_black(seen)) >= NEARLY_ALL:
        return "black"
    if _share((seen & _RGB) == WHITE) >= NEARLY_ALL:
        return "blown out: all white"
    return ""


def _is_black(pixels: Packed) -> NDArray[np.bool_]:
    """True if no color channel of a packed pixel exceeds BLACK."""
    return ((pixels & _LOW_BITS) + _ABOVE_BLACK | pixels) & _TOP_BIT == 0


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / len(mask)
