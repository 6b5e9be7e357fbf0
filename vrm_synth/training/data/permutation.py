"""Random permutation that can be evaluated at any position: nothing is stored, whatever the length.

A Feistel network permutes 2^k numbers, whatever its round function; numbers that come out at n or above are put
through again until they fall below (Black and Rogaway, 2002: "cycle walking"), which makes it one of 0 … n − 1.
With k even, at most a factor of four too large, that takes under four turns on average. Halves of a few bits mix
badly (of ten items, neighbors stay neighbors), so short permutations are shuffled and kept.

Rejected: `Generator.permutation(n)` an epoch, which is 0.6 s and 88 MB for 11 million at every resume, and as much
for every source and bucket; a linear congruence a·i + b mod n, whose neighbours stay a fixed stride apart.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.rng import rng

ROUNDS = 6
MAX_STORED_LENGTH = 1 << 12  # permutations up to this length are shuffled once and kept in memory


def permute(positions: NDArray[np.int64], n: int, seed: int, stream_name: str, index: int = 0) -> NDArray[np.int64]:
    """Evaluate the random permutation (seed, stream_name, index) of 0 … n − 1 at some positions.

    positions: (m,) int64, 0 … n − 1.
    index: number of the permutation in its stream, such as an epoch.
    Returns (m,) int64, 0 … n − 1.
    """
    if n <= 1:
        return np.zeros_like(positions)
    if n <= MAX_STORED_LENGTH:
        return _shuffle(n, seed, stream_name, index)[positions]
    half = ((n - 1).bit_length() + 1) // 2
    keys = _keys(seed, stream_name, index)
    out = _feistel(positions.astype(np.uint64), half, keys)
    while (outside := out >= n).any():  # cycle walking
        out[outside] = _feistel(out[outside], half, keys)
    return out.astype(np.int64)


@lru_cache(maxsize=256)
def _shuffle(n: int, seed: int, stream_name: str, index: int) -> NDArray[np.int64]:
    return rng(seed, f"permutation {stream_name}", index).permutation(n)


@lru_cache(maxsize=1024)
def _keys(seed: int, stream_name: str, index: int) -> tuple[np.uint64, ...]:
    return tuple(rng(seed, f"permutation {stream_name}", index).integers(0, 1 << 64, ROUNDS, dtype=np.uint64))


def _feistel(x: NDArray[np.uint64], half: int, keys: tuple[np.uint64, ...]) -> NDArray[np.uint64]:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = x >> bits, x & mask
    for key in keys:
        left, right = right, left ^ (_mix(right + key) & mask)
    return left << bits | right


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea and Flood, 2014): every bit of x reaches every bit."""
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
