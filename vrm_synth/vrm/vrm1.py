"""Read VRM 1.0's extensions: VRMC_vrm, VRMC_springBone (with extended colliders) and VRMC_node_constraint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from vrm_synth.core.bones import V0_BONE_NAMES
from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.json_reader import JsonObject, unique, vector
from vrm_synth.gltf.materials import vec3
from vrm_synth.gltf.model import Vec2, Vec4
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.licensing.license import contradictions, vrm1_license
from vrm_synth.vrm.avatar import (
    Collider,
    Constraint,
    Expression,
    FirstPersonType,
    LookAt,
    MaterialColorBind,
    Meta,
    MorphTargetBind,
    RangeMap,
    Spring,
    SpringJoint,
    TextureTransformBind,
)
from vrm_synth.vrm.bind_weights import clamp_weights, divide_percent_weights
from vrm_synth.vrm.expression_names import control_free_names
from vrm_synth.vrm.extension import (
    PRESETS,
    ExtensionSource,
    ReferenceLimit,
    VrmExtension,
    check_spring_limits,
    morph_target_counts,
    range_map,
)

_VERSIONS = ("1.0", "1.0-beta")
_COLOR_TYPES = ("color", "emissionColor", "shadeColor", "matcapColor", "rimColor", "outlineColor")
_OVERRIDES: tuple[Literal["none", "block", "blend"], ...] = ("none", "block", "blend")
_AIM_AXES = ("PositiveX", "NegativeX", "PositiveY", "NegativeY", "PositiveZ", "NegativeZ")


def read_vrm1(source: ExtensionSource) -> VrmExtension:
    """Read everything of the VRM 1.0 extensions except the materials' (gltf/materials.py)."""
    version = source.ext.text("specVersion", "1.0")
    if version not in _VERSIONS:
        source.oddities.add(f"VRMC_vrm has the unknown specVersion {version[:30]!r}, read as 1.0")
    springs = source.root.extension("VRMC_springBone") or JsonObject({}, "extensions.VRMC_springBone", source.oddities)
    colliders, new_indices = _colliders(springs, source)
    stored = _expressions(source)
    expressions = _normalize_expressions(stored, source)
    return VrmExtension(
        version="1",
        exporter="",
        meta=_meta(source),
        bones=tuple(_bones(source)),
        expressions=expressions,
        reference_expressions=None if expressions == stored else stored,
        look_at=_look_at(source.ext.child("lookAt"), source.oddities),
        constraints=_constraints(source),
        colliders=colliders,
        springs=_springs(springs, new_indices, source),
        first_person=_first_person(source),
    )


def _meta(source: ExtensionSource) -> Meta:
    f = source.ext.child_or_empty("meta")
    thumbnail = f.index("thumbnailImage", len(source.gltf.images), "images")
    authors, license = tuple(a for a in f.texts("authors") if a), vrm1_license(f)
    for line in contradictions(license):
        source.oddities.add(line)
    return Meta(f.text("name"), f.text("version"), authors, license, thumbnail, f.data)


def _bones(source: ExtensionSource) -> Iterator[tuple[str, int, str]]:
    humanoid = source.ext.child("humanoid")
    if humanoid is None:
        raise AvatarError("file has no humanoid", where=source.ext.at("humanoid"))
    bones = humanoid.child_or_empty("humanBones")
    # 1.0-beta still had 0.x's thumbs; only there does an "Intermediate" one exist.
    old_thumbs = any(bones.has(f"{side}ThumbIntermediate") for side in ("left", "right"))
    for name in bones.data:
        f = bones.child(name)
        if f is not None:
            node = f.entry_index("node", len(source.gltf.nodes), "nodes")
            if node is not None:
                yield V0_BONE_NAMES.get(name, name) if old_thumbs else name, node, f.path


# ---------------------------------------------------------------- expressions


def _normalize_expressions(stored: dict[str, Expression], source: ExtensionSource) -> dict[str, Expression]:
    """Return the expressions with usable, unique names and with weights from 0 to 1."""
    json_path = source.ext.at("expressions")
    names = control_free_names(stored, json_path, source.oddities)
    renamed = {names[name]: e if names[name] == name else replace(e, name=names[name]) for name, e in stored.items()}
    return clamp_weights(divide_percent_weights(renamed, json_path, source.oddities), json_path, source.oddities)


def _expressions(source: ExtensionSource) -> dict[str, Expression]:
    """Read the expressions as they stand in the file."""
    f = source.ext.child_or_empty("expressions")
    out: dict[str, Expression] = {}
    reference_limit = ReferenceLimit(source.limits)
    targets = morph_target_counts(source.gltf)
    for group, preset in (("preset", True), ("custom", False)):
        expressions = f.child_or_empty(group)
        for name in expressions.data:
            e = expressions.child(name)
            if e is None:
                continue
            if (name in PRESETS) != preset:
                source.oddities.add(f"{e.path} is {'not a' if preset else 'a'} preset's name; it is left out")
                continue
            out[name] = _expression(name, preset, e, targets, source, reference_limit)
    return out


def _expression(
    name: str,
    preset: bool,
    f: JsonObject,
    targets: dict[int, int],
    source: ExtensionSource,
    reference_limit: ReferenceLimit,
) -> Expression:
    materials = len(source.root.values("materials"))
    morphs: list[MorphTargetBind] = []
    limit = source.limits.items
    for b in f.children("morphTargetBinds", limit):
        node = b.entry_index("node", len(source.gltf.nodes), "nodes")
        if node is None or b.is_none_index("index", entry=True):
            continue
        target = b.integer("index", -1)
        if 0 <= target < targets.get(node, 0):
            morphs.append(MorphTargetBind(node, target, b.number("weight", 1.0)))
        else:
            source.oddities.add(f"{b.path} binds morph target {target}, which nodes[{node}] does not have")
    colors = [
        _color_bind(b, material)
        for b in f.children("materialColorBinds", limit)
        if (material := b.entry_index("material", materials, "materials")) is not None
    ]
    transforms = [
        TextureTransformBind(material, _vec2(b, "offset", (0.0, 0.0)), _vec2(b, "scale", (1.0, 1.0)))
        for b in f.children("textureTransformBinds", limit)
        if (material := b.entry_index("material", materials, "materials")) is not None
    ]
    reference_limit.add(len(morphs) + len(colors) + len(transforms), f.path)
    return Expression(
        name=name,
        is_preset=preset,
        is_binary=f.flag("isBinary"),
        override_blink=f.choice("overrideBlink", _OVERRIDES, "none"),
        override_look_at=f.choice("overrideLookAt", _OVERRIDES, "none"),
        override_mouth=f.choice("overrideMouth", _OVERRIDES, "none"),
        morph_target_binds=tuple(morphs),
        material_color_binds=tuple(colors),
        texture_transform_binds=tuple(transforms),
    )


def _color_bind(f: JsonObject, material: int) -> MaterialColorBind:
    values = f.values("targetValue")
    r, g, b = vec3(f, "targetValue", (1.0, 1.0, 1.0))
    alpha = vector(values, 4, f.at("targetValue"))[3] if len(values) > 3 else 1.0
    target: Vec4 = (r, g, b, alpha)
    kind = f.choice("type", _COLOR_TYPES, "color")
    return MaterialColorBind(material, kind, target)


def _vec2(f: JsonObject, key: str, default: Vec2) -> Vec2:
    x, y = f.vector(key, default)
    return x, y


# ---------------------------------------------------------------- gaze and first person


def _look_at(f: JsonObject | None, oddities: Oddities) -> LookAt | None:
    if f is None:
        return None
    kind: Literal["bone", "expression"] = f.choice("type", ("bone", "expression"), "bone")
    inner, outer, down, up = (
        _range_map(f, f"rangeMap{name}", 1.0 if kind == "expression" else 10.0, oddities)
        for name in ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    )
    return LookAt(kind, vec3(f, "offsetFromHeadBone", (0.0, 0.06, 0.0)), inner, outer, down, up)


def _range_map(look_at: JsonObject, key: str, default_scale: float, oddities: Oddities) -> RangeMap:
    f = look_at.child_or_empty(key)
    return range_map(f.number("inputMaxValue", 90.0), f.number("outputScale", default_scale), (), f.path, oddities)


def _first_person(source: ExtensionSource) -> dict[int, FirstPersonType]:
    types: tuple[FirstPersonType, ...] = ("auto", "both", "thirdPersonOnly", "firstPersonOnly")
    out: dict[int, FirstPersonType] = {}
    for a in source.ext.child_or_empty("firstPerson").children("meshAnnotations", source.limits.items):
        node = a.entry_index("node", len(source.gltf.nodes), "nodes")
        if node is None:
            continue
        out.setdefault(node, a.choice("type", types, "auto"))
    return out


# ---------------------------------------------------------------- node constraints


def _constraints(source: ExtensionSource) -> tuple[Constraint, ...]:
    out: list[Constraint] = []
    for i, node in enumerate(source.gltf.nodes):
        json_path = f"nodes[{i}].extensions"
        f = JsonObject(node.extensions, json_path, source.oddities).child("VRMC_node_constraint")
        body = f.child("constraint") if f is not None else None
        if body is not None:
            out += _constraint(i, body, len(source.gltf.nodes))
    if len(out) > source.limits.constraints:
        raise AvatarError("too many node constraints", got=len(out), allowed=source.limits.constraints, where="nodes")
    _refuse_cycles(out)
    return tuple(out)


def _constraint(node: int, body: JsonObject, nodes: int) -> list[Constraint]:
    """Read a constraint, in a list; an empty list where it is of no known kind or has no source."""
    kinds: tuple[Literal["roll", "aim", "rotation"], ...] = ("roll", "aim", "rotation")
    for kind in kinds:
        f = body.child(kind)
        if f is None:
            continue
        axis = None
        if kind == "roll":
            axis = f.choice("rollAxis", ("X", "Y", "Z"), "X")
        elif kind == "aim":
            axis = f.choice("aimAxis", _AIM_AXES, "PositiveX")
        at = f.entry_index("source", nodes, "nodes")
        return [] if at is None else [Constraint(node, kind, at, f.number("weight", 1.0), axis)]
    body.oddities.add(f"{body.path} is neither roll, aim nor rotation")
    return []


def _refuse_cycles(constraints: list[Constraint]) -> None:
    """Refuse a node that follows itself through others (VRMC_node_constraint, Circular dependencies)."""
    source = {c.node: c.source for c in constraints}
    visited: set[int] = set()
    for start in source:
        path: dict[int, None] = {}
        node = start
        while node in source and node not in visited:
            if node in path:
                raise AvatarError(
                    "node constraints follow each other in a circle",
                    got=" → ".join(f"nodes[{n}]" for n in [*list(path)[:6], node]),
                    where=f"nodes[{node}].extensions.VRMC_node_constraint",
                )
            path[node] = None
            node = source[node]
        visited |= path.keys()


# ---------------------------------------------------------------- spring bones


def _colliders(springs: JsonObject, source: ExtensionSource) -> tuple[tuple[Collider, ...], list[int | None]]:
    """Read the colliders, and the new index of each of the file's; None for one without a node or a shape."""
    out: list[Collider] = []
    new_indices: list[int | None] = []
    for f in springs.children("colliders", source.limits.items):
        node = f.entry_index("node", len(source.gltf.nodes), "nodes")
        collider = None if node is None else _collider(f, node)
        if collider is None:
            new_indices.append(None)
        else:
            new_indices.append(len(out))
            out.append(collider)
    return tuple(out), new_indices


def _collider(f: JsonObject, node: int) -> Collider | None:
    extended = f.extension("VRMC_springBone_extended_collider")
    # The extension's shape replaces the basic one, which is only a fallback and may be missing.
    for shape in (extended.child("shape") if extended else None, f.child("shape")):
        if shape is None:
            continue
        if (s := shape.child("sphere")) is not None:
            kind: Literal["sphere", "insideSphere"] = "insideSphere" if s.flag("inside") else "sphere"
            return Collider(node, kind, vec3(s, "offset", (0.0, 0.0, 0.0)), s.number("radius", 0.0))
        if (c := shape.child("capsule")) is not None:
            return Collider(
                node,
                "insideCapsule" if c.flag("inside") else "capsule",
                vec3(c, "offset", (0.0, 0.0, 0.0)),
                c.number("radius", 0.0),
                tail=vec3(c, "tail", (0.0, 0.0, 0.0)),
            )
        if (p := shape.child("plane")) is not None:
            return Collider(
                node, "plane", vec3(p, "offset", (0.0, 0.0, 0.0)), normal=vec3(p, "normal", (0.0, 0.0, 1.0))
            )
    f.oddities.add(f"{f.path} has no shape")
    return None


def _springs(springs: JsonObject, new_indices: list[int | None], source: ExtensionSource) -> tuple[Spring, ...]:
    reference_limit = ReferenceLimit(source.limits)
    groups: list[list[int]] = []
    for g in springs.children("colliderGroups", source.limits.items):
        members = [new_indices[c] for c in g.indices("colliders", len(new_indices), "colliders")]
        reference_limit.add(len(members), g.path)
        groups.append([m for m in members if m is not None])
    out: list[Spring] = []
    for f in springs.children("springs", source.limits.items):
        used = f.indices("colliderGroups", len(groups), "colliderGroups")
        reference_limit.add(sum(len(groups[g]) for g in used), f.path)
        joints = _joints(f, source)
        reference_limit.add(len(joints), f.path)
        if not joints:
            source.oddities.add(f"{f.path} has fewer than 2 joints, so nothing swings")
            continue
        center = f.index("center", len(source.gltf.nodes), "nodes")
        out.append(Spring(f.text("name"), joints, unique(c for g in used for c in groups[g]), center))
    return check_spring_limits(tuple(out), source.limits, springs.at("springs"))


def _joints(spring: JsonObject, source: ExtensionSource) -> tuple[SpringJoint, ...]:
    """Read the joints of a spring; the last one only marks the end (VRMC_springBone, Spring)."""
    nodes = len(source.gltf.nodes)
    found = [(f, f.entry_index("node", nodes, "nodes")) for f in spring.children("joints", source.limits.items)]
    joints = [(f, node) for f, node in found if node is not None]
    return tuple(
        SpringJoint(
            node=node,
            tail=tail,
            hit_radius=f.number("hitRadius", 0.0),
            stiffness=f.number("stiffness", 1.0),
            gravity_power=f.number("gravityPower", 0.0),
            gravity_dir=vec3(f, "gravityDir", (0.0, -1.0, 0.0)),
            drag_force=f.number("dragForce", 0.5),
        )
        for (f, node), (_, tail) in pairwise(joints)
    )
