"""VRM 0.x's extension, read into VRM 1.0's terms.

Vectors in the extension are Unity's: x right, y up, z forward of an avatar that looks along +Z. The same
avatar in its glTF nodes looks along −Z, with z mirrored (`_in_node`); once turned to face +Z, x is mirrored
instead (`_in_world`).
"""

from __future__ import annotations

from collections.abc import Iterator

from vrm_synth.avatar.fields import Fields, unique, vector
from vrm_synth.avatar.glb import Notes
from vrm_synth.avatar.licence import contradictions, licence0
from vrm_synth.avatar.model import (
    Collider,
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
    Vec3,
    Vec4,
)
from vrm_synth.avatar.runtime import PRESETS, Budget, Runtime, Source, check_springs, morph_targets, range_map
from vrm_synth.avatar.vrm0_material import emission, flipped_transform, linear
from vrm_synth.core.errors import AvatarError
from vrm_synth.core.humanoid import V0_BONE_NAMES

_PRESET_NAMES = {
    "neutral": "neutral",
    "a": "aa",
    "i": "ih",
    "u": "ou",
    "e": "ee",
    "o": "oh",
    "blink": "blink",
    "blink_l": "blinkLeft",
    "blink_r": "blinkRight",
    "joy": "happy",
    "angry": "angry",
    "sorrow": "sad",
    "fun": "relaxed",
    "lookup": "lookUp",
    "lookdown": "lookDown",
    "lookleft": "lookLeft",
    "lookright": "lookRight",
}
_COLOR_TYPES = {
    "_Color": "color",
    "_EmissionColor": "emissionColor",
    "_ShadeColor": "shadeColor",
    "_RimColor": "rimColor",
    "_OutlineColor": "outlineColor",
}
_FIRST_PERSON: dict[str, FirstPersonType] = {
    "auto": "auto",
    "both": "both",
    "thirdpersononly": "thirdPersonOnly",
    "firstpersononly": "firstPersonOnly",
}
_LINEAR_CURVE = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
_DOWN: Vec3 = (0.0, -1.0, 0.0)


def read_vrm0(source: Source) -> Runtime:
    """Everything of the VRM extension but its materials, which vrm0_material reads."""
    colliders, groups = _colliders(source)
    return Runtime(
        version="0",
        exporter=source.ext.text("exporterVersion"),
        meta=_meta(source),
        bones=tuple(_bones(source)),
        expressions=_expressions(source),
        look_at=_look_at(source),
        colliders=colliders,
        springs=_springs(source, groups),
        first_person=_first_person(source),
    )


def _in_node(v: Vec3) -> Vec3:
    return v[0], v[1], -v[2]


def _in_world(v: Vec3) -> Vec3:
    # three-vrm leaves such vectors as they are; the two agree where x is 0, as gravity's nearly always is.
    return -v[0], v[1], v[2]


def _meta(source: Source) -> Meta:
    f = source.ext.child_or_empty("meta")
    texture = f.integer("texture", -1)
    thumbnail = None
    if 0 <= texture < len(source.gltf.textures):
        thumbnail = source.gltf.textures[texture].source
    elif texture >= 0:
        source.notes.add(f"{f.at('texture')} is {texture}, which is not in textures; there is no thumbnail")
    author, licence = f.text("author"), licence0(f)
    for line in contradictions(licence):
        source.notes.add(line)
    return Meta(f.text("title"), f.text("version"), (author,) if author else (), licence, thumbnail, f.data)


def _bones(source: Source) -> Iterator[tuple[str, int, str]]:
    humanoid = source.ext.child("humanoid")
    if humanoid is None:
        raise AvatarError("file has no humanoid", where=source.ext.at("humanoid"))
    count = len(source.gltf.nodes)
    for f in humanoid.children("humanBones", source.limits.items):
        name = f.text("bone")
        if f.integer("node", -1) < 0:
            continue  # some exporters list the bones that an avatar lacks with node −1
        yield V0_BONE_NAMES.get(name, name), f.need_index("node", count, "nodes"), f.path


# ---------------------------------------------------------------- expressions


def _expressions(source: Source) -> dict[str, Expression]:
    out: dict[str, Expression] = {}
    master = source.ext.child_or_empty("blendShapeMaster")
    budget = Budget(source.limits)
    nodes_of_mesh = _nodes_of_mesh(source)
    materials = _materials_by_name(source)
    targets = morph_targets(source.gltf)
    for f in master.children("blendShapeGroups", source.limits.items):
        name = _PRESET_NAMES.get(f.text("presetName")) or f.text("name")
        if not name:
            source.notes.add(f"{f.path} has no name")
            continue
        if name in out:
            source.notes.add(f"{f.path} is {name[:60]!r} again; the first one counts")
            continue
        colors, transforms = _material_binds(f, materials, source, budget)
        out[name] = Expression(
            name=name,
            is_preset=name in PRESETS,
            is_binary=f.flag("isBinary"),
            morph_target_binds=_morph_binds(f, nodes_of_mesh, targets, source, budget),
            material_color_binds=colors,
            texture_transform_binds=transforms,
        )
    return out


def _nodes_of_mesh(source: Source) -> dict[int, list[int]]:
    nodes: dict[int, list[int]] = {}
    for i, node in enumerate(source.gltf.nodes):
        if node.mesh is not None:
            nodes.setdefault(node.mesh, []).append(i)
    return nodes


def _morph_binds(
    group: Fields, nodes_of_mesh: dict[int, list[int]], targets: dict[int, int], source: Source, budget: Budget
) -> tuple[MorphTargetBind, ...]:
    out: list[MorphTargetBind] = []
    for f in group.children("binds", source.limits.items):
        mesh, target = f.integer("mesh", -1), f.integer("index", -1)
        weight = 0.01 * f.number("weight", 100.0)
        nodes = nodes_of_mesh.get(mesh, [])
        budget.take(len(nodes), f.path)
        if not nodes:
            source.notes.add(f"{f.path} binds mesh {mesh}, which no node has")
        elif not 0 <= target < targets[nodes[0]]:
            source.notes.add(f"{f.path} binds morph target {target}, which meshes[{mesh}] does not have")
        else:
            out += [MorphTargetBind(node, target, weight) for node in nodes]
    return tuple(out)


def _materials_by_name(source: Source) -> dict[str, list[int]]:
    out: dict[str, list[int]] = {}
    for i, f in enumerate(source.root.children("materials", source.limits.items)):
        out.setdefault(f.text("name"), []).append(i)
    return out


def _material_binds(
    group: Fields, materials: dict[str, list[int]], source: Source, budget: Budget
) -> tuple[tuple[MaterialColorBind, ...], tuple[TextureTransformBind, ...]]:
    colors: list[MaterialColorBind] = []
    transforms: list[TextureTransformBind] = []
    for f in group.children("materialValues", source.limits.items):
        found = materials.get(f.text("materialName"), [])
        budget.take(len(found), f.path)
        if not found:
            source.notes.add(f"{f.path} is for the material {f.text('materialName')[:60]!r}, which there is not")
            continue
        name = f.text("propertyName")
        if name in ("_MainTex_ST", "_MainTex_ST_S", "_MainTex_ST_T"):
            transforms += [_transform_bind(f, m, name[len("_MainTex_ST") :], source) for m in found]
        elif name in _COLOR_TYPES:
            target = _color(f, name)
            colors += [MaterialColorBind(m, _COLOR_TYPES[name], target) for m in found]
        else:
            source.notes.add(f"{f.path} sets {name[:60]!r}, which VRM 1.0 cannot")
    return tuple(colors), tuple(transforms)


def _color(f: Fields, name: str) -> Vec4:
    """The bind's colour as the material's own would be read. (three-vrm takes these without the power.)"""
    values = f.values("targetValue")
    target = vector(values, 3, f.at("targetValue"))
    alpha = vector(values, 4, f.at("targetValue"))[3] if len(values) > 3 else 1.0
    r, g, b = emission(target) if name == "_EmissionColor" else linear(target)
    return r, g, b, alpha


def _transform_bind(f: Fields, material: int, axis: str, source: Source) -> TextureTransformBind:
    """axis: "" for both, "_S" for u alone, "_T" for v alone; the other one keeps the material's own."""
    sx, sy, ox, oy = f.vector("targetValue", (1.0, 1.0, 0.0, 0.0))
    if axis:
        properties = source.ext.values("materialProperties")
        stated = properties[material] if material < len(properties) else {}
        place = f"{source.ext.at('materialProperties')}[{material}]"
        vectors = Fields(stated, place).child_or_empty("vectorProperties")
        own_ox, own_oy, own_sx, own_sy = vectors.vector("_MainTex", (0.0, 0.0, 1.0, 1.0))
        if axis == "_S":
            sy, oy = own_sy, own_oy
        else:
            sx, ox = own_sx, own_ox
    offset, scale = flipped_transform((ox, oy), (sx, sy))
    return TextureTransformBind(material, offset, scale)


# ---------------------------------------------------------------- gaze and first person


def _look_at(source: Source) -> LookAt | None:
    f = source.ext.child("firstPerson")
    if f is None:
        return None
    by_expression = f.text("lookAtTypeName").lower() == "blendshape"
    offset = _in_node(f.xyz("firstPersonBoneOffset", (0.0, 0.06, 0.0)))
    inner, outer, down, up = (
        _degree_map(f, f"lookAt{name}", 1.0 if by_expression else 10.0, source.notes)
        for name in ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    )
    return LookAt("expression" if by_expression else "bone", offset, inner, outer, down, up)


def _degree_map(first_person: Fields, key: str, default_scale: float, notes: Notes) -> RangeMap:
    f = first_person.child_or_empty(key)
    values = f.values("curve")
    curve = vector(values, len(values), f.at("curve"))
    if len(curve) % 4:
        notes.add(f"{f.at('curve')} has {len(curve)} numbers, not a multiple of 4; a straight line is taken")
        curve = ()
    if curve == _LINEAR_CURVE:
        curve = ()
    return range_map(f.number("xRange", 90.0), f.number("yRange", default_scale), curve, f.path, notes)


def _first_person(source: Source) -> dict[int, FirstPersonType]:
    f = source.ext.child_or_empty("firstPerson")
    nodes_of_mesh = _nodes_of_mesh(source)
    out: dict[int, FirstPersonType] = {}
    for a in f.children("meshAnnotations", source.limits.items):
        flag = _FIRST_PERSON.get(a.text("firstPersonFlag", "Auto").lower())
        if flag is None:
            source.notes.add(f"{a.path} has the unknown flag {a.text('firstPersonFlag')[:60]!r}")
            continue
        for node in nodes_of_mesh.get(a.integer("mesh", -1), []):
            out.setdefault(node, flag)
    return out


# ---------------------------------------------------------------- spring bones


def _colliders(source: Source) -> tuple[tuple[Collider, ...], list[tuple[int, ...]]]:
    """All colliders, and the ones of each group."""
    out: list[Collider] = []
    groups: list[tuple[int, ...]] = []
    budget = Budget(source.limits)
    for g in source.ext.child_or_empty("secondaryAnimation").children("colliderGroups", source.limits.items):
        first = len(out)
        spheres = g.children("colliders", source.limits.items)
        budget.take(len(spheres), g.path)
        node = g.index("node", len(source.gltf.nodes), "nodes") if spheres else None
        for f in spheres if node is not None else []:
            assert node is not None
            offset = _in_node(f.xyz("offset", (0.0, 0.0, 0.0)))
            out.append(Collider(node, "sphere", offset, f.number("radius", 0.0)))
        groups.append(tuple(range(first, len(out))))
    return tuple(out), groups


def _springs(source: Source, groups: list[tuple[int, ...]]) -> tuple[Spring, ...]:
    """One spring a root bone: its whole subtree swings, each joint's end at its first child (three-vrm)."""
    out: list[Spring] = []
    budget = Budget(source.limits)
    count = len(source.gltf.nodes)
    for f in source.ext.child_or_empty("secondaryAnimation").children("boneGroups", source.limits.items):
        listed = f.indices("colliderGroups", len(groups), "colliderGroups")
        budget.take(sum(len(groups[g]) for g in listed), f.path)
        used = unique(c for g in listed for c in groups[g])
        center = f.index("center", count, "nodes") if f.integer("center", -1) >= 0 else None
        settings = _joint_settings(f)
        for root in f.indices("bones", count, "nodes"):
            joints = tuple(
                SpringJoint(node, next(iter(source.gltf.nodes[node].children), None), *settings)
                for node in _subtree(source, root, budget, f.path)
            )
            budget.take(len(used), f.path)
            out.append(Spring(f.text("comment") or source.gltf.nodes[root].name, joints, used, center))
    return check_springs(tuple(out), source.limits, source.ext.at("secondaryAnimation.boneGroups"))


def _subtree(source: Source, root: int, budget: Budget, where: str) -> list[int]:
    order: list[int] = []
    stack = [root]
    while stack:
        budget.take(1, where)
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(source.gltf.nodes[node].children))
    return order


def _joint_settings(f: Fields) -> tuple[float, float, float, Vec3, float]:
    """What all joints of a bone group have in common: SpringJoint's fields after node and tail, in order."""
    return (
        f.number("hitRadius", 0.0),
        f.number("stiffiness", 1.0),
        f.number("gravityPower", 0.0),
        _in_world(f.xyz("gravityDir", _DOWN)),
        f.number("dragForce", 0.5),
    )
