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

LEVEL_BITS = 6  # of a channel's eight that count
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
        """(…,) index of the cluster of colors (…, 3) uint8 sRGB; NO_CLUSTER where none is near.

        Colors count as the middle of their step of LEVEL_BITS bits a channel: a table is faster than sorting texels.
        """
        codes = _codes(rgb)
        table = np.full(1 << 3 * LEVEL_BITS, NO_CLUSTER, np.uint8)
        used = np.flatnonzero(np.bincount(codes.reshape(-1), minlength=len(table)))
        if len(self.lab):
            for part in np.array_split(used, max(1, len(used) >> 15)):  # bounds the memory that a noisy texture takes
                apart = np.linalg.norm(_lab_of(part)[:, None] - self.lab[None], axis=-1)
                best = apart.argmin(1)
                near = apart[np.arange(len(part)), best] <= FARTHEST
                table[part] = np.where(near, best, NO_CLUSTER)
        return np.asarray(table[codes])


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.intp]:
    """(…,) number of the step of each color (…, 3)."""
    steps = (rgb >> (8 - LEVEL_BITS)).astype(np.intp)
    return steps[..., 0] << 2 * LEVEL_BITS | steps[..., 1] << LEVEL_BITS | steps[..., 2]


def _lab_of(codes: NDArray[np.intp]) -> Array:
    """(N, 3) L*a*b* of the middles of steps."""
    mask = (1 << LEVEL_BITS) - 1
    steps = np.stack([codes >> 2 * LEVEL_BITS, codes >> LEVEL_BITS & mask, codes & mask], -1)
    return lab_from_srgb(np.clip((steps + 0.5) * (256 / (1 << LEVEL_BITS)) - 0.5, 0, 255) / 255)


def find_palette(rgb: NDArray[np.uint8], weight: Array) -> ColorPalette:
    """Cluster colors (N, 3) uint8 by weight (N,): the heaviest cell takes what is near it, then the next does."""
    if not len(rgb) or weight.sum() <= 0:
        return ColorPalette(np.zeros((0, 3)))
    by_code = sum_by(_codes(rgb), weight, 1 << 3 * LEVEL_BITS)
    used = np.flatnonzero(by_code)
    lab, own = _lab_of(used), by_code[used]
    cells, back = np.unique(np.round(lab / BIN).astype(np.int64), axis=0, return_inverse=True)
    back = back.reshape(-1)
    total = sum_by(back, own, len(cells))
    mean = np.stack([sum_by(back, own * lab[:, k], len(cells)) for k in range(3)], -1)
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
