"""The sRGB curve (IEC 61966-2-1), both ways."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear_from_srgb(encoded: ArrayLike) -> NDArray[np.float64]:
    """Linear light of encoded values, both 0..1."""
    e = np.asarray(encoded, np.float64)
    return np.where(e <= 0.04045, e / 12.92, ((e + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: ArrayLike) -> NDArray[np.float64]:
    """Encoded values of linear light, both 0..1."""
    v = np.asarray(linear, np.float64)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * np.maximum(v, 0.0) ** (1 / 2.4) - 0.055)
