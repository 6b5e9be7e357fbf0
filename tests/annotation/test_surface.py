"""The bone of each triangle, and the thickness of limbs."""

import numpy as np

from tests.annotation.scene import avatar_of
from vrm_synth.annotation.surface import present_parent, surface_of
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.vrm.drawn_triangles import drawn_triangles


def test_every_drawn_triangle_has_its_bone_and_corners():
    avatar = avatar_of("demo")
    surface, drawn = surface_of(avatar), drawn_triangles(avatar)
    assert len(surface.bone) == len(surface.corners) == len(drawn) and (surface.bone >= 0).all()
    names = np.array([m.name for m in avatar.materials])[drawn.material_of]
    bones = np.array(BONE_NAMES)[surface.bone]
    assert set(bones[names == "Face"]) == {"head"} and set(bones[names == "Iris"]) == {"leftEye", "rightEye"}
    assert set(bones[names == "Shoe"]) <= {f"{s}{b}" for s in ("left", "right") for b in ("Foot", "Toes")}
    assert set(bones[names == "Skirt"]) <= {"hips", "spine", "leftUpperLeg", "rightUpperLeg"}


def test_a_triangle_is_where_its_bone_is():
    surface = surface_of(avatar_of("demo"))
    middles = surface.parts.rest[surface.corners].mean(1)
    for bone in ("leftLowerArm", "leftHand", "rightFoot"):
        own = middles[surface.bone == BONE_NAMES.index(bone)]
        assert len(own) and np.linalg.norm(own - surface.parts.landmarks[bone], axis=1).max() < 0.3
        assert (np.sign(own[:, 0]) == (1 if bone.startswith("left") else -1)).all()


def test_limbs_have_the_thickness_of_their_mesh():
    radius = surface_of(avatar_of("demo")).radius
    assert 0.02 < radius["leftLowerArm"] < 0.06 and 0.04 < radius["rightLowerLeg"] < 0.1
    assert 0.005 < radius["leftIndexIntermediate"] < 0.02 and radius["hips"] > radius["leftLowerLeg"]
    assert all(abs(r - radius["right" + b[4:]]) < 0.06 * r for b, r in radius.items() if b.startswith("left"))


def test_neighbours_step_over_bones_that_are_missing():
    assert present_parent("head", {"hips": 0, "chest": 1}) == "chest" and present_parent("hips", {}) is None
    near = surface_of(avatar_of("demo")).near["leftLowerArm"]
    assert {BONE_NAMES[i] for i in np.flatnonzero(near)} == {"leftUpperArm", "leftLowerArm", "leftHand"}
