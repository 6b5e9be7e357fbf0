"""Weighted choices of a recipe (one name, a list of names, or names with weights), and drawing from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.rng import rng
from vrm_synth.yaml_models.strict_yaml import RefusedError

Weights = Mapping[str, float]


def read(value: Any, allowed: Callable[[str], Iterable[str]], known: Iterable[str]) -> dict[str, float]:
    """name → weight, above 0, in the order written; repeated names add up.

    value: "bust", [bust, full] or {bust: 2, full: 1}. allowed: a written name → the names it stands for, none
    where it is unknown. known: names for the error message. Raises RefusedError.
    """
    known = tuple(known)
    out: dict[str, float] = {}
    for at, name, weight in _written(value, known):
        names = tuple(allowed(name)) if isinstance(name, str) else ()
        if not names:
            raise RefusedError(f"unknown name{did_you_mean(name, known)}", ", ".join(known), at)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1e9:
            raise RefusedError("not a weight", "a number from 0 to 1e9", at)
        for n in names:
            out[n] = out.get(n, 0.0) + float(weight)
    out = {n: w for n, w in out.items() if w > 0}
    if not out:
        raise RefusedError("nothing is left to choose from", "at least one name with a weight above 0")
    return out


def _written(value: Any, known: tuple[str, ...]) -> list[tuple[tuple[str | int, ...], Any, Any]]:
    """(place below the value, name, weight) of every entry."""
    if isinstance(value, str):
        return [((), value, 1.0)]
    if isinstance(value, list | tuple):
        return [((i,), name, 1.0) for i, name in enumerate(value)]
    if isinstance(value, Mapping):
        return [((name,), name, weight) for name, weight in value.items()]
    raise RefusedError("not a choice", f"a name, a list of names or {{name: weight}}, of {', '.join(known)}")


def draw(weights: Weights, seed: int, stream: str, i: int) -> str:
    """The name of shot i: a pure function of the arguments.

    Equal weights are drawn without replacement: every n shots from a multiple of n on have each of the n names once.
    Other weights are drawn independently.
    """
    names = list(weights)
    if len(set(weights.values())) == 1:
        round_, at = divmod(i, len(names))
        return names[int(rng(seed, f"{stream} deal", round_).permutation(len(names))[at])]
    total = math.fsum(weights.values())
    left = float(rng(seed, stream, i).random()) * total
    for name in names:
        left -= weights[name]
        if left < 0:
            return name
    return names[-1]
