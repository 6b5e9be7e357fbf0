"""Read the VRM 0.x extension (VRM) into VRM 1.0 terms.

Vectors in the extension are Unity's: x right, y up, z forward of an avatar that looks along +Z. The same
avatar in its glTF nodes looks along −Z, with z mirrored (`_mirror_z`). Vectors of the world (gravity) turn with the
nodes once the avatar is made to face +Z (see facing), so that x is mirrored instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from vrm_synth.core.bones import V0_BONE_NAMES
from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.json_reader import JsonObject, unique, vector
from vrm_synth.gltf.model import Vec3
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.licensing.license import contradictions, vrm0_license
from vrm_synth.vrm.avatar import Collider, FirstPersonType, LookAt, Meta, RangeMap, Spring, SpringJoint
from vrm_synth.vrm.extension import ExtensionSource, ReferenceLimit, VrmExtension, check_spring_limits, range_map
from vrm_synth.vrm.vrm0_expressions import nodes_of_mesh, read_vrm0_expressions

_FIRST_PERSON: dict[str, FirstPersonType] = {
    "auto": "auto",
    "both": "both",
    "thirdpersononly": "thirdPersonOnly",
    "firstpersononly": "firstPersonOnly",
}
_LINEAR_CURVE = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
_DOWN: Vec3 = (0.0, -1.0, 0.0)


def read_vrm0(source: ExtensionSource) -> VrmExtension:
    """Read everything of the VRM extension except its materials (vrm0_materials.py)."""
    colliders, groups = _colliders(source)
    expressions, reference = read_vrm0_expressions(source)
    return VrmExtension(
        version="0",
        exporter=source.ext.text("exporterVersion"),
        meta=_meta(source),
        bones=tuple(_bones(source)),
        expressions=expressions,
        reference_expressions=None if list(reference.items()) == list(expressions.items()) else reference,
        look_at=_look_at(source),
        colliders=colliders,
        springs=_springs(source, groups),
        first_person=_first_person(source),
    )


def _mirror_z(v: Vec3) -> Vec3:
    return v[0], v[1], -v[2]


def _meta(source: ExtensionSource) -> Meta:
    f = source.ext.child_or_empty("meta")
    texture = f.integer("texture", -1)  # exporters write −1 for none
    thumbnail = None
    if 0 <= texture < len(source.gltf.textures):
        thumbnail = source.gltf.textures[texture].source
    elif texture != -1:
        source.oddities.add(f"{f.at('texture')} is {texture}, which is not in textures; there is no thumbnail")
    author, license = f.text("author"), vrm0_license(f)
    for line in contradictions(license):
        source.oddities.add(line)
    return Meta(f.text("title"), f.text("version"), (author,) if author else (), license, thumbnail, f.data)


def _bones(source: ExtensionSource) -> Iterator[tuple[str, int, str]]:
    humanoid = source.ext.child("humanoid")
    if humanoid is None:
        raise AvatarError("file has no humanoid", where=source.ext.at("humanoid"))
    count = len(source.gltf.nodes)
    for f in humanoid.children("humanBones", source.limits.items):
        name = f.text("bone")
        node = f.index("node", count, "nodes", minus_one_is_normal=True)  # exporters list absent bones with −1
        if node is not None:
            yield V0_BONE_NAMES.get(name, name), node, f.path


# ---------------------------------------------------------------- gaze and first person


def _look_at(source: ExtensionSource) -> LookAt | None:
    f = source.ext.child("firstPerson")
    if f is None:
        return None
    by_expression = f.text("lookAtTypeName").lower() == "blendshape"
    offset = _mirror_z(f.xyz("firstPersonBoneOffset", (0.0, 0.06, 0.0)))
    inner, outer, down, up = (
        _degree_map(f, f"lookAt{name}", 1.0 if by_expression else 10.0, source.oddities)
        for name in ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    )
    return LookAt("expression" if by_expression else "bone", offset, inner, outer, down, up)


def _degree_map(first_person: JsonObject, key: str, default_scale: float, oddities: Oddities) -> RangeMap:
    f = first_person.child_or_empty(key)
    values = f.values("curve")
    curve = vector(values, len(values), f.at("curve"))
    if len(curve) % 4:
        oddities.add(f"{f.at('curve')} has {len(curve)} numbers, not a multiple of 4; a straight line is taken")
        curve = ()
    if curve == _LINEAR_CURVE:
        curve = ()
    return range_map(f.number("xRange", 90.0), f.number("yRange", default_scale), curve, f.path, oddities)


def _first_person(source: ExtensionSource) -> dict[int, FirstPersonType]:
    f = source.ext.child_or_empty("firstPerson")
    by_mesh = nodes_of_mesh(source)
    out: dict[int, FirstPersonType] = {}
    for a in f.children("meshAnnotations", source.limits.items):
        flag = _FIRST_PERSON.get(a.text("firstPersonFlag", "Auto").lower())
        if flag is None:
            source.oddities.add(f"{a.path} has the unknown flag {a.text('firstPersonFlag')[:60]!r}")
            continue
        if a.is_none_index("mesh", entry=True):
            continue
        mesh = a.integer("mesh", -1)
        if mesh != -1 and not 0 <= mesh < len(source.gltf.meshes):
            source.oddities.add(f"{a.path} is for mesh {mesh}, which there is not")
        for node in by_mesh.get(mesh, []):
            out.setdefault(node, flag)
    return out


# ---------------------------------------------------------------- spring bones


def _colliders(source: ExtensionSource) -> tuple[tuple[Collider, ...], list[tuple[int, ...]]]:
    """Read all colliders, and the indices of those of each group."""
    out: list[Collider] = []
    groups: list[tuple[int, ...]] = []
    reference_limit = ReferenceLimit(source.limits)
    for g in source.ext.child_or_empty("secondaryAnimation").children("colliderGroups", source.limits.items):
        first = len(out)
        spheres = g.children("colliders", source.limits.items)
        reference_limit.add(len(spheres), g.path)
        node = g.entry_index("node", len(source.gltf.nodes), "nodes") if spheres and g.has("node") else None
        for f in spheres if node is not None else []:
            assert node is not None
            offset = _mirror_z(f.xyz("offset", (0.0, 0.0, 0.0)))
            out.append(Collider(node, "sphere", offset, f.number("radius", 0.0)))
        groups.append(tuple(range(first, len(out))))
    return tuple(out), groups


def _springs(source: ExtensionSource, groups: list[tuple[int, ...]]) -> tuple[Spring, ...]:
    """Read one spring per root bone: its whole subtree swings, each joint with its first child as tail (three-vrm)."""
    out: list[Spring] = []
    reference_limit = ReferenceLimit(source.limits)
    count = len(source.gltf.nodes)
    for f in source.ext.child_or_empty("secondaryAnimation").children("boneGroups", source.limits.items):
        listed = f.indices("colliderGroups", len(groups), "colliderGroups")
        reference_limit.add(sum(len(groups[g]) for g in listed), f.path)
        used = unique(c for g in listed for c in groups[g])
        center = f.index("center", count, "nodes", minus_one_is_normal=True)
        settings = _joint_settings(f)
        for root in f.indices("bones", count, "nodes"):
            joints = tuple(
                SpringJoint(node, next(iter(source.gltf.nodes[node].children), None), *settings)
                for node in _subtree(source, root, reference_limit, f.path)
            )
            reference_limit.add(len(used), f.path)
            out.append(Spring(f.text("comment") or source.gltf.nodes[root].name, joints, used, center))
    return check_spring_limits(tuple(out), source.limits, source.ext.at("secondaryAnimation.boneGroups"))


def _subtree(source: ExtensionSource, root: int, reference_limit: ReferenceLimit, where: str) -> list[int]:
    order: list[int] = []
    stack = [root]
    while stack:
        reference_limit.add(1, where)
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(source.gltf.nodes[node].children))
    return order


def _joint_settings(f: JsonObject) -> tuple[float, float, float, Vec3, float]:
    """Read the settings that all joints of a bone group share: SpringJoint's fields after tail, in order."""
    return (
        f.number("hitRadius", 0.0),
        f.number("stiffiness", 1.0),
        f.number("gravityPower", 0.0),
        _mirror_z(f.xyz("gravityDir", _DOWN)),
        f.number("dragForce", 0.5),
    )
