"""The choice among ways to say the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from vrm_synth.caption.clip_tokens import count_tokens
from vrm_synth.core.rng import rng


class Choice:
    """Picks wordings for one picture; each slot draws from its own random stream, so that all combinations occur.

    brief: pick the alternative of the fewest tokens instead, for captions that would be too long.
    """

    def __init__(self, seed: int, *, brief: bool = False):
        self._seed, self.brief = seed, brief
        self._drawn: dict[str, float] = {}

    def __call__(self, slot: str, alternatives: Sequence[str]) -> str:
        """One of the alternatives, the same at every call."""
        if len(alternatives) == 1:
            return alternatives[0]
        if self.brief:
            return _briefest(tuple(alternatives))
        if slot not in self._drawn:
            self._drawn[slot] = float(rng(self._seed, f"caption {slot}").random())
        return alternatives[int(self._drawn[slot] * len(alternatives))]


@lru_cache(maxsize=1024)
def _briefest(alternatives: tuple[str, ...]) -> str:
    return min(alternatives, key=count_tokens)
