"""Write a DemoCharacter as a VRM 1.0 file (VRMC_vrm, VRMC_materials_mtoon, VRMC_springBone, VRMC_node_constraint)."""

from __future__ import annotations

from vrm_synth.builtin_avatar.demo_character import DemoCharacter
from vrm_synth.builtin_avatar.write_gltf import (
    BufferPacker,
    Json,
    base_gltf,
    plain_material,
    texture_info,
    used_extensions,
    write_glb,
)
from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.vrm.avatar import Collider, Constraint, Expression, RangeMap, Spring, SpringJoint

LICENSE_URL = "https://vrm.dev/licenses/1.0/"
CC0_URL = "https://creativecommons.org/publicdomain/zero/1.0/"


def write_vrm1(character: DemoCharacter) -> bytes:
    """Return the bytes of a VRM 1.0 file; equal characters give equal bytes."""
    packer = BufferPacker()
    gltf = base_gltf(character, packer, turn=False, material=_material)
    for c in character.constraints:
        gltf["nodes"][c.node]["extensions"] = {
            "VRMC_node_constraint": {"specVersion": "1.0", "constraint": _constraint(c)}
        }
    gltf["extensions"] = {"VRMC_vrm": _vrm(character), "VRMC_springBone": _springs(character)}
    vrm_extensions = ["VRMC_vrm", "VRMC_materials_mtoon", "VRMC_springBone", "VRMC_node_constraint"]
    gltf["extensionsUsed"] = sorted([*vrm_extensions, *used_extensions(character)])
    return write_glb(gltf, packer)


def _vrm(c: DemoCharacter) -> Json:
    preset = {n: _expression(e) for n, e in c.expressions.items() if e.is_preset}
    custom = {n: _expression(e) for n, e in c.expressions.items() if not e.is_preset}
    return {
        "specVersion": "1.0",
        "meta": {
            "extras": {"vrm_synth_facts": dict(c.facts)},
            "name": c.name,
            "version": "1.0",
            "authors": ["vrm-synth"],
            "copyrightInformation": "CC0 1.0: no rights reserved",
            "licenseUrl": LICENSE_URL,
            "otherLicenseUrl": CC0_URL,
            "thumbnailImage": c.thumbnail,
            "avatarPermission": "everyone",
            "allowExcessivelyViolentUsage": True,
            "allowExcessivelySexualUsage": True,
            "commercialUsage": "corporation",
            "allowPoliticalOrReligiousUsage": True,
            "allowAntisocialOrHateUsage": True,
            "creditNotation": "unnecessary",
            "allowRedistribution": True,
            "modification": "allowModificationRedistribution",
        },
        "humanoid": {"humanBones": {b: {"node": n} for b, n in c.humanoid.items()}},
        "firstPerson": {"meshAnnotations": [{"node": n, "type": t} for n, t in c.first_person.items()]},
        "lookAt": {
            "offsetFromHeadBone": list(c.look_at.offset_from_head_bone),
            "type": c.look_at.type,
            "rangeMapHorizontalInner": _range(c.look_at.horizontal_inner),
            "rangeMapHorizontalOuter": _range(c.look_at.horizontal_outer),
            "rangeMapVerticalDown": _range(c.look_at.vertical_down),
            "rangeMapVerticalUp": _range(c.look_at.vertical_up),
        },
        "expressions": {"preset": preset, "custom": custom},
    }


def _range(r: RangeMap) -> Json:
    return {"inputMaxValue": r.input_max_value, "outputScale": r.output_scale}


def _expression(e: Expression) -> Json:
    out: Json = {
        "isBinary": e.is_binary,
        "overrideBlink": e.override_blink,
        "overrideLookAt": e.override_look_at,
        "overrideMouth": e.override_mouth,
    }
    if e.morph_target_binds:
        out["morphTargetBinds"] = [{"node": b.node, "index": b.index, "weight": b.weight} for b in e.morph_target_binds]
    if e.material_color_binds:
        out["materialColorBinds"] = [
            {"material": b.material, "type": b.type, "targetValue": list(b.target)} for b in e.material_color_binds
        ]
    if e.texture_transform_binds:
        out["textureTransformBinds"] = [
            {"material": b.material, "offset": list(b.offset), "scale": list(b.scale)}
            for b in e.texture_transform_binds
        ]
    return out


def _constraint(c: Constraint) -> Json:
    inner: Json = {"source": c.source, "weight": c.weight}
    if c.kind == "roll":
        inner["rollAxis"] = c.axis
    if c.kind == "aim":
        inner["aimAxis"] = c.axis
    return {c.kind: inner}


def _springs(c: DemoCharacter) -> Json:
    groups = {g: i for i, g in enumerate(dict.fromkeys(s.colliders for s in c.springs))}
    return {
        "specVersion": "1.0",
        "colliders": [{"node": x.node, "shape": _shape(x)} for x in c.colliders],
        "colliderGroups": [{"name": f"group{i}", "colliders": list(g)} for g, i in groups.items()],
        "springs": [_spring(s, groups[s.colliders]) for s in c.springs],
    }


def _shape(x: Collider) -> Json:
    body: Json = {"offset": list(x.offset), "radius": x.radius}
    return {"capsule": body | {"tail": list(x.tail)}} if x.shape == "capsule" else {"sphere": body}


def _spring(s: Spring, group: int) -> Json:
    last = s.joints[-1].tail
    joints = [_joint(j) for j in s.joints] + ([{"node": last}] if last is not None else [])
    out: Json = {"name": s.name, "joints": joints, "colliderGroups": [group]}
    return out if s.center is None else out | {"center": s.center}


def _joint(j: SpringJoint) -> Json:
    return {
        "node": j.node,
        "hitRadius": j.hit_radius,
        "stiffness": j.stiffness,
        "gravityPower": j.gravity_power,
        "gravityDir": list(j.gravity_dir),
        "dragForce": j.drag_force,
    }


def _material(m: Material) -> Json:
    out = plain_material(m)
    if m.mtoon is not None:
        out["extensions"]["VRMC_materials_mtoon"] = _mtoon(m.mtoon)
    return out


def _mtoon(t: MToon) -> Json:
    out: Json = {"specVersion": "1.0"}
    for name, value in vars(t).items():
        key = _camel(name)
        if isinstance(value, TextureInfo):
            more = {"scale": t.shading_shift_texture_scale} if name == "shading_shift_texture" else {}
            out[key] = texture_info(value, **more)
        elif value is not None and name != "shading_shift_texture_scale":
            out[key] = list(value) if isinstance(value, tuple) else value
    return out


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
