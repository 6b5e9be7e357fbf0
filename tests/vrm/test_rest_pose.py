"""Rest poses that are no T-pose: measured, reported, and corrected for arms where it is certain."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.vrm.odd_figures import plain, resting
from tests.vrm.vrm_file import BONE_LIST, Doc, changed, vrm0, vrm1
from vrm_synth.core.transforms import quat_axis_angle, quat_mul
from vrm_synth.pose.evaluate import LookAtAngles, evaluate, rig_of
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.body_parts import HEAD, body_parts_of
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.vrm import Avatar, load_bytes
from vrm_synth.vrm.avatar import Constraint
from vrm_synth.vrm.report import avatar_report
from vrm_synth.vrm.rest_pose import corrections, rest_pose
from vrm_synth.vrm.three_vrm_compat import as_three_vrm

HALF = math.sqrt(0.5)
CORRECTED = {"leftUpperArm", "leftLowerArm", "rightUpperArm", "rightLowerArm"}


@cache
def built_in(vrm: str) -> Avatar:
    return load_bytes(plain(vrm), "plain.vrm")


@cache
def a_posed(vrm: str, down: float = 45.0, bend: float = 0.0) -> Avatar:
    return load_bytes(resting(vrm, down, bend=bend), "a.vrm")


def stick(vrm: str, left: tuple[float, float, float], right: tuple[float, float, float], *, elbow=None) -> Avatar:
    """The small file with these unit directions of its upper arms, and of its forearms unless `elbow` gives them."""
    lower = elbow or (left, right)
    sides = {"left": (left, lower[0]), "right": (right, lower[1])}
    flip = -1.0 if vrm == "0" else 1.0  # 0.x faces −Z

    def change(doc: Doc) -> None:
        for bone, node in zip(BONE_LIST, doc["nodes"], strict=False):
            side = "left" if bone.name.startswith("left") else "right"
            for part, k in (("LowerArm", 0), ("Hand", 1)):
                if bone.name == side + part:
                    x, y, z = sides[side][k]
                    node["translation"] = [0.2 * x * flip, 0.2 * y, 0.2 * z * flip]

    return load_bytes(changed(change, vrm0 if vrm == "0" else vrm1), "x.vrm")


def at(degrees: float, forward: float = 0.0) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Directions of both arms, `degrees` below level and `forward` degrees toward +Z."""
    a, f = math.radians(degrees), math.radians(forward)
    x, y, z = math.cos(a) * math.cos(f), -math.sin(a), math.cos(a) * math.sin(f)
    return (x, y, z), (-x, y, z)


def bones(posed: PosedAvatar) -> np.ndarray:
    return np.array(list(posed.bone_positions().values()))


# ---------------------------------------------------------------- measured


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_arm_angles_of_known_rest_poses(vrm: str) -> None:
    rest = rest_pose(stick(vrm, *at(37)))
    for side in ("left", "right"):
        assert rest.deviation(f"{side}UpperArm") == pytest.approx(37, abs=1e-5)
        assert rest.deviation(f"{side}LowerArm") == pytest.approx(37, abs=1e-5)
        assert rest.deviation(f"{side}UpperLeg") == pytest.approx(math.degrees(math.atan(0.25)), abs=1e-5)
        assert rest.deviation(f"{side}LowerLeg") == pytest.approx(math.degrees(math.atan(0.25)), abs=1e-5)
        assert rest.deviation(f"{side}Hand") is None  # no fingers
    assert rest.torso == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_the_correction_at_45_degrees_is_a_turn_of_45_about_z(vrm: str) -> None:
    a = stick(vrm, *at(45))
    s, c = math.sin(math.pi / 8), math.cos(math.pi / 8)
    assert a.rest_corrections.keys() == CORRECTED
    for bone, q in a.rest_corrections.items():
        assert q == pytest.approx((0, 0, s if bone.startswith("left") else -s, c), abs=1e-6)


def test_a_bent_elbow_is_straightened() -> None:
    a = stick("1", *at(40), elbow=at(55))
    assert a.rest_corrections["leftUpperArm"] == pytest.approx(quat_axis_angle([0.0, 0, 1], math.radians(40)), abs=1e-6)
    assert a.rest_corrections["leftLowerArm"] == pytest.approx(quat_axis_angle([0.0, 0, 1], math.radians(55)), abs=1e-6)


@pytest.mark.parametrize(
    ("left", "right", "elbow", "reported"),
    [
        (*at(0), None, None),
        (*at(9), None, None),
        (*at(12), None, "(upper arms 12° and 12°, lower arms 12° and 12° away from it); not corrected, because its "
         "upper arms are nearly level"),
        (*at(15.5), None, "the arms are corrected"),
        (*at(79), None, "the arms are corrected"),
        (*at(-30), None, "the arms are corrected"),
        (*at(85), None, "its upper arms point elsewhere than to their own sides"),
        (at(45)[0], at(30)[1], None, "(upper arms 45° and 30°, lower arms 45° and 30° away from it); not corrected, "
         "because its upper arms are not alike"),
        (at(45)[0], at(37)[1], None, "the arms are corrected"),
        (*at(20, forward=60), None, "its upper arms point forwards or backwards"),
        (*at(40), at(75), "its elbows are bent"),
        (*at(40), (at(40)[0], at(60)[1]), "its lower arms are not alike"),
        (*at(0), at(60), "upper arms are nearly level"),
    ],
)  # fmt: skip
def test_which_rest_poses_are_reported_and_corrected(left, right, elbow, reported: str | None) -> None:
    a = stick("1", left, right, elbow=elbow)
    if reported is None:
        assert a.oddities == () and a.rest_corrections == {}
        return
    (oddity,) = a.oddities
    assert oddity.startswith("its rest pose is no T-pose (") and oddity.endswith(reported)
    assert (a.rest_corrections.keys() == CORRECTED) == ("corrected, because" not in oddity)
    assert avatar_report(a)["oddities"] == [oddity]


def test_a_figure_that_sits_or_lies_is_reported_and_left() -> None:
    def sitting(doc: Doc) -> None:
        for bone, node in zip(BONE_LIST, doc["nodes"], strict=False):
            if bone.name.endswith("LowerLeg"):
                node["translation"] = [0, 0, 0.4]

    a = load_bytes(changed(sitting), "x.vrm")
    (oddity,) = a.oddities
    assert "upper legs 90° and 90° away" in oddity and a.rest_corrections == {}

    def lying(doc: Doc) -> None:
        doc["nodes"][0]["rotation"] = [-HALF, 0, 0, HALF]
        for bone, node in zip(BONE_LIST, doc["nodes"], strict=False):
            if bone.name.endswith(("LowerArm", "Hand")):
                side = 1 if bone.name.startswith("left") else -1
                node["translation"] = [0.2 * HALF * side, -0.2 * HALF, 0]

    b = load_bytes(changed(lying), "x.vrm")
    assert b.rest_corrections == {} and any("it does not stand upright" in o for o in b.oddities)


# ---------------------------------------------------------------- posed


@pytest.mark.parametrize(
    ("vrm", "down", "bend"), [("1", 45, 0), ("0", 45, 0), ("1", 40, 15), ("0", 60, 0), ("1", -30, 0)]
)
def test_every_pose_equals_that_of_the_t_posed_avatar(vrm: str, down: float, bend: float) -> None:
    """Fingers included, and in every named pose, to a hundredth of a millimetre."""
    a, t = a_posed(vrm, down, bend), built_in(vrm)
    assert a.rest_corrections.keys() == CORRECTED
    for name in ("t_pose", "stand", "wave", "arms_crossed", "prayer"):
        pose = load_poses()[name]
        got, expected = (pose_body(x, pose) for x in (a, t))
        np.testing.assert_allclose(bones(got.posed), bones(expected.posed), atol=1e-5, err_msg=name)


def test_the_mesh_of_hands_is_where_the_t_posed_avatars_is() -> None:
    """Blends at the shoulder differ, as the skin was bound to another pose; what one bone moves does not."""
    pose = load_poses()["wave"]
    a, t = (pose_body(x, pose) for x in (a_posed("1"), built_in("1")))
    hands = t.parts.of_bones("leftHand", "rightHand", "leftIndexDistal") & t.parts.direct
    assert hands.sum() > 50
    apart = np.linalg.norm(a.vertices[hands] - t.vertices[hands], axis=1)
    assert np.median(apart) < 1e-5 and apart.max() < 0.01


def test_named_poses_are_reported_a_corrected_avatar() -> None:
    assert body_parts_of(a_posed("1")).is_person and body_parts_of(a_posed("0")).is_person
    assert not body_parts_of(as_three_vrm(a_posed("1"))).is_person


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_three_vrm_poses_from_the_rest_pose(vrm: str) -> None:
    theirs = as_three_vrm(a_posed(vrm))
    assert theirs.rest_corrections == {} and theirs.nodes == a_posed(vrm).nodes
    m = evaluate(theirs).bone_positions()
    x, y, _ = m["leftLowerArm"] - m["leftUpperArm"]
    assert math.degrees(math.atan2(y, x)) == pytest.approx(-45, abs=1e-4)


def test_without_corrections_nothing_changes() -> None:
    t = built_in("1")
    assert t.rest_corrections == {} and rig_of(t).humanoid.t_pose is rig_of(t).tree.rest


def test_rotated_rest_nodes_are_corrected_as_well() -> None:
    """An A-pose made by rotations of the nodes, as 1.0 files have them, with a node between that is no bone."""
    q = quat_axis_angle([0.0, 0.0, 1.0], math.radians(-45))

    def change(doc: Doc) -> None:
        for bone, node in zip(BONE_LIST, doc["nodes"], strict=False):
            if bone.name in ("leftUpperArm", "rightUpperArm"):
                node["rotation"] = (q if bone.name.startswith("left") else q * [1, 1, -1, 1]).tolist()
            if bone.name == "leftLowerArm":  # its own rotation is undone by the hand's place
                node["rotation"] = [HALF, 0, 0, HALF]

    a = load_bytes(changed(change), "x.vrm")
    t = load_bytes(changed(lambda doc: None), "x.vrm")
    assert a.rest_corrections.keys() == CORRECTED
    pose = {
        "leftUpperArm": (0, 0, HALF, HALF),
        "leftLowerArm": (0, HALF, 0, HALF),
        "leftHand": (HALF, 0, 0, HALF),
        "head": (0, HALF, 0, HALF),
    }
    for rotations in ({}, pose):
        np.testing.assert_allclose(bones(evaluate(a, bones=rotations)), bones(evaluate(t, bones=rotations)), atol=1e-6)


def test_correcting_the_arms_changes_neither_gaze_legs_nor_head() -> None:
    a, t = a_posed("1"), built_in("1")
    for bone in (*HEAD[:3], "hips", "leftUpperLeg", "leftFoot"):
        k = rig_of(a).humanoid.row[bone]
        np.testing.assert_array_equal(rig_of(a).humanoid.after[k], rig_of(t).humanoid.after[k])
    for target in (LookAtAngles(20, 5), (0.3, 1.2, 1.0)):
        one, two = (evaluate(x, look_at=target, bones={"head": (0, HALF, 0, HALF)}) for x in (a, t))
        assert one.look_at == two.look_at


def test_a_constraint_is_measured_from_the_files_own_rest() -> None:
    """A rotation constraint copies what its source turned since the file's rest pose: here the 45° to the T-pose."""
    a = stick("1", *at(45))
    node = a.scene_nodes[-1]
    b = replace(a, constraints=(Constraint(node, "rotation", a.humanoid["leftUpperArm"]),))
    s, c = math.sin(math.pi / 8), math.cos(math.pi / 8)
    parent = evaluate(b).world_from_node[b.nodes[node].parent][:3, :3]
    local = np.linalg.inv(parent) @ evaluate(b).world_from_node[node][:3, :3]
    np.testing.assert_allclose(local @ [1, 0, 0], [c * c - s * s, 2 * s * c, 0], atol=1e-6)


def test_springs_under_an_arm_hang_as_on_the_t_posed_avatar() -> None:
    a, t = a_posed("1"), built_in("1")
    one, two = (evaluate(x, bones=load_poses()["wave"].bones, settle_seconds=0.25) for x in (a, t))
    still = [n for n in range(len(t.nodes)) if not t.nodes[n].name.startswith("Sleeve")]
    np.testing.assert_allclose(one.world_from_node[still, :3, 3], two.world_from_node[still, :3, 3], atol=2e-3)


def test_corrections_compose_with_poses_exactly() -> None:
    """n = identity gives the T-pose; the world turn since then is the pose's own."""
    a = stick("1", *at(45))
    turn = (0.0, 0.0, -HALF, HALF)
    posed = evaluate(a, bones={"leftUpperArm": turn}).bone_positions()
    np.testing.assert_allclose(posed["leftLowerArm"] - posed["leftUpperArm"], [0, -0.2, 0], atol=1e-6)
    level = evaluate(a).bone_positions()
    np.testing.assert_allclose(level["leftHand"] - level["leftUpperArm"], [0.4, 0, 0], atol=1e-6)
    assert quat_mul(turn, turn) == pytest.approx((0, 0, -1, 0), abs=1e-12)
    assert corrections(rest_pose(a)).keys() == CORRECTED
