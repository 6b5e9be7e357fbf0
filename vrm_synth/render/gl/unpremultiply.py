"""Straight alpha on the CPU, for pictures of one sample a pixel: only what is half seen needs work.

The same in a shader over the whole picture (resolve.glsl, which supersampled ones need anyway) took 1.3 to 1.6 ms of
a 512² picture on llvmpipe; this takes 0.12, and reading back 0.2, for the same bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP, _SOME = np.uint32(1 << 24), np.uint32(254 << 24)


def straightened(premultiplied: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 with premultiplied colour, changed in place and returned, with straight colour."""
    texels = premultiplied.view("<u4")[..., 0]
    half_seen = np.flatnonzero(texels - _STEP < _SOME)  # alpha 0 wraps round; neither it nor 255 is less
    if len(half_seen):
        rows = premultiplied.reshape(-1, 4)
        some = rows[half_seen].astype(np.int32)
        alpha = some[:, 3:]
        some[:, :3] = np.minimum((some[:, :3] * 510 + alpha) // (2 * alpha), 255)
        rows[half_seen] = some
    return premultiplied
