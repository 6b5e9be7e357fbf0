"""Names and order of keypoints, and the pairs that mirroring exchanges."""

from vrm_synth.annotation.keypoint_names import (
    BODY,
    BONE_OF_KEYPOINT,
    FACE,
    FOOT,
    LEFT_HAND,
    OPENPOSE_BODY,
    SKELETON,
    WHOLEBODY,
    flip_indices,
    flip_pairs,
    mirrored_name,
)
from vrm_synth.core.bones import BONE_NAMES


def test_the_groups_have_the_sizes_and_places_of_wholebody():
    assert (len(BODY), len(FOOT), len(FACE), len(LEFT_HAND), len(WHOLEBODY)) == (17, 6, 68, 21, 133)
    places = {"nose": 0, "left_ear": 3, "right_ankle": 16, "left_big_toe": 17, "right_heel": 22, "face-0": 23,
              "face-67": 90, "left_hand_root": 91, "left_thumb4": 95, "left_pinky_finger4": 111,
              "right_hand_root": 112, "right_forefinger1": 117, "right_pinky_finger4": 132}  # fmt: skip
    assert {n: WHOLEBODY.index(n) for n in places} == places
    assert len(set(WHOLEBODY)) == 133 and len(SKELETON) == 19 and len(OPENPOSE_BODY) == 18


def test_the_flip_pairs_are_those_of_the_readers():
    pairs = dict(flip_pairs(FACE))
    known = {0: 16, 7: 9, 17: 26, 21: 22, 31: 35, 32: 34, 36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46, 48: 54,
             50: 52, 55: 59, 56: 58, 60: 64, 61: 63, 65: 67}  # fmt: skip
    assert known.items() <= pairs.items()
    assert {i for i in range(68) if mirrored_name(f"face-{i}") == f"face-{i}"} == {
        8,
        27,
        28,
        29,
        30,
        33,
        51,
        57,
        62,
        66,
    }
    assert flip_pairs(BODY) == tuple((i, i + 1) for i in range(1, 17, 2))


def test_mirroring_twice_changes_nothing():
    for names in (WHOLEBODY, OPENPOSE_BODY, BONE_NAMES):
        flips = flip_indices(names)
        assert [flips[i] for i in flips] == list(range(len(names)))


def test_joints_are_bones_of_their_own_side():
    assert set(BONE_OF_KEYPOINT) <= set(WHOLEBODY) and set(BONE_OF_KEYPOINT.values()) <= set(BONE_NAMES)
    assert all(bone.startswith(name.split("_")[0]) for name, bone in BONE_OF_KEYPOINT.items())
    assert BONE_OF_KEYPOINT["left_forefinger3"] == "leftIndexDistal"
    assert BONE_OF_KEYPOINT["right_thumb1"] == "rightThumbMetacarpal"
