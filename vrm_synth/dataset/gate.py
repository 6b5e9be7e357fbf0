"""What a picture must not be: empty, black, blown out, of another size. Looked at one by one as they are drawn.

A gate against faults of drivers, files and recipes that would otherwise pass silently, not a judge of taste: what it
refuses shows nothing that a caption could be true of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLACK = 8  # of 255: no channel of a seen pixel is brighter
WHITE = 255
NEARLY_ALL = 0.995  # of what is seen


def fault(rgba: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Why a picture (H, W, 4) uint8, straight alpha, may not be kept; "" where it may. size: (width, height) wanted."""
    if rgba.shape[1::-1] != size:
        return f"{rgba.shape[1]}×{rgba.shape[0]} pixels, where {size[0]}×{size[1]} were wanted"
    colors = np.ascontiguousarray(rgba).view("<u4")[..., 0]
    if (colors == colors[0, 0]).all():
        return "empty: every pixel is the same"
    seen = rgba[(rgba[..., 3] > 0) & (colors != colors[0, 0])]  # the corner is background in nearly every picture
    if not len(seen):
        return "empty: nothing that can be seen"
    if (seen[:, :3].max(1) <= BLACK).mean() >= NEARLY_ALL:
        return "black"
    if (seen[:, :3].min(1) == WHITE).mean() >= NEARLY_ALL:
        return "blown out: all white"
    return ""
