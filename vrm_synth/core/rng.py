"""Random number generators keyed by (seed, stream, index), never by history.

Everything that is drawn by chance comes from here, but for the weights of new networks and adapters: those come from
torch's own generator, seeded by the run's seed (models/torch_seed.py).
"""

from __future__ import annotations

import hashlib

import numpy as np


def rng(seed: int, stream: str, i: int = 0) -> np.random.Generator:
    """A generator that depends on (seed, stream, i) and on nothing else.

    seed: any integer. stream: name of what is drawn ("camera", "pose"), so that a new kind of randomness leaves the
    others as they were; renaming a stream changes what it draws. i: an index, of a shot for example.
    """
    digest = hashlib.sha256(f"{seed}\0{stream}\0{i}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
