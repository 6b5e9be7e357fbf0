"""Initial noise of images: each image's depends on its own seed only, not on its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vrm_synth.core.rng import rng


def initial_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> torch.Tensor:
    """Standard normal noise, (n, channels, height, width) float32 on the CPU; row i depends on seeds[i] and shape."""
    rows = [rng(seed, "start noise").standard_normal(shape, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))
