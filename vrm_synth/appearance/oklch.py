"""OKLCh of sRGB colors: lightness, chroma and hue as an eye orders them, blue and violet apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.core.color import linear_from_srgb

_LMS_FROM_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB_FROM_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
DIGITS = 4  # to which values are rounded, so that every machine reads the same


def oklch_from_srgb(encoded: ArrayLike) -> NDArray[np.float64]:
    """(…, 3) lightness 0..100, chroma (percent) and hue (degrees, 0 up to 360) of sRGB colors (…, 3) in 0..1."""
    linear = np.asarray(linear_from_srgb(encoded), np.float64)
    lms = np.cbrt(np.sum(linear[..., None, :] * _LMS_FROM_RGB, -1))
    lab = np.sum(lms[..., None, :] * _OKLAB_FROM_LMS, -1)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360.0
    out = np.stack([100 * lab[..., 0], 100 * chroma, hue], -1)
    return np.asarray(np.round(out, DIGITS))
