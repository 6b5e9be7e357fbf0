"""Broken VRM extensions (cases of broken_files.py)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.gltf.edits import Case, drop, put
from tests.vrm.vrm_file import STRAND, changed
from tests.vrm.vrm_file import vrm0 as make0


def vrm1_cases() -> Iterator[Case]:
    bones = ("extensions", "VRMC_vrm", "humanoid", "humanBones")
    yield "no hips", changed(drop(*bones, "hips")), "required humanoid bones are missing; got hips"
    yield "no humanoid", changed(drop("extensions", "VRMC_vrm", "humanoid")), "file has no humanoid"
    yield "bones as a list", changed(put(*bones, value=[])), "humanBones: must be an object"
    yield "bone out of range", changed(put(*bones, "head", "node", value=99)), "humanBones.head.node: index into nodes"
    yield (
        "bone without node",
        changed(put(*bones, "head", value={})),
        "humanBones.head.node: required value is missing",
    )
    yield "VRMC_vrm is true", changed(put("extensions", "VRMC_vrm", value=True)), "VRMC_vrm: must be an object"
    happy = ("extensions", "VRMC_vrm", "expressions", "preset", "happy")
    yield (
        "bind out of range",
        changed(put(*happy, "morphTargetBinds", 0, "node", value=99)),
        "morphTargetBinds[0].node",
    )
    yield "bind's weight is text", changed(put(*happy, "morphTargetBinds", 0, "weight", value="1")), "must be a number"
    yield (
        "bind's type is new",
        changed(put(*happy, "materialColorBinds", 0, "type", value="glow")),
        "allowed: color, emi",
    )
    yield "override is new", changed(put(*happy, "overrideBlink", value="maybe")), "allowed: none, block, blend"
    yield (
        "binds is an object",
        changed(put(*happy, "morphTargetBinds", value={})),
        "must be a list; got an object of 0",
    )


def vrm1_motion_cases() -> Iterator[Case]:
    springs = ("extensions", "VRMC_springBone")
    yield (
        "spring joint out of range",
        changed(put(*springs, "springs", 0, "joints", 0, "node", value=99)),
        "joints[0].node",
    )
    yield (
        "collider's group out of range",
        changed(put(*springs, "springs", 0, "colliderGroups", value=[4])),
        "colliderGroups[0]",
    )
    yield "collider out of range", changed(put(*springs, "colliderGroups", 0, "colliders", value=[4])), "colliders[0]"
    yield (
        "stiffness is a list",
        changed(put(*springs, "springs", 0, "joints", 0, "stiffness", value=[])),
        "must be a number",
    )
    roll = ("nodes", STRAND + 1, "extensions", "VRMC_node_constraint", "constraint", "roll")
    yield "constraint of nothing", changed(put(*roll, "source", value=99)), "roll.source: index into nodes"
    yield "constraint on itself", changed(put(*roll, "source", value=STRAND + 1)), "follow each other in a circle"
    yield "roll axis W", changed(put(*roll, "rollAxis", value="W")), "allowed: X, Y, Z"
    queue = ("materials", 0, "extensions", "VRMC_materials_mtoon", "renderQueueOffsetNumber")
    yield "queue of 50", changed(put(*queue, value=50)), "renderQueueOffsetNumber: out of range; got 50"
    look_at_type = ("extensions", "VRMC_vrm", "lookAt", "type")
    yield "gaze by magic", changed(put(*look_at_type, value="magic")), "lookAt.type: unknown value"
    yield (
        "thumbnail out of range",
        changed(put("extensions", "VRMC_vrm", "meta", "thumbnailImage", value=7)),
        "thumbnailImage",
    )
    yield (
        "name is a number",
        changed(put("extensions", "VRMC_vrm", "meta", "name", value=7)),
        "meta.name: must be a string",
    )


def vrm0_cases() -> Iterator[Case]:
    vrm = ("extensions", "VRM")
    yield "0.x without humanoid", changed(drop(*vrm, "humanoid"), make0), "file has no humanoid"
    few = changed(put(*vrm, "humanoid", "humanBones", value=[{"bone": "hips", "node": 0}]), make0)
    yield "0.x with hips alone", few, "required humanoid bones are missing; got spine, head"
    first = (*vrm, "humanoid", "humanBones", 0)
    yield (
        "0.x bone out of range",
        changed(put(*first, "node", value=99), make0),
        "humanBones[0].node: index into nodes",
    )
    yield "0.x bone is text", changed(put(*first, "node", value="hips"), make0), "must be an integer"
    properties = (*vrm, "materialProperties", 0)
    yield (
        "0.x texture out of range",
        changed(put(*properties, "textureProperties", "_MainTex", value=9), make0),
        "_MainTex",
    )
    yield "0.x float is text", changed(put(*properties, "floatProperties", "_Cutoff", value="0.5"), make0), "_Cutoff"
    yield "0.x color of two", changed(put(*properties, "vectorProperties", "_Color", value=[1, 1]), make0), "_Color"
    yield (
        "0.x properties is a list",
        changed(put(*properties, "floatProperties", value=[]), make0),
        "must be an object",
    )
    groups = (*vrm, "secondaryAnimation", "boneGroups", 0)
    yield "0.x strand out of range", changed(put(*groups, "bones", value=[99]), make0), "boneGroups[0].bones[0]"
    yield (
        "0.x collider group out of range",
        changed(put(*groups, "colliderGroups", value=[5]), make0),
        "colliderGroups[0]",
    )
    yield (
        "0.x gravity is a list",
        changed(put(*groups, "gravityDir", value=[0, 1, 0]), make0),
        "gravityDir: must be an object",
    )
    curve = (*vrm, "firstPerson", "lookAtHorizontalInner", "curve")
    yield "0.x curve of text", changed(put(*curve, value=["a"] * 8), make0), "curve[0]: must be a number"
    shape = (*vrm, "blendShapeMaster", "blendShapeGroups")
    yield "0.x groups is an object", changed(put(*shape, value={}), make0), "blendShapeGroups: must be a list"
    target = (*shape, 0, "materialValues", 0, "targetValue")
    yield "0.x bind's color is a name", changed(put(*target, value="red"), make0), "targetValue: must be a list"
