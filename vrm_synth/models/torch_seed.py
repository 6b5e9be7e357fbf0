"""Torch's own random numbers, which new weights are drawn from, seeded for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Context in which torch's CPU generator starts from `seed`; afterwards its state is what it was before.

    diffusers, transformers and peft initialize weights from torch's global generator and take no other. Everything else
    that is drawn by chance comes from core/rng.py.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
