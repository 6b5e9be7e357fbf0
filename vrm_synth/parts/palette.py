"""The few colors that an avatar is painted in: clusters of its texels by area of the surface, in L*a*b*."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.lab_color import lab_from_srgb
from vrm_synth.parts.sums import sum_by

BIN = 4.0  # side of a histogram's cell, in L*a*b* units
RADIUS = 8.0  # colors nearer than this to a cluster's color belong to it
FARTHEST = 14.0  # texels farther than this from every cluster are of none: edges between two colors
MOST = 64  # clusters
LEAST_SHARE = 2e-4  # of the surface's area

NO_CLUSTER = 255  # a texel of no cluster, or one that is not drawn


@dataclass(frozen=True, eq=False)
class ColorPalette:
    """K colors, the largest first.

    lab: (K, 3) L*a*b*.
    """

    lab: Array

    def __len__(self) -> int:
        return len(self.lab)

    def nearest(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(…,) index of the cluster of colors (…, 3) uint8 sRGB; NO_CLUSTER where none is near."""
        flat = rgb.reshape(-1, 3).astype(np.int64)
        codes, back = np.unique(flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2], return_inverse=True)
        out = np.full(len(codes), NO_CLUSTER, np.uint8)
        if len(self.lab):
            for start in range(0, len(codes), 65536):  # bounds the memory that a noisy texture takes
                part = codes[start : start + 65536]
                colors = np.stack([part >> 16, part >> 8 & 255, part & 255], -1) / 255
                apart = np.linalg.norm(lab_from_srgb(colors)[:, None] - self.lab[None], axis=-1)
                best = apart.argmin(1)
                near = apart[np.arange(len(part)), best] <= FARTHEST
                out[start : start + 65536] = np.where(near, best, NO_CLUSTER)
        return out[back].reshape(rgb.shape[:-1])


def find_palette(rgb: NDArray[np.uint8], weight: Array) -> ColorPalette:
    """Cluster colors (N, 3) uint8 by weight (N,): the heaviest cell takes what is near it, then the next does."""
    if not len(rgb) or weight.sum() <= 0:
        return ColorPalette(np.zeros((0, 3)))
    lab = lab_from_srgb(rgb / 255)
    cells, back = np.unique(np.round(lab / BIN).astype(np.int64), axis=0, return_inverse=True)
    back = back.reshape(-1)
    total = sum_by(back, weight, len(cells))
    mean = np.stack([sum_by(back, weight * lab[:, k], len(cells)) for k in range(3)], -1)
    mean /= np.maximum(total, 1e-30)[:, None]
    left = total / total.sum()
    centers: list[Array] = []
    while len(centers) < MOST and left.max() >= LEAST_SHARE / 10:
        center = mean[left.argmax()]
        near = (np.linalg.norm(mean - center, axis=1) <= RADIUS) & (left > 0)
        share = left[near]
        if share.sum() >= LEAST_SHARE:
            centers.append((mean[near] * share[:, None]).sum(0) / share.sum())
        left[near] = 0.0
    return ColorPalette(np.array(centers).reshape(-1, 3))
