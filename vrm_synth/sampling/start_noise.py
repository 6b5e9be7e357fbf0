"""The noise that a picture starts from: the picture's own, whoever draws it and beside which others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vrm_synth.core.rng import rng


def start_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> torch.Tensor:
    """(n, channels, height, width) float32 on the CPU, normal; row i follows from seeds[i] and the shape alone."""
    rows = [rng(seed, "start noise").standard_normal(shape, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))
