"""Read VRM 0.x blend-shape groups into VRM 1.0 expressions."""

from __future__ import annotations

from dataclasses import replace

from vrm_synth.gltf.json_reader import JsonObject, vector
from vrm_synth.gltf.model import Vec4
from vrm_synth.vrm.avatar import Expression, MaterialColorBind, MorphTargetBind, TextureTransformBind
from vrm_synth.vrm.bind_weights import clamp_weights
from vrm_synth.vrm.expression_names import V0_PRESETS, GroupLabel, assign_expression_names
from vrm_synth.vrm.extension import PRESETS, ExtensionSource, ReferenceLimit, morph_target_counts
from vrm_synth.vrm.vrm0_materials import emission_to_linear, flipped_transform, gamma_to_linear

_COLOR_TYPES = {
    "_Color": "color",
    "_EmissionColor": "emissionColor",
    "_ShadeColor": "shadeColor",
    "_RimColor": "rimColor",
    "_OutlineColor": "outlineColor",
}


def read_vrm0_expressions(source: ExtensionSource) -> tuple[dict[str, Expression], dict[str, Expression]]:
    """Read the expressions by their VRM 1.0 names, and as three-vrm reads them."""
    master = source.ext.child_or_empty("blendShapeMaster")
    groups = master.children("blendShapeGroups", source.limits.items)
    read = _groups(groups, source)
    labels = [
        GroupLabel(f.path, f.text("presetName"), f.text("name"), e.is_bound) for f, e in zip(groups, read, strict=True)
    ]
    named = zip(assign_expression_names(labels, source.oddities), read, strict=True)
    expressions = {name: replace(e, name=name, is_preset=name in PRESETS) for name, e in named if name is not None}
    return clamp_weights(expressions, master.at("blendShapeGroups"), source.oddities, unit=100.0), _reference(
        labels, read
    )


def _reference(labels: list[GroupLabel], read: list[Expression]) -> dict[str, Expression]:
    """The expressions as three-vrm reads them: exact presetName, else the name; the first of several; raw weights."""
    out: dict[str, Expression] = {}
    for label, e in zip(labels, read, strict=True):
        name = V0_PRESETS.get(label.preset_name, label.name)
        if name and name not in out:
            out[name] = replace(e, name=name, is_preset=name in PRESETS)
    return out


def _groups(groups: list[JsonObject], source: ExtensionSource) -> list[Expression]:
    """Read each group's binds; names are assigned later."""
    reference_limit = ReferenceLimit(source.limits)
    by_mesh = nodes_of_mesh(source)
    materials = _materials_by_name(source)
    targets = morph_target_counts(source.gltf)
    out: list[Expression] = []
    for f in groups:
        colors, transforms = _material_binds(f, materials, source, reference_limit)
        out.append(
            Expression(
                name="",
                is_preset=False,
                is_binary=f.flag("isBinary"),
                morph_target_binds=_morph_binds(f, by_mesh, targets, source, reference_limit),
                material_color_binds=colors,
                texture_transform_binds=transforms,
            )
        )
    return out


def nodes_of_mesh(source: ExtensionSource) -> dict[int, list[int]]:
    """Return mesh → the nodes that have it."""
    nodes: dict[int, list[int]] = {}
    for i, node in enumerate(source.gltf.nodes):
        if node.mesh is not None:
            nodes.setdefault(node.mesh, []).append(i)
    return nodes


def _morph_binds(
    group: JsonObject,
    by_mesh: dict[int, list[int]],
    targets: dict[int, int],
    source: ExtensionSource,
    reference_limit: ReferenceLimit,
) -> tuple[MorphTargetBind, ...]:
    out: list[MorphTargetBind] = []
    for f in group.children("binds", source.limits.items):
        mesh, target = f.integer("mesh", -1), f.integer("index", -1)
        weight = 0.01 * f.number("weight", 100.0)
        if f.is_none_index("mesh", entry=True) or f.is_none_index("index", entry=True):
            continue
        nodes = by_mesh.get(mesh, [])
        reference_limit.add(len(nodes), f.path)
        if not nodes:
            source.oddities.add(f"{f.path} binds mesh {mesh}, which no node has")
        elif not 0 <= target < targets[nodes[0]]:
            source.oddities.add(f"{f.path} binds morph target {target}, which meshes[{mesh}] does not have")
        else:
            out += [MorphTargetBind(node, target, weight) for node in nodes]
    return tuple(out)


def _materials_by_name(source: ExtensionSource) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for i, f in enumerate(source.root.children("materials", source.limits.items)):
        out.setdefault(f.text("name"), []).append(i)
    return out


def _material_binds(
    group: JsonObject, materials: dict[str, list[int]], source: ExtensionSource, reference_limit: ReferenceLimit
) -> tuple[tuple[MaterialColorBind, ...], tuple[TextureTransformBind, ...]]:
    colors: list[MaterialColorBind] = []
    transforms: list[TextureTransformBind] = []
    for f in group.children("materialValues", source.limits.items):
        found = materials.get(f.text("materialName"), [])
        reference_limit.add(len(found), f.path)
        if not found:
            source.oddities.add(f"{f.path} is for the material {f.text('materialName')[:60]!r}, which there is not")
            continue
        name = f.text("propertyName")
        if name in ("_MainTex_ST", "_MainTex_ST_S", "_MainTex_ST_T"):
            transforms += [_transform_bind(f, m, name[len("_MainTex_ST") :], source) for m in found]
        elif name in _COLOR_TYPES:
            target = _color(f, name)
            colors += [MaterialColorBind(m, _COLOR_TYPES[name], target) for m in found]
        else:
            source.oddities.add(f"{f.path} sets {name[:60]!r}, which VRM 1.0 cannot")
    return tuple(colors), tuple(transforms)


def _color(f: JsonObject, name: str) -> Vec4:
    """Read the bind's color as linear RGBA, as the material's own colors are. (three-vrm takes it as it is.)"""
    values = f.values("targetValue")
    target = vector(values, 3, f.at("targetValue"))
    alpha = vector(values, 4, f.at("targetValue"))[3] if len(values) > 3 else 1.0
    r, g, b = emission_to_linear(target) if name == "_EmissionColor" else gamma_to_linear(target)
    return r, g, b, alpha


def _transform_bind(f: JsonObject, material: int, axis: str, source: ExtensionSource) -> TextureTransformBind:
    """Read a UV transform bind.

    axis: "" for both axes, "_S" for u, "_T" for v; the other axis keeps the material's value.
    """
    # targetValue is (scale, offset); vectorProperties._MainTex is (offset, scale)
    sx, sy, ox, oy = f.vector("targetValue", (1.0, 1.0, 0.0, 0.0))
    if axis:
        properties = source.ext.values("materialProperties")
        stated = properties[material] if material < len(properties) else {}
        json_path = f"{source.ext.at('materialProperties')}[{material}]"
        vectors = JsonObject(stated, json_path).child_or_empty("vectorProperties")
        material_ox, material_oy, material_sx, material_sy = vectors.vector("_MainTex", (0.0, 0.0, 1.0, 1.0))
        if axis == "_S":
            sy, oy = material_sy, material_oy
        else:
            sx, ox = material_sx, material_ox
    offset, scale = flipped_transform((ox, oy), (sx, sy))
    return TextureTransformBind(material, offset, scale)
