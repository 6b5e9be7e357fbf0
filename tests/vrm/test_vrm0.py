"""VRM 0.x files: everything is converted to VRM 1.0's terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vrm.vrm_file import BONE_LIST, MESH_NODE, STRAND, Doc, changed, vrm0
from vrm_synth.gltf.model import Material, MToon
from vrm_synth.vrm import Avatar, load_bytes
from vrm_synth.vrm.humanoid import rest_world_matrix

HEAD = next(i for i, bone in enumerate(BONE_LIST) if bone.name == "head")


def edited(change: Any = lambda vrm: None) -> Avatar:
    """The avatar after `change(doc["extensions"]["VRM"])`."""
    return load_bytes(changed(lambda doc: change(doc["extensions"]["VRM"]), vrm0), "x.vrm")


def material(**properties: Any) -> Material:
    """The material of these materialProperties, over MToon's defaults."""
    entry = {"name": "skin", "shader": "VRM/MToon", **properties}
    return edited(lambda vrm: vrm.update(materialProperties=[entry])).materials[0]


def mtoon(**properties: Any) -> MToon:
    converted = material(**properties).mtoon
    assert converted is not None
    return converted


def test_vrm0_files_are_turned_to_face_plus_z() -> None:
    a = edited()
    assert a.nodes[-1].rotation == (0, 1, 0, 0) and a.scene_nodes[0] == len(a.nodes) - 1
    assert rest_world_matrix(a.nodes, a.humanoid["leftHand"])[0, 3] > 0.3
    np.testing.assert_allclose(rest_world_matrix(a.nodes, STRAND)[:3, 3], [0, 1.6, 0.1], atol=1e-6)


def test_thumbs_are_renamed() -> None:
    assert edited().humanoid["leftThumbMetacarpal"] == next(
        i for i, bone in enumerate(BONE_LIST) if bone.name == "leftThumbMetacarpal"
    )


def test_duplicate_and_unknown_bones_are_reported() -> None:
    def change(vrm: Doc) -> None:
        more = [{"bone": "head", "node": 0}, {"bone": "tail", "node": 0}, {"bone": "jaw", "node": -1}]
        vrm["humanoid"]["humanBones"] += more

    a = edited(change)
    assert a.humanoid["head"] == HEAD and "jaw" not in a.humanoid
    assert ["names head again" in o for o in a.oddities] == [True, False]
    assert "unknown bone 'tail'" in a.oddities[1]


# ---------------------------------------------------------------- materials


def test_mtoon_defaults_are_those_of_0x() -> None:
    m, terms = material(), mtoon()
    assert m.base_color_factor == (1, 1, 1, 1) and m.alpha_mode == "OPAQUE" and not m.double_sided
    assert terms.shade_color_factor == pytest.approx([c**2.2 for c in (0.97, 0.81, 0.86)])
    # toony 0.9, shift 0: halfway to 1, and shifted by the rest
    assert terms.shading_toony_factor == pytest.approx(0.95) and terms.shading_shift_factor == pytest.approx(-0.05)
    assert terms.gi_equalization_factor == pytest.approx(0.9)
    assert terms.rim_lighting_mix_factor == 0 and terms.parametric_rim_fresnel_power_factor == 1
    assert terms.outline_width_mode == "none" and terms.outline_lighting_mix_factor == 0
    assert not terms.transparent_with_z_write and terms.render_queue_offset_number == 0


@pytest.mark.parametrize("toony", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("shift", [-1.0, -0.3, 0.0, 0.5, 1.0])
def test_shade_shift_and_toony_keep_their_range(toony: float, shift: float) -> None:
    """0.x goes from shade to lit as N·L goes from `shift` to lerp(1, shift, toony); 1.0 must do the same."""
    terms = mtoon(floatProperties={"_ShadeToony": toony, "_ShadeShift": shift})
    start, end = shift, 1 + (shift - 1) * toony
    new = terms.shading_toony_factor
    assert -1 + new - terms.shading_shift_factor == pytest.approx(start)
    assert 1 - new - terms.shading_shift_factor == pytest.approx(end)


def test_colors_are_gamma_but_emission_is_linear() -> None:
    vectors = {f"_{n}Color": [0.5, 0.25, 1, 0.5] for n in ("Shade", "Rim", "Outline")}
    m = material(vectorProperties={**vectors, "_Color": [0.5, 0.25, 1, 0.5], "_EmissionColor": [2, 0.5, 0, 1]})
    assert m.base_color_factor == pytest.approx((0.5**2.2, 0.25**2.2, 1, 0.5))
    assert m.emissive_factor == (2, 0.5, 0) and m.emissive_strength == 1
    assert m.mtoon is not None
    for color in (m.mtoon.shade_color_factor, m.mtoon.parametric_rim_color_factor, m.mtoon.outline_color_factor):
        assert color == pytest.approx((0.5**2.2, 0.25**2.2, 1))


def test_texture_transform_is_flipped_and_spares_the_matcap() -> None:
    names = (
        "_MainTex",
        "_ShadeTexture",
        "_BumpMap",
        "_EmissionMap",
        "_RimTexture",
        "_OutlineWidthTexture",
        "_SphereAdd",
    )
    textures = dict.fromkeys((*names, "_UvAnimMaskTexture"), 0)
    m = material(vectorProperties={"_MainTex": [0.125, 0.25, 2, 0.5]}, textureProperties=textures)
    infos = m.texture_infos()
    matcap = infos.pop("matcap_texture")
    assert (matcap.offset, matcap.scale) == ((0, 0), (1, 1))
    assert len(infos) == 7
    # v up: 0.25 + 0.5·v; v down: 1 − (0.25 + 0.5·(1 − v)) = 0.25 + 0.5·v
    assert {(i.offset, i.scale) for i in infos.values()} == {((0.125, 0.25), (2.0, 0.5))}
    third = material(vectorProperties={"_MainTex": [0, 0.1, 1, 0.5]}, textureProperties={"_MainTex": 0})
    assert third.base_color_texture is not None and third.base_color_texture.offset == pytest.approx((0, 0.4))


@pytest.mark.parametrize(
    ("keywords", "mode"),
    [
        ({}, "OPAQUE"),
        ({"_ALPHATEST_ON": True}, "MASK"),
        ({"_ALPHABLEND_ON": True}, "BLEND"),
        ({"_ALPHABLEND_ON": True, "_ALPHATEST_ON": True}, "BLEND"),
        ({"_ALPHABLEND_ON": False}, "OPAQUE"),
    ],
)
def test_alpha_modes_are_converted(keywords: dict[str, bool], mode: str) -> None:
    m = material(keywordMap=keywords, floatProperties={"_Cutoff": 0.25, "_ZWrite": 1})
    assert m.alpha_mode == mode and m.alpha_cutoff == 0.25
    assert m.mtoon is not None and m.mtoon.transparent_with_z_write == (mode == "BLEND")


def test_cull_mode_becomes_double_sided() -> None:
    assert [material(floatProperties={"_CullMode": mode}).double_sided for mode in (0, 1, 2)] == [True, False, False]


@pytest.mark.parametrize(("number", "mode"), [(0, "none"), (1, "worldCoordinates"), (2, "screenCoordinates")])
def test_outlines_are_converted(number: int, mode: str) -> None:
    floats = {"_OutlineWidthMode": number, "_OutlineWidth": 0.5, "_OutlineColorMode": 1, "_OutlineLightingMix": 0.75}
    terms = mtoon(floatProperties=floats)
    assert (terms.outline_width_mode, terms.outline_width_factor) == (mode, 0.005)
    assert terms.outline_lighting_mix_factor == 0.75
    assert mtoon(floatProperties={**floats, "_OutlineColorMode": 0}).outline_lighting_mix_factor == 0


def test_uv_animation_scrolls_the_other_way() -> None:
    terms = mtoon(floatProperties={"_UvAnimScrollX": 1, "_UvAnimScrollY": 2, "_UvAnimRotation": 3})
    speeds = (terms.uv_animation_scroll_x_speed_factor, terms.uv_animation_scroll_y_speed_factor)
    assert speeds == (1, -2) and terms.uv_animation_rotation_speed_factor == 3


def test_render_queues_keep_their_order() -> None:
    """Among transparent materials, queues become −n … 0; among those that write depth, 0 … n."""

    def entry(queue: int, z_write: int) -> Doc:
        blend = {"keywordMap": {"_ALPHABLEND_ON": True}, "floatProperties": {"_ZWrite": z_write}}
        return {"shader": "VRM/MToon", "renderQueue": queue, **blend}

    plain = [3000, 2950, 3100, 3000, *range(4000, 4012)]
    z_write = [2501, 2700, 2501, 2600]
    opaque = {"shader": "VRM/MToon", "renderQueue": 1234}

    def change(doc: Doc) -> None:
        entries = [entry(q, 0) for q in plain] + [entry(q, 1) for q in z_write] + [opaque]
        doc["extensions"]["VRM"]["materialProperties"] = entries
        doc["materials"] = [{"name": f"m{i}"} for i in range(len(entries))]

    materials = load_bytes(changed(change, vrm0), "x.vrm").materials
    offsets = [m.mtoon.render_queue_offset_number for m in materials if m.mtoon]
    assert offsets[:4] == [-9, -9, -9, -9]  # 15 queues do not fit into 10; the last ones keep apart
    assert offsets[4:16] == [-9, -9, *range(-9, 1)]
    assert offsets[16:20] == [0, 2, 0, 1] and offsets[20] == 0


@pytest.mark.parametrize(
    ("shader", "color", "alpha"),
    [
        ("VRM/UnlitTexture", (0.25**2.2, 1, 1, 0.5), "OPAQUE"),
        ("VRM/UnlitCutout", (0.25**2.2, 1, 1, 0.5), "MASK"),
        ("Unlit/Color", (0.25**2.2, 1, 1, 0.5), "OPAQUE"),
        ("Unlit/Texture", (1, 1, 1, 1), "OPAQUE"),
        ("Unlit/Transparent", (1, 1, 1, 1), "BLEND"),
        ("Unlit/Transparent Cutout", (1, 1, 1, 1), "MASK"),
    ],
)
def test_unlit_shaders_become_unlit_materials(shader: str, color: tuple[float, ...], alpha: str) -> None:
    vectors, textures = {"_Color": [0.25, 1, 1, 0.5]}, {"_MainTex": 0}
    m = material(shader=shader, vectorProperties=vectors, textureProperties=textures, floatProperties={"_Cutoff": 0.3})
    assert (m.kind, m.alpha_mode, m.alpha_cutoff) == ("unlit", alpha, 0.3)
    assert m.base_color_factor == pytest.approx(color) and m.base_color_texture is not None


@pytest.mark.parametrize(("shader", "writes"), [("VRM/UnlitTransparent", False), ("VRM/UnlitTransparentZWrite", True)])
def test_blended_unlit_shaders_look_unlit_and_keep_their_queue(shader: str, writes: bool) -> None:
    """Black under any light, all color from emission: unlit, but with MToon's queue and depth writing."""
    m = material(shader=shader, vectorProperties={"_Color": [0.5, 1, 1, 0.25]}, textureProperties={"_MainTex": 0})
    assert m.mtoon is not None and m.alpha_mode == "BLEND"
    assert m.base_color_factor == (0, 0, 0, 0.25) and m.mtoon.shade_color_factor == (0, 0, 0)
    assert m.emissive_factor == pytest.approx((0.5**2.2, 1, 1)) and m.emissive_texture == m.base_color_texture
    assert m.mtoon.transparent_with_z_write == writes and m.mtoon.matcap_texture is None


def test_gltf_shader_and_unknown_shaders_take_the_gltf_material() -> None:
    assert material(shader="VRM_USE_GLTFSHADER").kind == "unlit"  # the file's material has KHR_materials_unlit
    a = edited(lambda vrm: vrm.update(materialProperties=[{"shader": "Custom/Glass"}]))
    assert a.materials[0].kind == "unlit" and "unknown shader 'Custom/Glass'" in a.oddities[0]
    fewer = edited(lambda vrm: vrm.update(materialProperties=[]))
    assert fewer.materials[0].kind == "unlit" and "0 entries for 1 materials" in fewer.oddities[0]


def test_negative_texture_indices_mean_none() -> None:
    assert material(textureProperties={"_MainTex": -1}).base_color_texture is None


# ---------------------------------------------------------------- the rest


def test_blend_shapes_become_expressions() -> None:
    a = edited()
    assert list(a.expressions) == ["happy", "Wink"]
    happy = a.expressions["happy"]
    assert happy.is_preset and not happy.is_binary and a.expressions["Wink"].is_binary
    assert [(b.node, b.index, b.weight) for b in happy.morph_target_binds] == [(MESH_NODE, 0, 0.5)]
    assert happy.material_color_binds[0].target == pytest.approx((1, 0.5**2.2, 0, 1))
    assert happy.texture_transform_binds[0].offset == (0.25, 0) and happy.texture_transform_binds[0].scale == (1, 1)


def test_a_bind_reaches_every_node_of_its_mesh_and_material_of_its_name() -> None:
    def change(doc: Doc) -> None:
        doc["nodes"].append({"mesh": 0})
        doc["materials"].append({"name": "skin"})

    happy = load_bytes(changed(change, vrm0), "x.vrm").expressions["happy"]
    assert [b.node for b in happy.morph_target_binds] == [MESH_NODE, STRAND + 2]
    assert [b.material for b in happy.material_color_binds] == [0, 1]


def test_one_axis_of_a_texture_transform_leaves_the_other_as_it_was() -> None:
    values = [
        {"materialName": "skin", "propertyName": "_MainTex_ST_S", "targetValue": [3, 9, 0.75, 9]},
        {"materialName": "skin", "propertyName": "_MainTex_ST_T", "targetValue": [9, 4, 9, 0.5]},
    ]
    a = edited(lambda vrm: vrm["blendShapeMaster"]["blendShapeGroups"][0].update(materialValues=values))
    s, t = a.expressions["happy"].texture_transform_binds  # the material's own: offset 0.125, 0.25; scale 2, 0.5
    assert (s.offset, s.scale) == ((0.75, 0.25), (3, 0.5))
    assert (t.offset, t.scale) == ((0.125, 1 - 4 - 0.5), (2, 4))


def test_binds_without_a_target_are_dropped_and_reported() -> None:
    def change(vrm: Doc) -> None:
        group = vrm["blendShapeMaster"]["blendShapeGroups"][0]
        group["binds"] = [{"mesh": 5, "index": 0}, {"mesh": 0, "index": 9}, {"mesh": -1, "index": 0}]
        group["materialValues"] = [{"materialName": "hat", "propertyName": "_Color", "targetValue": [1, 1, 1, 1]}]
        more = [{"name": "Again", "presetName": "joy"}, {"presetName": "unknown"}]
        vrm["blendShapeMaster"]["blendShapeGroups"] += more

    a = edited(change)
    assert not a.expressions["happy"].is_bound and len(a.expressions) == 2
    assert len(a.oddities) == 6


def test_look_at_is_converted() -> None:
    a = edited()
    assert a.look_at is not None and a.look_at.type == "bone"
    # Unity's z is glTF's −z, in the head node's own frame
    assert a.look_at.offset_from_head_bone == (0.01, 0.06, -0.02)
    assert a.look_at.horizontal_inner.curve == ()  # the straight line
    assert a.look_at.horizontal_outer.curve == (0, 0, 0, 2, 1, 1, 0, 0)
    assert edited(lambda vrm: vrm.pop("firstPerson")).look_at is None
    bare = edited(lambda vrm: vrm.update(firstPerson={"lookAtTypeName": "BlendShape"})).look_at
    assert bare is not None and bare.type == "expression" and bare.vertical_up.output_scale == 1
    assert bare.offset_from_head_bone == (0, 0.06, 0)
    zero = edited(lambda vrm: vrm["firstPerson"]["lookAtVerticalUp"].update(xRange=0))
    assert zero.look_at is not None and zero.look_at.vertical_up.input_max_value == 0.01
    assert "input range of 0°" in zero.oddities[0]


def test_springs_are_converted() -> None:
    a = edited()
    (spring,) = a.springs
    assert [(j.node, j.tail) for j in spring.joints] == [(STRAND, STRAND + 1), (STRAND + 1, None)]
    assert {(j.stiffness, j.hit_radius, j.drag_force) for j in spring.joints} == {(2, 0.02, 0.5)}
    # a world direction: Unity's x, mirrored once the avatar faces +Z
    assert spring.joints[0].gravity_dir == (-0.1, -1, 0.2) and spring.center is None
    # an offset in the collider's node: Unity's z, mirrored
    assert [(c.node, c.shape, c.offset, c.radius) for c in a.colliders] == [(HEAD, "sphere", (1, 2, -3), 0.1)]
    assert spring.colliders == (0,)


def test_a_forked_strand_is_one_spring_of_all_its_joints() -> None:
    def change(doc: Doc) -> None:
        doc["nodes"] += [{"name": "fork"}, {"name": "tip"}]
        doc["nodes"][STRAND]["children"] = [STRAND + 1, STRAND + 2]
        doc["nodes"][STRAND + 1]["children"] = [STRAND + 3]

    (spring,) = load_bytes(changed(change, vrm0), "x.vrm").springs
    assert [(j.node - STRAND, j.tail and j.tail - STRAND) for j in spring.joints] == [
        (0, 1),
        (1, 3),
        (3, None),
        (2, None),
    ]


def test_first_person_and_meta_are_read() -> None:
    a = edited()
    assert a.first_person == {MESH_NODE: "thirdPersonOnly"}
    assert (a.meta.name, a.meta.authors, a.meta.thumbnail) == ("quad", ("vrm-synth",), 0)
    assert a.meta.license.is_cc0 and a.generator == "tests" and a.vrm_version == "0"
    odd = edited(lambda vrm: vrm["firstPerson"]["meshAnnotations"][0].update(firstPersonFlag="Sometimes"))
    assert odd.first_person == {} and "unknown flag" in odd.oddities[0]
