"""Normalize the morph target weights of expressions to the range 0 to 1 that VRM 1.0 defines.

Some released exporters wrote Unity's 0 to 100 into VRM 1.0 files, for all weights of a file alike. So a file is taken
to be in percent where any weight is at least 10, which no author means as a tenfold exaggeration. In such a file an
expression whose weights are all 1 or less is left as it is: in percent it would show nothing. Weights that are still
out of range, exaggerations in either version, are clamped to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vrm_synth.gltf.oddities import Oddities
from vrm_synth.vrm.avatar import Expression, MorphTargetBind

_ROUNDING = 1e-4  # a weight outside the range by less is rounding, and no oddity
_PERCENT = 10.0  # a VRM 1.0 file with a weight of at least this is in percent


def divide_percent_weights(
    expressions: Mapping[str, Expression], json_path: str, oddities: Oddities
) -> dict[str, Expression]:
    """Divide the weights of a VRM 1.0 file by 100 where they are in percent, with an oddity at `json_path`."""
    out = dict(expressions)
    largest = {name: max((b.weight for b in e.morph_target_binds), default=0.0) for name, e in out.items()}
    if max(largest.values(), default=0.0) < _PERCENT:
        return out
    oddities.add(f"{json_path} has morph target weights in percent, up to {max(largest.values()):g}; divided by 100")
    scaled = {name: _with_weights(e, [0.01 * b.weight for b in e.morph_target_binds]) for name, e in out.items()}
    return {name: scaled[name] if largest[name] > 1.0 else e for name, e in out.items()}


def clamp_weights(
    expressions: Mapping[str, Expression], json_path: str, oddities: Oddities, unit: float = 1.0
) -> dict[str, Expression]:
    """Clamp the weights to 0 to 1, with one oddity at `json_path`. unit: the file's own value for a weight of 1."""
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
        f"{json_path} has {len(outside)} morph target weights outside 0 to {unit:g}, brought back to it; "
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
