"""A shuffle that can be asked for any one of its places: nothing is stored, whatever the length.

A Feistel network permutes 2^k numbers, whatever its round function; numbers that come out at n or above are put
through again until they fall below (Black and Rogaway, 2002: "cycle walking"), which makes it one of 0 … n − 1.
With k even, at most a factor of four too large, that takes under four turns on average. Halves of a few bits mix
badly (of ten things, neighbours stay neighbours), so a few things are shuffled in the plain way.

Rejected: `Generator.permutation(n)` an epoch, which is 0.6 s and 88 MB for 11 million at every resume, and as much
for every source and bucket; a linear congruence a·i + b mod n, whose neighbours stay a fixed stride apart.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.rng import rng

ROUNDS = 6
FEW = 1 << 12


def permute(places: NDArray[np.int64], n: int, seed: int, stream: str, i: int = 0) -> NDArray[np.int64]:
    """places (m,) in 0 … n − 1 → what the shuffle (seed, stream, i) of n things has there, (m,) int64."""
    if n <= 1:
        return np.zeros_like(places)
    if n <= FEW:
        return _shuffle(n, seed, stream, i)[places]
    half = ((n - 1).bit_length() + 1) // 2
    keys = _keys(seed, stream, i)
    out = _feistel(places.astype(np.uint64), half, keys)
    while (outside := out >= n).any():
        out[outside] = _feistel(out[outside], half, keys)
    return out.astype(np.int64)


@lru_cache(maxsize=256)
def _shuffle(n: int, seed: int, stream: str, i: int) -> NDArray[np.int64]:
    return rng(seed, f"permutation {stream}", i).permutation(n)


@lru_cache(maxsize=1024)
def _keys(seed: int, stream: str, i: int) -> tuple[np.uint64, ...]:
    return tuple(rng(seed, f"permutation {stream}", i).integers(0, 1 << 64, ROUNDS, dtype=np.uint64))


def _feistel(x: NDArray[np.uint64], half: int, keys: tuple[np.uint64, ...]) -> NDArray[np.uint64]:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = x >> bits, x & mask
    for key in keys:
        left, right = right, left ^ (_mix(right + key) & mask)
    return left << bits | right


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): every bit of x reaches every bit."""
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
