"""Expressions (VRMC_vrm expressions): requested weights become morph weights and changed materials.

Binary expressions, and overrides of blinking, gaze and mouth, follow the specification's "procedural
override". An override on an expression of the very group it would override counts as none; three-vrm
lets it act on itself, which `reference_quirks` repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.vrm.avatar import Avatar, Expression, MaterialColorBind

GROUPS: Mapping[str, frozenset[str]] = {
    "override_blink": frozenset({"blink", "blinkLeft", "blinkRight"}),
    "override_look_at": frozenset({"lookUp", "lookDown", "lookLeft", "lookRight"}),
    "override_mouth": frozenset({"aa", "ih", "ou", "ee", "oh"}),
}

# What each colour bind changes: (holder, field). A type that a material's kind does not know has no effect.
_COMMON = {"color": ("material", "base_color_factor")}
_LIT = {**_COMMON, "emissionColor": ("material", "emissive_factor")}
COLOR_FIELDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "unlit": _COMMON,
    "pbr": _LIT,
    "mtoon": {
        **_LIT,
        "shadeColor": ("mtoon", "shade_color_factor"),
        "matcapColor": ("mtoon", "matcap_factor"),
        "rimColor": ("mtoon", "parametric_rim_color_factor"),
        "outlineColor": ("mtoon", "outline_color_factor"),
    },
}


@dataclass(frozen=True, eq=False)
class NeutralMorphs:
    """Morph weights of an avatar with no expression on.

    weights: node → (M,) float64. A target that some expression drives starts at 0 ("set all MorphTargets to 0"); the
        others keep the default of their node, or else of their mesh.
    """

    weights: Mapping[int, Array]


@dataclass(frozen=True, eq=False)
class ExpressionResult:
    """The expressions of an avatar as they take effect.

    expressions: effective weight of each, after isBinary and overrides.
    morph_weights: node → (M,) float64.
    materials: the avatar's, with color and texture transform binds applied.
    """

    expressions: Mapping[str, float]
    morph_weights: Mapping[int, Array]
    materials: tuple[Material, ...]


def find_neutral_morphs(avatar: Avatar) -> NeutralMorphs:
    """Neutral morph weights of every mesh node in the scene."""
    base: dict[int, Array] = {}
    for node in avatar.scene_nodes:
        mesh_index = avatar.nodes[node].mesh
        if mesh_index is None:
            continue
        mesh = avatar.meshes[mesh_index]
        count = max((len(p.morph_positions) for p in mesh.primitives), default=0)
        if count:
            weights = np.zeros(count)
            own = avatar.nodes[node].weights
            given = (mesh.weights if own is None else own)[:count]
            weights[: len(given)] = given
            base[node] = weights
    for expression in avatar.expressions.values():
        for bind in expression.morph_target_binds:
            if bind.node in base and 0 <= bind.index < len(base[bind.node]):
                base[bind.node][bind.index] = 0.0
    return NeutralMorphs(base)


def check_expressions(avatar: Avatar, requested: Mapping[str, float]) -> list[str]:
    """Requested names that the avatar lacks. Raises ShotError for a weight outside 0..1."""
    for name, weight in requested.items():
        if isinstance(weight, bool) or not (isinstance(weight, Real) and 0 <= weight <= 1):
            raise ShotError("bad expression weight", got=weight, allowed="0..1", where=name)
    return [name for name in requested if name not in avatar.expressions]


def apply_expressions(
    avatar: Avatar, neutral: NeutralMorphs, requested: Mapping[str, float], *, reference_quirks: bool = False
) -> ExpressionResult:
    """Morph weights and materials under the `requested` weights (0..1); names that the avatar lacks are left out."""
    weights = effective_weights(avatar.expressions, requested, reference_quirks)
    active = [(avatar.expressions[name], w) for name, w in weights.items() if w != 0]
    morphs = {node: base.copy() for node, base in neutral.weights.items()}
    for expression, weight in active:
        for bind in expression.morph_target_binds:
            target = morphs.get(bind.node)
            if target is not None and 0 <= bind.index < len(target):
                target[bind.index] += bind.weight * weight
    return ExpressionResult(weights, morphs, _materials(avatar.materials, active))


def effective_weights(
    expressions: Mapping[str, Expression], requested: Mapping[str, float], reference_quirks: bool = False
) -> dict[str, float]:
    """Weights after isBinary (more than 0.5 is 1, else 0) and overrides, for every expression."""
    output = {name: _output(e, float(requested.get(name, 0.0))) for name, e in expressions.items()}
    factors = {field: _factor(field, group, expressions, output, reference_quirks) for field, group in GROUPS.items()}
    result = {}
    for name, weight in output.items():
        factor = math.prod(factors[field] for field, group in GROUPS.items() if name in group)
        # A binary expression is on or off: any override at all puts it off.
        suppressed = expressions[name].is_binary and factor < 1
        result[name] = 0.0 if suppressed else weight * factor
    return result


def _output(expression: Expression, weight: float) -> float:
    return float(weight > 0.5) if expression.is_binary else weight


def _factor(
    field: str,
    group: frozenset[str],
    expressions: Mapping[str, Expression],
    output: Mapping[str, float],
    reference_quirks: bool,
) -> float:
    total = 0.0
    for name, expression in expressions.items():
        mode = getattr(expression, field)
        if mode == "none" or output[name] <= 0 or (name in group and not reference_quirks):
            continue
        total += 1.0 if mode == "block" else output[name]
    return 1.0 - min(total, 1.0)


def _materials(materials: tuple[Material, ...], active: list[tuple[Expression, float]]) -> tuple[Material, ...]:
    """value = base + Σ weight · (target − base), for colours and for texture transforms."""
    colors: dict[int, list[tuple[MaterialColorBind, float]]] = {}
    shifts: dict[int, list[tuple[Array, Array, float]]] = {}
    for expression, weight in active:
        for bind in expression.material_color_binds:
            colors.setdefault(bind.material, []).append((bind, weight))
        for move in expression.texture_transform_binds:
            shifts.setdefault(move.material, []).append((np.array(move.offset), np.array(move.scale), weight))
    if not colors and not shifts:
        return materials
    out = list(materials)
    for index in colors.keys() | shifts.keys():
        if 0 <= index < len(out):
            out[index] = _move_textures(_tint(out[index], colors.get(index, [])), shifts.get(index, []))
    return tuple(out)


def _tint(material: Material, binds: list[tuple[MaterialColorBind, float]]) -> Material:
    changed: dict[tuple[str, str], Array] = {}
    for bind, weight in binds:
        slot = COLOR_FIELDS[material.kind].get(bind.type)
        if slot is None:
            continue
        base = np.array(getattr(_holder(material, slot[0]), slot[1]), np.float64)
        delta = (np.array(bind.target, np.float64)[: len(base)] - base) * weight  # alpha only where there is one
        changed[slot] = changed.get(slot, base) + delta
    return _with(material, {slot: tuple(map(float, v)) for slot, v in changed.items()})


def _move_textures(material: Material, binds: list[tuple[Array, Array, float]]) -> Material:
    """Every texture that is read by UV moves: all but MToon's matcap."""
    if not binds:
        return material
    changed: dict[tuple[str, str], Any] = {}
    for holder in ("material", "mtoon") if material.mtoon else ("material",):
        for name, info in vars(_holder(material, holder)).items():
            if isinstance(info, TextureInfo) and name != "matcap_texture":
                changed[holder, name] = _moved(info, binds)
    return _with(material, changed)


def _moved(info: TextureInfo, binds: list[tuple[Array, Array, float]]) -> TextureInfo:
    offset, scale = np.array(info.offset), np.array(info.scale)
    new_offset, new_scale = offset.copy(), scale.copy()
    for to_offset, to_scale, weight in binds:
        new_offset += weight * (to_offset - offset)
        new_scale += weight * (to_scale - scale)
    u, v = map(float, new_offset)
    su, sv = map(float, new_scale)
    return replace(info, offset=(u, v), scale=(su, sv))


def _holder(material: Material, holder: str) -> Material | MToon | None:
    return material if holder == "material" else material.mtoon


def _with(material: Material, changed: Mapping[tuple[str, str], Any]) -> Material:
    own = {field: v for (holder, field), v in changed.items() if holder == "material"}
    toon = {field: v for (holder, field), v in changed.items() if holder == "mtoon"}
    if toon and material.mtoon is not None:
        own["mtoon"] = replace(material.mtoon, **toon)
    return replace(material, **own) if own else material
