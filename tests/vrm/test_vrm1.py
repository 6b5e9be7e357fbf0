"""VRM 1.0 files: every extension is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.vrm.vrm_file import BONE_LIST, MESH_NODE, STRAND, Doc, changed, glb, vrm0, vrm1
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.gltf.model import MToon, TextureInfo
from vrm_synth.vrm import Avatar, load_bytes
from vrm_synth.vrm.humanoid import rest_world_matrix

HEAD = next(i for i, bone in enumerate(BONE_LIST) if bone.name == "head")


def edited(change: Any = lambda doc: None) -> Avatar:
    return load_bytes(changed(change), "x.vrm")


def vrm(doc: Doc) -> Doc:
    vrm_extension: Doc = doc["extensions"]["VRMC_vrm"]
    return vrm_extension


def test_vrm1_files_are_not_turned() -> None:
    a = edited()
    assert a.oddities == () and a.vrm_version == "1" and len(a.nodes) == STRAND + 2
    assert a.scene_nodes[0] == 0 and rest_world_matrix(a.nodes, a.humanoid["leftHand"])[0, 3] > 0.3


def test_a_vrm1_file_that_faces_minus_z_is_turned() -> None:
    def change(doc: Doc) -> None:
        doc["nodes"][0]["rotation"] = [0, 1, 0, 0]

    a = edited(change)
    assert rest_world_matrix(a.nodes, a.humanoid["leftHand"])[0, 3] > 0.3
    assert a.look_at is not None and a.look_at.offset_from_head_bone == (0, 0.06, 0.02)  # the head node's own frame
    assert a.oddities == ("a VRM 1.0 file that faces -Z, the 0.x way; turned to face +Z",)


def test_a_file_of_both_versions_is_read_as_the_newer() -> None:
    a = edited(lambda doc: doc["extensions"].update(VRM=vrm0()[0]["extensions"]["VRM"]))
    assert a.vrm_version == "1" and a.expressions.keys() == {"happy", "wink"}
    assert a.oddities == ("file has both VRM and VRMC_vrm; it is read as VRM 1.0",)


def test_mtoon_materials_are_read() -> None:
    (m,) = edited().materials
    assert m.kind == "mtoon" and m.base_color_factor == (1, 0.5, 0.25, 1)
    assert m.base_color_texture == TextureInfo(0, 0, (0.5, 0.0), 0.0, (2.0, 2.0))
    assert m.mtoon == MToon(
        shade_color_factor=(0.5, 0.5, 0.5),
        shade_multiply_texture=TextureInfo(0),
        shading_shift_texture=TextureInfo(0),
        shading_shift_texture_scale=0.5,
        outline_width_mode="worldCoordinates",
        outline_width_factor=0.01,
    )


def test_an_empty_mtoon_has_the_specifications_defaults() -> None:
    a = edited(lambda doc: doc["materials"][0].update(extensions={"VRMC_materials_mtoon": {"specVersion": "1.0"}}))
    assert a.materials[0].mtoon == MToon()


def test_unlit_pbr_and_emissive_strength_are_read() -> None:
    def change(doc: Doc) -> None:
        transform = {"KHR_texture_transform": {"rotation": 0.5, "texCoord": 1}}
        doc["materials"] += [
            {"extensions": {"KHR_materials_unlit": {}}, "alphaMode": "MASK", "alphaCutoff": 0.75},
            {
                "emissiveFactor": [1, 0.5, 0],
                "emissiveTexture": {"index": 0, "texCoord": 0, "extensions": transform},
                "normalTexture": {"index": 0, "scale": 0.5},
                "occlusionTexture": {"index": 0, "strength": 0.25},
                "pbrMetallicRoughness": {
                    "metallicFactor": 0,
                    "roughnessFactor": 0.5,
                    "metallicRoughnessTexture": {"index": 0},
                },
                "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 3}},
                "doubleSided": True,
            },
            {"extensions": {"VRMC_materials_hdr_emissiveMultiplier": {"emissiveMultiplier": 4}}},
        ]

    _, unlit, pbr, old = edited(change).materials
    assert (unlit.kind, unlit.alpha_mode, unlit.alpha_cutoff, unlit.mtoon) == ("unlit", "MASK", 0.75, None)
    assert pbr.kind == "pbr" and pbr.double_sided and pbr.emissive_strength == 3 and old.emissive_strength == 4
    assert pbr.emissive_factor == (1, 0.5, 0) and pbr.emissive_texture == TextureInfo(0, 1, (0, 0), 0.5, (1, 1))
    assert (pbr.normal_scale, pbr.occlusion_strength, pbr.metallic_factor, pbr.roughness_factor) == (0.5, 0.25, 0, 0.5)


def test_samplers_default_to_trilinear_and_repeat() -> None:
    a = edited(lambda doc: (doc["samplers"].append({}), doc["textures"].append({"source": 0, "sampler": 1})))
    s, default = a.textures[0].sampler, a.textures[1].sampler
    assert (s.mag_filter, s.min_filter, s.wrap_s, s.wrap_t) == (9729, 9987, 10497, 33071)
    assert (default.mag_filter, default.min_filter, default.wrap_s, default.wrap_t) == (9729, 9987, 10497, 10497)


def test_expressions_are_read() -> None:
    a = edited()
    happy, wink = a.expressions["happy"], a.expressions["wink"]
    assert happy.is_preset and happy.override_blink == "block" and happy.override_mouth == "none"
    assert [(b.node, b.index, b.weight) for b in happy.morph_target_binds] == [(MESH_NODE, 0, 1)]
    assert [(b.material, b.type, b.target) for b in happy.material_color_binds] == [(0, "color", (1, 0, 0, 1))]
    assert [(b.offset, b.scale) for b in happy.texture_transform_binds] == [((0.25, 0), (1, 1))]
    assert not wink.is_preset and wink.is_binary and not wink.is_bound


def test_misplaced_names_and_targets_are_dropped_and_reported() -> None:
    def change(doc: Doc) -> None:
        vrm(doc)["expressions"]["preset"]["smug"] = {}
        vrm(doc)["expressions"]["custom"]["blink"] = {}
        vrm(doc)["expressions"]["preset"]["happy"]["morphTargetBinds"].append({"node": MESH_NODE, "index": 2})

    a = edited(change)
    assert a.expressions.keys() == {"happy", "wink"} and len(a.expressions["happy"].morph_target_binds) == 1
    assert len(a.oddities) == 3


def test_thumb_names_of_the_beta_are_renamed() -> None:
    def change(doc: Doc) -> None:
        bones = vrm(doc)["humanoid"]["humanBones"]
        bones["leftThumbProximal"] = bones.pop("leftThumbMetacarpal")
        bones["leftThumbIntermediate"] = {"node": 0}

    a = edited(change)
    assert BONE_LIST[a.humanoid["leftThumbMetacarpal"]].name == "leftThumbMetacarpal"
    assert a.humanoid["leftThumbProximal"] == 0


def test_look_at_is_read() -> None:
    look = edited().look_at
    assert look is not None and look.type == "bone" and look.offset_from_head_bone == (0, 0.06, 0.02)
    assert (look.horizontal_inner.input_max_value, look.horizontal_inner.output_scale) == (60, 8)
    assert (look.vertical_up.input_max_value, look.vertical_up.output_scale) == (90, 10)
    by_face = edited(lambda doc: vrm(doc)["lookAt"].update(type="expression")).look_at
    assert by_face is not None and by_face.vertical_up.output_scale == 1
    assert edited(lambda doc: vrm(doc).pop("lookAt")).look_at is None


def test_springs_end_at_their_last_joint() -> None:
    a = edited()
    (spring,) = a.springs
    (joint,) = spring.joints
    assert (joint.node, joint.tail, joint.stiffness, joint.hit_radius) == (STRAND, STRAND + 1, 2, 0.02)
    assert (joint.drag_force, joint.gravity_power, joint.gravity_dir) == (0.5, 0, (0, -1, 0))
    assert spring.center == 0 and spring.colliders == (0,)
    (c,) = a.colliders
    assert (c.node, c.shape, c.radius, c.tail) == (HEAD, "capsule", 0.1, (0, 0.1, 0))


def test_colliders_of_every_shape_are_read() -> None:
    def extended(own: Doc, **changes: Any) -> Doc:
        extension = {"specVersion": "1.0", "shape": own}
        return {"node": 0, "extensions": {"VRMC_springBone_extended_collider": extension}, **changes}

    fallback = {"shape": {"sphere": {"radius": 9}}}

    def change(doc: Doc) -> None:
        springs = doc["extensions"]["VRMC_springBone"]
        springs["colliders"] = [
            {"node": 0, "shape": {"sphere": {"offset": [1, 2, 3], "radius": 4}}},
            {"node": 0, "shape": {}},  # no shape: left out, and the group skips it
            extended({"sphere": {"radius": 5, "inside": True}}, **fallback),
            extended({"capsule": {"radius": 6, "tail": [0, 1, 0], "inside": True}}),
            extended({"plane": {"offset": [0, 1, 0], "normal": [0, 1, 0]}}, **fallback),
            extended({"sphere": {"radius": 7}}),
            extended({}, **fallback),
        ]
        springs["colliderGroups"] = [{"colliders": [0, 1, 2]}, {"colliders": [2, 6]}]
        springs["springs"][0]["colliderGroups"] = [0, 1]

    a = edited(change)
    assert [(c.shape, c.radius) for c in a.colliders] == [
        ("sphere", 4),
        ("insideSphere", 5),
        ("insideCapsule", 6),
        ("plane", 0),
        ("sphere", 7),
        ("sphere", 9),
    ]
    assert a.colliders[3].normal == (0, 1, 0) and a.colliders[2].tail == (0, 1, 0)
    assert a.springs[0].colliders == (0, 1, 5)
    assert a.oddities == ("extensions.VRMC_springBone.colliders[1] has no shape",)


def test_constraints_are_read() -> None:
    def change(doc: Doc) -> None:
        def constrain(node: int, body: Doc) -> None:
            doc["nodes"][node]["extensions"] = {"VRMC_node_constraint": {"specVersion": "1.0", "constraint": body}}

        constrain(STRAND, {"aim": {"source": 3, "aimAxis": "NegativeZ", "weight": 0.5}})
        constrain(MESH_NODE, {"rotation": {"source": STRAND}})
        constrain(4, {})

    a = edited(change)
    found = [(c.node, c.kind, c.source, c.weight, c.axis) for c in a.constraints]
    assert found == [
        (MESH_NODE, "rotation", STRAND, 1, None),
        (STRAND, "aim", 3, 0.5, "NegativeZ"),
        (STRAND + 1, "roll", 0, 1, "Y"),
    ]
    assert a.oddities == ("nodes[4].extensions.VRMC_node_constraint.constraint is neither roll, aim nor rotation",)


def test_meta_and_first_person_are_read() -> None:
    a = edited()
    assert (a.meta.name, a.meta.version, a.meta.authors, a.meta.thumbnail) == ("quad", "1", ("vrm-synth",), 0)
    assert a.meta.license.is_cc0 and a.meta.raw["name"] == "quad"
    assert a.first_person == {MESH_NODE: "thirdPersonOnly"} and a.generator == "vrm-synth's tests"


def test_a_bone_outside_the_scene_is_dropped_and_reported() -> None:
    def change(doc: Doc) -> None:
        doc["nodes"].append({"name": "lost jaw"})
        vrm(doc)["humanoid"]["humanBones"]["jaw"] = {"node": len(doc["nodes"]) - 1}

    a = edited(change)
    assert "jaw" not in a.humanoid and "not in the scene" in a.oddities[0]


def test_avatars_are_opened_relative_to_a_base(tmp_path: Any) -> None:
    doc, data = vrm1()
    (tmp_path / "a.vrm").write_bytes(glb(doc, bytes(data)))
    assert open_avatar("a.vrm", tmp_path).source == str(tmp_path / "a.vrm")
    assert open_avatar(str(tmp_path / "a.vrm"), tmp_path / "elsewhere").triangle_count == 2


def test_loading_is_a_pure_function_of_the_bytes() -> None:
    doc, data = vrm1()
    file = glb(doc, bytes(data))
    a, b = load_bytes(file, "x.vrm"), load_bytes(file, "x.vrm")
    assert a.sha256 == b.sha256 and a.materials == b.materials and a.nodes == b.nodes
    for p, q in zip(a.meshes[0].primitives, b.meshes[0].primitives, strict=True):
        np.testing.assert_array_equal(p.positions, q.positions)
    with pytest.raises(ValueError, match="read-only"):
        a.meshes[0].primitives[0].positions[0, 0] = 1
