"""CIE L*a*b* of sRGB colors (D65) and back, in which distance is about what an eye sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.core.color import linear_from_srgb, srgb_from_linear

_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_FROM_XYZ = np.linalg.inv(_XYZ_FROM_RGB)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab_from_srgb(encoded: ArrayLike) -> NDArray[np.float64]:
    """(…, 3) L* in 0..100, a* and b* of sRGB colors (…, 3) in 0..1."""
    xyz = linear_from_srgb(encoded) @ _XYZ_FROM_RGB.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def srgb_from_lab(lab: ArrayLike) -> NDArray[np.float64]:
    """(…, 3) sRGB in 0..1 of CIE L*a*b* colors (…, 3), clipped to what a screen shows."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * _WHITE
    linear = np.sum(xyz[..., None, :] * _RGB_FROM_XYZ, -1)
    return np.asarray(srgb_from_linear(np.clip(linear, 0.0, 1.0)))
