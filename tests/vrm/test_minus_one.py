"""−1 for "none", as released exporters write it, in every index of VRM 0.x, VRM 1.0 and glTF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.vrm.vrm_file import MESH_NODE, STRAND, Doc, changed, vrm0, vrm1
from vrm_synth.core.errors import AvatarError
from vrm_synth.vrm import Avatar, load_bytes

Change = Callable[[Doc], object]


def loaded(change: Change, make: Any = vrm1) -> Avatar:
    return load_bytes(changed(change, make), "x.vrm")


def ext0(doc: Doc) -> Doc:
    vrm: Doc = doc["extensions"]["VRM"]
    return vrm


def ext1(doc: Doc) -> Doc:
    vrm: Doc = doc["extensions"]["VRMC_vrm"]
    return vrm


def springs1(doc: Doc) -> Doc:
    springs: Doc = doc["extensions"]["VRMC_springBone"]
    return springs


def happy(doc: Doc) -> Doc:
    expression: Doc = ext1(doc)["expressions"]["preset"]["happy"]
    return expression


def primitive(doc: Doc) -> Doc:
    entry: Doc = doc["meshes"][0]["primitives"][0]
    return entry


def constraint(doc: Doc) -> Doc:
    entry: Doc = doc["nodes"][STRAND + 1]["extensions"]["VRMC_node_constraint"]["constraint"]["roll"]
    return entry


def group0(doc: Doc) -> Doc:
    group: Doc = ext0(doc)["secondaryAnimation"]["boneGroups"][0]
    return group


def unskinned(doc: Doc) -> None:
    doc["nodes"][MESH_NODE]["skin"] = -1
    for name in ("JOINTS_0", "WEIGHTS_0"):
        primitive(doc)["attributes"].pop(name)


# What is set to −1, where its oddity points, and what must be so then.
CASES: dict[str, tuple[Any, Change, str, Callable[[Avatar], object]]] = {
    "0.x spring roots": (
        vrm0,
        lambda d: group0(d).update(bones=[-1, STRAND]),
        "boneGroups[0].bones[0]",
        lambda a: [s.joints[0].node for s in a.springs] == [STRAND],
    ),
    "0.x collider groups of a spring": (
        vrm0,
        lambda d: group0(d).update(colliderGroups=[-1, 0]),
        "boneGroups[0].colliderGroups[0]",
        lambda a: a.springs[0].colliders == (0,),
    ),
    "0.x collider's node": (
        vrm0,
        lambda d: ext0(d)["secondaryAnimation"]["colliderGroups"][0].update(node=-1),
        "colliderGroups[0].node",
        lambda a: not a.colliders and a.springs[0].colliders == (),
    ),
    "0.x bind's mesh": (
        vrm0,
        lambda d: ext0(d)["blendShapeMaster"]["blendShapeGroups"][0]["binds"].insert(0, {"mesh": -1, "index": 0}),
        "blendShapeGroups[0].binds[0].mesh",
        lambda a: len(a.expressions["happy"].morph_target_binds) == 1,
    ),
    "0.x bind's target": (
        vrm0,
        lambda d: ext0(d)["blendShapeMaster"]["blendShapeGroups"][0]["binds"].insert(0, {"mesh": 0, "index": -1}),
        "blendShapeGroups[0].binds[0].index",
        lambda a: len(a.expressions["happy"].morph_target_binds) == 1,
    ),
    "0.x mesh annotation": (
        vrm0,
        lambda d: ext0(d)["firstPerson"]["meshAnnotations"].insert(0, {"mesh": -1, "firstPersonFlag": "Both"}),
        "meshAnnotations[0].mesh",
        lambda a: a.first_person == {MESH_NODE: "thirdPersonOnly"},
    ),
    "1.0 thumbnail": (
        vrm1,
        lambda d: ext1(d)["meta"].update(thumbnailImage=-1),
        "meta.thumbnailImage",
        lambda a: a.meta.thumbnail is None,
    ),
    "1.0 optional bone": (
        vrm1,
        lambda d: ext1(d)["humanoid"]["humanBones"]["leftEye"].update(node=-1),
        "humanBones.leftEye.node",
        lambda a: "leftEye" not in a.humanoid and "rightEye" in a.humanoid,
    ),
    "1.0 morph bind's node": (
        vrm1,
        lambda d: happy(d)["morphTargetBinds"].insert(0, {"node": -1, "index": 0}),
        "morphTargetBinds[0].node",
        lambda a: [b.node for b in a.expressions["happy"].morph_target_binds] == [MESH_NODE],
    ),
    "1.0 morph bind's target": (
        vrm1,
        lambda d: happy(d)["morphTargetBinds"].insert(0, {"node": MESH_NODE, "index": -1}),
        "morphTargetBinds[0].index",
        lambda a: [b.index for b in a.expressions["happy"].morph_target_binds] == [0],
    ),
    "1.0 color bind": (
        vrm1,
        lambda d: happy(d)["materialColorBinds"][0].update(material=-1),
        "materialColorBinds[0].material",
        lambda a: not a.expressions["happy"].material_color_binds,
    ),
    "1.0 texture transform bind": (
        vrm1,
        lambda d: happy(d)["textureTransformBinds"][0].update(material=-1),
        "textureTransformBinds[0].material",
        lambda a: not a.expressions["happy"].texture_transform_binds,
    ),
    "1.0 mesh annotation": (
        vrm1,
        lambda d: ext1(d)["firstPerson"]["meshAnnotations"].insert(0, {"node": -1, "type": "both"}),
        "meshAnnotations[0].node",
        lambda a: a.first_person == {MESH_NODE: "thirdPersonOnly"},
    ),
    "1.0 constraint's source": (
        vrm1,
        lambda d: constraint(d).update(source=-1),
        "constraint.roll.source",
        lambda a: a.constraints == (),
    ),
    "1.0 collider's node": (
        vrm1,
        lambda d: springs1(d)["colliders"].insert(0, {"node": -1, "shape": {"sphere": {"radius": 1}}}),
        "colliders[0].node",
        # the dropped collider is number 0 of the file; groups list colliders by the file's numbers
        lambda a: [c.shape for c in a.colliders] == ["capsule"] and a.springs[0].colliders == (),
    ),
    "1.0 collider of a group": (
        vrm1,
        lambda d: springs1(d)["colliderGroups"][0].update(colliders=[-1, 0]),
        "colliderGroups[0].colliders[0]",
        lambda a: a.springs[0].colliders == (0,),
    ),
    "1.0 collider groups of a spring": (
        vrm1,
        lambda d: springs1(d)["springs"][0].update(colliderGroups=[-1]),
        "springs[0].colliderGroups[0]",
        lambda a: a.springs[0].colliders == (),
    ),
    "1.0 center": (
        vrm1,
        lambda d: springs1(d)["springs"][0].update(center=-1),
        "springs[0].center",
        lambda a: a.springs[0].center is None,
    ),
    "1.0 joint": (
        vrm1,
        lambda d: springs1(d)["springs"][0]["joints"].insert(1, {"node": -1, "stiffness": 9}),
        "joints[1].node",
        lambda a: [(j.node, j.tail, j.stiffness) for j in a.springs[0].joints] == [(STRAND, STRAND + 1, 2)],
    ),
    "material": (
        vrm1,
        lambda d: primitive(d).update(material=-1),
        "primitives[0].material",
        lambda a: a.materials[a.meshes[0].primitives[0].material].name == "default",
    ),
    "indices": (
        vrm1,
        lambda d: primitive(d).update(indices=-1),
        "primitives[0].indices",
        lambda a: a.meshes[0].primitives[0].indices.tolist() == [[0, 1, 2]],
    ),
    "attribute": (
        vrm1,
        lambda d: primitive(d)["attributes"].update(NORMAL=-1, TANGENT=-1),
        "attributes.NORMAL",
        lambda a: a.meshes[0].primitives[0].normals is None,
    ),
    "morph target's attribute": (
        vrm1,
        lambda d: primitive(d)["targets"][1].update(POSITION=-1),
        "targets[1].POSITION",
        lambda a: not a.meshes[0].primitives[0].morph_positions[1].any(),
    ),
    "skin": (vrm1, unskinned, f"nodes[{MESH_NODE}].skin", lambda a: a.nodes[MESH_NODE].skin is None),
    "mesh": (
        vrm1,
        lambda d: d["nodes"][STRAND].update(mesh=-1),
        f"nodes[{STRAND}].mesh",
        lambda a: a.nodes[STRAND].mesh is None,
    ),
    "child": (
        vrm1,
        lambda d: d["nodes"][0]["children"].append(-1),
        "nodes[0].children",
        lambda a: -1 not in a.nodes[0].children,
    ),
    "scene": (vrm1, lambda d: d.update(scene=-1), "scene", lambda a: len(a.scene_nodes) == STRAND + 2),
    "inverse bind matrices": (
        vrm1,
        lambda d: d["skins"][0].update(inverseBindMatrices=-1),
        "skins[0].inverseBindMatrices",
        lambda a: np.array_equal(a.skins[0].inverse_bind, [np.eye(4)] * 2),
    ),
    "sampler": (
        vrm1,
        lambda d: d["textures"][0].update(sampler=-1),
        "textures[0].sampler",
        lambda a: a.textures[0].sampler.wrap_t == 10497,
    ),
    "a material's texture": (
        vrm1,
        lambda d: d["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"].update(index=-1),
        "baseColorTexture.index",
        lambda a: a.materials[0].base_color_texture is None and a.materials[0].mtoon is not None,
    ),
    "a texture's picture": (
        vrm1,
        lambda d: d["textures"].append({"source": -1}),
        "textures[1].source",
        lambda a: len(a.textures) == 2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_index_of_minus_one_is_dropped_and_reported(case: str) -> None:
    make, change, pointer, holds = CASES[case]
    avatar = loaded(change, make)
    assert any(pointer in line and "is -1" in line for line in avatar.oddities), avatar.oddities
    assert holds(avatar)


def test_minus_one_where_vrm0_allows_it_is_not_reported() -> None:
    def change(doc: Doc) -> None:
        ext0(doc)["meta"]["texture"] = -1
        ext0(doc)["humanoid"]["humanBones"].append({"bone": "jaw", "node": -1})
        ext0(doc)["materialProperties"][0]["textureProperties"]["_BumpMap"] = -1

    avatar = loaded(change, vrm0)  # its spring's center is -1, too
    assert avatar.oddities == () and avatar.meta.thumbnail is None and "jaw" not in avatar.humanoid


def test_many_equal_oddities_are_one_line() -> None:
    def change(doc: Doc) -> None:
        group0(doc)["bones"] = [STRAND] + [-1] * 300
        ext0(doc)["secondaryAnimation"]["boneGroups"] += [{**group0(doc), "colliderGroups": [-1]}] * 2

    (bones, groups) = loaded(change, vrm0).oddities
    assert "boneGroups[0].bones[1] is -1" in bones and "and 899 more in boneGroups[*].bones[*]" in bones
    assert "boneGroups[1].colliderGroups[0] is -1" in groups and "and 1 more in" in groups


REFUSED: dict[str, tuple[Any, Change, str]] = {
    "a required bone": (vrm1, lambda d: ext1(d)["humanoid"]["humanBones"]["hips"].update(node=-1), "missing; got hips"),
    "a joint of a skin": (vrm1, lambda d: d["skins"][0].update(joints=[0, -1]), "skins[0].joints[1]"),
    "POSITION": (vrm1, lambda d: primitive(d)["attributes"].update(POSITION=-1), "no POSITION"),
    "an accessor's data": (vrm1, lambda d: d["accessors"][0].update(bufferView=-1), "must not be negative"),
    "material -2": (vrm1, lambda d: primitive(d).update(material=-2), "material: must not be negative"),
    "0.x root -2": (vrm0, lambda d: group0(d).update(bones=[-2]), "bones[0]: index into nodes is out of range; got -2"),
    "0.x root 9999": (vrm0, lambda d: group0(d).update(bones=[9999]), "got 9999"),
    "0.x center -2": (vrm0, lambda d: group0(d).update(center=-2), "center: index into nodes"),
    "1.0 collider group -2": (vrm1, lambda d: springs1(d)["springs"][0].update(colliderGroups=[-2]), "got -2"),
    "1.0 bind 9999": (vrm1, lambda d: happy(d)["morphTargetBinds"][0].update(node=9999), "got 9999"),
    "true is not -1": (vrm1, lambda d: springs1(d)["springs"][0].update(center=True), "must be an integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_minus_one_in_a_required_index_is_refused(case: str) -> None:
    make, change, words = REFUSED[case]
    with pytest.raises(AvatarError, match=words.replace("[", r"\[").replace("]", r"\]")):
        loaded(change, make)
