"""The only source of randomness: keyed by position, never by history."""

from __future__ import annotations

import hashlib

import numpy as np


def rng(seed: int, stream: str, i: int = 0) -> np.random.Generator:
    """A generator that depends on (seed, stream, i) and on nothing else.

    seed: any integer; stream: what is drawn ("camera", "pose"), so that adding a new kind of
    randomness leaves the others as they were; i: the shot's index.
    """
    digest = hashlib.sha256(f"{seed}\0{stream}\0{i}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
