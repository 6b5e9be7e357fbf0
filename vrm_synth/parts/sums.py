"""Sums by group: np.bincount with weights, as float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array


def sum_by(group: NDArray[np.integer], values: Array, count: int) -> Array:
    """(count,) sum of the values (N,) of each group (N,) in 0..count − 1."""
    return np.bincount(group, values, count).astype(np.float64)


def shares(values: Array) -> Array:
    """Non-negative values as shares of their sum; zeros where that is 0."""
    return np.asarray(values / max(float(values.sum()), 1e-30))
