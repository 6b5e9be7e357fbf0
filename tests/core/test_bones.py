"""The bone table against the list of the specification, typed out here a second time."""

from __future__ import annotations

from vrm_synth.core.bones import BONE_NAMES, BONES, PARENT, REQUIRED, V0_BONE_NAMES

TORSO = "hips spine chest upperChest neck"
HEAD = "head leftEye rightEye jaw"
LEG = "UpperLeg LowerLeg Foot Toes"
ARM = "Shoulder UpperArm LowerArm Hand"
FINGERS = {"Thumb": "Metacarpal Proximal Distal"} | dict.fromkeys(
    ("Index", "Middle", "Ring", "Little"), "Proximal Intermediate Distal"
)


def test_the_fifty_five_bones() -> None:
    expected = {*TORSO.split(), *HEAD.split()}
    for side in ("left", "right"):
        expected |= {side + part for part in f"{LEG} {ARM}".split()}
        expected |= {side + finger + joint for finger, joints in FINGERS.items() for joint in joints.split()}
    assert len(expected) == 55
    assert set(BONE_NAMES) == expected and len(BONE_NAMES) == 55


def test_the_required_bones() -> None:
    sided = ["UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"]
    assert {"hips", "spine", "head", *("left" + s for s in sided), *("right" + s for s in sided)} == REQUIRED


def test_bones_form_a_tree_from_the_hips_with_parents_first() -> None:
    visited: set[str] = set()
    for bone in BONES:
        assert bone.parent in visited or (bone.parent is None and bone.name == "hips")
        visited.add(bone.name)
    spine = TORSO.split()
    assert [PARENT[b] for b in spine[1:]] == spine[:-1]
    for side in ("left", "right"):
        for top, chain in (("hips", LEG), ("upperChest", ARM)):
            names = [side + part for part in chain.split()]
            assert [PARENT[b] for b in names] == [top, *names[:-1]]
        for finger, joints in FINGERS.items():
            names = [side + finger + j for j in joints.split()]
            assert [PARENT[b] for b in names] == [f"{side}Hand", *names[:-1]]
    assert all(PARENT[b] == "head" for b in ("leftEye", "rightEye", "jaw")) and PARENT["head"] == "neck"


def test_a_required_bone_has_a_required_ancestor() -> None:
    """Above every required bone stands, at some height, another required one, up to the hips."""
    for name in REQUIRED - {"hips"}:
        above = PARENT[name]
        while above is not None and above not in REQUIRED:
            above = PARENT[above]
        assert above in REQUIRED


def test_vrm0_thumb_names_become_vrm1_names() -> None:
    assert set(V0_BONE_NAMES.values()) <= set(BONE_NAMES)
    for side in ("left", "right"):
        assert V0_BONE_NAMES[f"{side}ThumbProximal"] == f"{side}ThumbMetacarpal"
        assert V0_BONE_NAMES[f"{side}ThumbIntermediate"] == f"{side}ThumbProximal"
        assert V0_BONE_NAMES[f"{side}ThumbDistal"] == f"{side}ThumbDistal"
