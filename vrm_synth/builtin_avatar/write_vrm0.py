"""Write a DemoCharacter as a VRM 0.x file (extension VRM, MToon 0.x) that gives the same pictures as the 1.0 file.

The avatar is turned to face −Z. Colors are converted to gamma (power 1/2.2, the inverse of the migration's 2.2),
outline widths to centimeters, shading shift and toony through the inverse of the migration's formula. What 0.x cannot
express is left out: node constraints, overrides, capsules (a row of spheres instead), the shading-shift texture.
"""

from __future__ import annotations

import numpy as np

from vrm_synth.builtin_avatar.demo_character import DemoCharacter
from vrm_synth.builtin_avatar.write_gltf import (
    BufferPacker,
    Json,
    base_gltf,
    plain_material,
    used_extensions,
    write_glb,
)
from vrm_synth.builtin_avatar.write_vrm1 import CC0_URL
from vrm_synth.core.bones import V0_BONE_NAMES
from vrm_synth.gltf.model import Material, MToon, Vec3
from vrm_synth.vrm.avatar import Collider, Expression, RangeMap, Spring

_PRESETS = {
    "aa": "a",
    "ih": "i",
    "ou": "u",
    "ee": "e",
    "oh": "o",
    "happy": "joy",
    "sad": "sorrow",
    "relaxed": "fun",
    "angry": "angry",
    "neutral": "neutral",
    "blink": "blink",
    "blinkLeft": "blink_l",
    "blinkRight": "blink_r",
    "lookUp": "lookup",
    "lookDown": "lookdown",
    "lookLeft": "lookleft",
    "lookRight": "lookright",
}
_QUEUE = {"OPAQUE": 2000, "MASK": 2450, "BLEND": 3000}


def write_vrm0(character: DemoCharacter) -> bytes:
    """Return the bytes of a VRM 0.x file; equal characters give equal bytes."""
    packer = BufferPacker()
    gltf = base_gltf(character, packer, turn=True, material=plain_material)
    gltf["extensions"] = {"VRM": _vrm(character)}
    gltf["extensionsUsed"] = sorted(["VRM", *used_extensions(character)])
    return write_glb(gltf, packer)


def _vrm(c: DemoCharacter) -> Json:
    to_v0 = {new: old for old, new in V0_BONE_NAMES.items()}
    return {
        "exporterVersion": "vrm-synth",
        "specVersion": "0.0",
        "meta": {
            "extras": {"vrm_synth_facts": dict(c.facts)},
            "title": c.name,
            "version": "1.0",
            "author": "vrm-synth",
            "contactInformation": "",
            "reference": "",
            "texture": next(i for i, t in enumerate(c.textures) if t.image == c.thumbnail),
            "allowedUserName": "Everyone",
            "violentUssageName": "Allow",
            "sexualUssageName": "Allow",
            "commercialUssageName": "Allow",
            "otherPermissionUrl": "",
            "licenseName": "CC0",
            "otherLicenseUrl": CC0_URL,
        },
        "humanoid": {
            "humanBones": [
                {"bone": to_v0.get(b, b), "node": n, "useDefaultValues": True} for b, n in c.humanoid.items()
            ],
            "armStretch": 0.05,
            "legStretch": 0.05,
            "upperArmTwist": 0.5,
            "lowerArmTwist": 0.5,
            "upperLegTwist": 0.5,
            "lowerLegTwist": 0.5,
            "feetSpacing": 0.0,
            "hasTranslationDoF": False,
        },
        "firstPerson": _first_person(c),
        "blendShapeMaster": {"blendShapeGroups": [_group(e, c) for e in c.expressions.values()]},
        "secondaryAnimation": _secondary(c),
        "materialProperties": [_properties(m) for m in c.materials],
    }


def _xyz(v: Vec3) -> Json:
    return {"x": v[0], "y": v[1], "z": v[2]}


def _unity_offset(v: Vec3) -> Json:
    """Convert an offset of an avatar that faces +Z to 0.x: turned to face −Z, then z mirrored for Unity."""
    return _xyz((0.0 - v[0], v[1], v[2]))


def _first_person(c: DemoCharacter) -> Json:
    def degrees(r: RangeMap) -> Json:
        return {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": r.input_max_value, "yRange": r.output_scale}

    return {
        "firstPersonBone": c.humanoid["head"],
        "firstPersonBoneOffset": _unity_offset(c.look_at.offset_from_head_bone),
        "meshAnnotations": [
            {"mesh": c.nodes[n].mesh, "firstPersonFlag": t[0].upper() + t[1:]} for n, t in c.first_person.items()
        ],
        "lookAtTypeName": "Bone",
        "lookAtHorizontalInner": degrees(c.look_at.horizontal_inner),
        "lookAtHorizontalOuter": degrees(c.look_at.horizontal_outer),
        "lookAtVerticalDown": degrees(c.look_at.vertical_down),
        "lookAtVerticalUp": degrees(c.look_at.vertical_up),
    }


def _group(e: Expression, c: DemoCharacter) -> Json:
    values: list[Json] = [
        {"materialName": c.materials[b.material].name, "propertyName": "_Color", "targetValue": list(_gamma4(b.target))}
        for b in e.material_color_binds
    ]
    for t in e.texture_transform_binds:
        st = [*t.scale, t.offset[0], 1.0 - t.offset[1] - t.scale[1]]
        values.append({"materialName": c.materials[t.material].name, "propertyName": "_MainTex_ST", "targetValue": st})
    return {
        "name": e.name,
        "presetName": _PRESETS.get(e.name, "unknown"),
        "binds": [
            {"mesh": c.nodes[b.node].mesh, "index": b.index, "weight": b.weight * 100.0} for b in e.morph_target_binds
        ],
        "materialValues": values,
        "isBinary": e.is_binary,
    }


def _secondary(c: DemoCharacter) -> Json:
    nodes = list(dict.fromkeys(x.node for x in c.colliders))
    groups = [{"node": n, "colliders": [s for x in c.colliders if x.node == n for s in _spheres(x)]} for n in nodes]
    return {
        "boneGroups": [
            _bone_group(s, sorted({nodes.index(c.colliders[i].node) for i in s.colliders})) for s in c.springs
        ],
        "colliderGroups": groups,
    }


def _spheres(x: Collider) -> list[Json]:
    """Convert a collider to spheres, all that 0.x has: a capsule becomes a row of them, a radius apart."""
    if x.shape == "sphere":
        return [{"offset": _unity_offset(x.offset), "radius": x.radius}]
    a, b = np.array(x.offset), np.array(x.tail)
    count = int(np.ceil(np.linalg.norm(b - a) / x.radius)) + 1
    rows = a + np.linspace(0, 1, count)[:, None] * (b - a)
    return [{"offset": _unity_offset((float(p[0]), float(p[1]), float(p[2]))), "radius": x.radius} for p in rows]


def _bone_group(s: Spring, groups: list[int]) -> Json:
    first = s.joints[0]
    return {
        "comment": s.name,
        "stiffiness": first.stiffness,
        "gravityPower": first.gravity_power,
        "gravityDir": _xyz(first.gravity_dir),
        "dragForce": first.drag_force,
        "center": -1 if s.center is None else s.center,
        "hitRadius": first.hit_radius,
        "bones": [first.node],
        "colliderGroups": groups,
    }


def _gamma(linear: float) -> float:
    return float(linear ** (1 / 2.2))


def _gamma4(c: tuple[float, ...], alpha: float = 1.0) -> tuple[float, float, float, float]:
    return _gamma(c[0]), _gamma(c[1]), _gamma(c[2]), c[3] if len(c) > 3 else alpha


def shading_to_v0(shift: float, toony: float) -> tuple[float, float]:
    """Return 0.x (_ShadeShift, _ShadeToony) that the migration converts to this shift and toony.

    The inverse of toony' = lerp(toony, 1, (1 + shift) / 2), shift' = −shift − (1 − toony').
    """
    old = -shift - (1.0 - toony)
    half = 0.5 + 0.5 * old
    return old, (toony - half) / (1.0 - half)


def _properties(m: Material) -> Json:
    base: Json = {
        "name": m.name,
        "shader": "VRM_USE_GLTFSHADER",
        "renderQueue": _QUEUE[m.alpha_mode],
        "floatProperties": {},
        "vectorProperties": {},
        "textureProperties": {},
        "keywordMap": {},
        "tagMap": {},
    }
    return base if m.mtoon is None else base | _mtoon(m, m.mtoon)


def _mtoon(m: Material, t: MToon) -> Json:
    blend = {"OPAQUE": 0, "MASK": 1, "BLEND": 3 if t.transparent_with_z_write else 2}[m.alpha_mode]
    shift, toony = shading_to_v0(t.shading_shift_factor, t.shading_toony_factor)
    main = m.base_color_texture
    scale, offset = (main.scale, main.offset) if main else ((1.0, 1.0), (0.0, 0.0))
    transform = [offset[0], 1.0 - scale[1] - offset[1], *scale]
    slots = {
        "_MainTex": main,
        "_ShadeTexture": t.shade_multiply_texture,
        "_BumpMap": m.normal_texture,
        "_SphereAdd": t.matcap_texture,
        "_RimTexture": t.rim_multiply_texture,
        "_OutlineWidthTexture": t.outline_width_multiply_texture,
    }
    used = {k: v.texture for k, v in slots.items() if v is not None}
    keywords = {"_ALPHATEST_ON": blend == 1, "_ALPHABLEND_ON": blend >= 2, "_NORMALMAP": m.normal_texture is not None}
    return {
        "shader": "VRM/MToon",
        "renderQueue": _QUEUE[m.alpha_mode] + t.render_queue_offset_number,
        "floatProperties": {
            "_Cutoff": m.alpha_cutoff,
            "_BumpScale": m.normal_scale,
            "_ReceiveShadowRate": 1.0,
            "_ShadingGradeRate": 1.0,
            "_ShadeShift": shift,
            "_ShadeToony": toony,
            "_LightColorAttenuation": 0.0,
            "_IndirectLightIntensity": 1.0 - t.gi_equalization_factor,
            "_RimLightingMix": t.rim_lighting_mix_factor,
            "_RimFresnelPower": t.parametric_rim_fresnel_power_factor,
            "_RimLift": t.parametric_rim_lift_factor,
            "_OutlineWidth": t.outline_width_factor * 100.0,
            "_OutlineScaledMaxDistance": 1.0,
            "_OutlineLightingMix": t.outline_lighting_mix_factor,
            "_OutlineWidthMode": ["none", "worldCoordinates", "screenCoordinates"].index(t.outline_width_mode),
            "_OutlineColorMode": 1 if t.outline_lighting_mix_factor > 0 else 0,
            "_OutlineCullMode": 1,
            "_UvAnimScrollX": t.uv_animation_scroll_x_speed_factor,
            "_UvAnimScrollY": 0.0 - t.uv_animation_scroll_y_speed_factor,
            "_UvAnimRotation": t.uv_animation_rotation_speed_factor,
            "_MToonVersion": 38,
            "_DebugMode": 0,
            "_BlendMode": blend,
            "_CullMode": 0 if m.double_sided else 2,
            "_SrcBlend": 5 if blend >= 2 else 1,
            "_DstBlend": 10 if blend >= 2 else 0,
            "_ZWrite": 0 if blend == 2 else 1,
        },
        "vectorProperties": {
            "_Color": list(_gamma4(m.base_color_factor)),
            "_ShadeColor": list(_gamma4(t.shade_color_factor)),
            "_EmissionColor": [0.0, 0.0, 0.0, 1.0],
            "_RimColor": list(_gamma4(t.parametric_rim_color_factor)),
            "_OutlineColor": list(_gamma4(t.outline_color_factor)),
            **{k: list(transform) for k in used if k != "_SphereAdd"},
        },
        "textureProperties": used,
        "keywordMap": {k: True for k, on in keywords.items() if on},
        "tagMap": {"RenderType": ["Opaque", "TransparentCutout", "Transparent", "Transparent"][blend]},
    }
