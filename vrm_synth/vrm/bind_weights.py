"""Morph target weights of expressions, brought into the 0 to 1 that VRM 1.0 has them in.

Some released exporters wrote Unity's 0 to 100 into VRM 1.0 files, all of a file alike. So percent is decided for the
file: by any weight of at least 10, which nobody means as a tenfold exaggeration. In such a file an expression whose
weights are all 1 or less is left as it is: as percent it would show nothing. What is out of range then, the
exaggerations of either version, ends at 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vrm_synth.gltf.oddities import Oddities
from vrm_synth.vrm.avatar import Expression, MorphTargetBind

_ROUNDING = 1e-4  # outside the range by less is a float32 that was meant to be 0 or 1
_PERCENT = 10.0  # a weight from which on a VRM 1.0 file is taken to count in percent


def divide_percent_weights(
    expressions: Mapping[str, Expression], place: str, oddities: Oddities
) -> dict[str, Expression]:
    """The expressions of a VRM 1.0 file, divided by 100 where it counts in percent, with an oddity at `place`."""
    out = dict(expressions)
    largest = {name: max((b.weight for b in e.morph_target_binds), default=0.0) for name, e in out.items()}
    if max(largest.values(), default=0.0) < _PERCENT:
        return out
    oddities.add(f"{place} has morph target weights in percent, up to {max(largest.values()):g}; divided by 100")
    scaled = {name: _with_weights(e, [0.01 * b.weight for b in e.morph_target_binds]) for name, e in out.items()}
    return {name: scaled[name] if largest[name] > 1.0 else e for name, e in out.items()}


def clamp_weights(
    expressions: Mapping[str, Expression], place: str, oddities: Oddities, unit: float = 1.0
) -> dict[str, Expression]:
    """The expressions with weights in 0 to 1, with one oddity at `place`. unit: what the file writes for a 1."""
    outside = [
        (name, b.weight)
        for name, e in expressions.items()
        for b in e.morph_target_binds
        if not -_ROUNDING <= b.weight <= 1 + _ROUNDING
    ]
    if not outside:
        return dict(expressions)
    name, weight = max(outside, key=lambda o: abs(o[1]))
    oddities.add(
        f"{place} has {len(outside)} morph target weights outside 0 to {unit:g}, brought back to it; "
        f"the farthest is {unit * weight:g} in {name[:60]!r}"
    )
    bad = {name for name, _ in outside}
    return {
        name: _with_weights(e, [min(max(b.weight, 0.0), 1.0) for b in e.morph_target_binds]) if name in bad else e
        for name, e in expressions.items()
    }


def _with_weights(expression: Expression, weights: list[float]) -> Expression:
    binds = zip(expression.morph_target_binds, weights, strict=True)
    return replace(expression, morph_target_binds=tuple(MorphTargetBind(b.node, b.index, w) for b, w in binds))
