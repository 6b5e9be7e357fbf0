"""The choice among ways to say the same."""

from __future__ import annotations

from collections.abc import Sequence

from vrm_synth.core.rng import rng


class Choice:
    """Picks wordings for one picture; each slot draws from its own random stream, so that all combinations occur."""

    def __init__(self, seed: int):
        self._seed = seed
        self._drawn: dict[str, float] = {}

    def __call__(self, slot: str, alternatives: Sequence[str]) -> str:
        """One of the alternatives, the same at every call."""
        if len(alternatives) == 1:
            return alternatives[0]
        if slot not in self._drawn:
            self._drawn[slot] = float(rng(self._seed, f"caption {slot}").random())
        return alternatives[int(self._drawn[slot] * len(alternatives))]
