"""The pose library: descriptions, degrees and bones of every pose file agree."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.errors import RecipeError
from vrm_synth.pose.phrases import PLACES
from vrm_synth.pose.pose_library import REGIONS, Pose, PoseFile, load_hands, load_poses, other_side, read_pose, turns
from vrm_synth.yaml_models import resources
from vrm_synth.yaml_models.strict_yaml import parse

X, Y, Z = np.eye(3)
SIDES = re.compile(r"\b(left|right)\b")
TESTED_BY = {
    r"\b(standing|sitting|kneeling|crouching|jumping)\b": ("posture", "legs"),
    r"\b(fists?|peace|pointing|thumbs)\b": ("hands",),
    r"\b(overhead|raised|raising|(fists|arms) in the air|over the head)\b": ("above", "arms", "touch"),
    r"\b(bowing|leaning)\b": ("torso",),
    r"\bcrossed arms|behind the back\b": ("arms",),
    r"\blegs crossed\b": ("legs",),
    r"\blooking back\b": ("looking_back",),
}


def turned(degrees: tuple[float, float, float], v: np.ndarray) -> np.ndarray:
    return Rotation.from_quat(turns(degrees)).apply(v)


def test_documented_rotation_signs_hold() -> None:
    np.testing.assert_allclose(turned((0, 0, -90), X), -Y, atol=1e-12)  # left arm: − lowers
    np.testing.assert_allclose(turned((0, -90, 0), X), Z, atol=1e-12)  # left arm: − swings forward
    np.testing.assert_allclose(turned((70, 0, 0), X), X, atol=1e-12)  # and x only twists it
    np.testing.assert_allclose(turned((-90, 0, 0), -Y), Z, atol=1e-12)  # leg: − swings forward
    np.testing.assert_allclose(turned((90, 0, 0), Y), Z, atol=1e-12)  # spine: + nods forward
    np.testing.assert_allclose(turned((0, 90, 0), Z), X, atol=1e-12)  # head: + turns to the left
    assert turned((0, 0, 30), Y)[0] < 0  # head: + leans to the right


def test_documented_rotation_order_holds() -> None:
    expected = Rotation.from_rotvec(0.3 * Z) * Rotation.from_rotvec(0.2 * Y) * Rotation.from_rotvec(0.1 * X)
    actual = Rotation.from_quat(turns(tuple(np.degrees([0.1, 0.2, 0.3]))))
    assert (expected.inv() * actual).magnitude() < 1e-12


def test_there_are_enough_poses_and_each_file_is_one() -> None:
    files = resources.yaml_files("poses")
    assert len(files) >= 36
    assert list(load_poses()) == [f.stem for f in files]
    assert all(p.name == name for name, p in load_poses().items())


@pytest.mark.parametrize("pose", load_poses().values(), ids=load_poses())
def test_every_pose_is_sound(pose: Pose) -> None:
    assert pose.tags and pose.phrases
    assert set(pose.bones) <= set(BONE_NAMES)
    for q in pose.bones.values():
        assert np.linalg.norm(q) == pytest.approx(1, abs=1e-12)
    for p in pose.phrases:
        assert set(p.shows) <= {*BONE_NAMES, *REGIONS}
        assert {b for pair in p.touch for b in pair} <= {*BONE_NAMES, *REGIONS, *PLACES}
        # Touching is described only where it is measured.
        if re.search(r"lap|together|clasped|joined|on the (chest|hip|thighs|knees)|hugging", p.text):
            assert p.touch, p.text
        # A description of one side needs a bone of that side in its list of visible bones, or a test of that side.
        for side in SIDES.findall(p.text):
            assert any(b.startswith(side) for b in p.shows) or p.turned == side, p.text
        # What words say of the whole body, of fists and of signs is tested, not only seen.
        for words, tests in TESTED_BY.items():
            if re.search(words, p.text):
                assert any(getattr(p, test) for test in tests), (p.text, tests)
    # The same words may show in several ways, each by other bones.
    ways = [(p.text, p.shows) for p in pose.phrases]
    assert len(set(ways)) == len(ways)
    assert all(len({(p.ja, p.tags) for p in pose.phrases if p.text == text}) == 1 for text, _ in ways)
    assert not any(re.search(r"\b(he|she|his|her|hers|him)\b", p.text) for p in pose.phrases)


@pytest.mark.parametrize("pose", load_poses().values(), ids=load_poses())
def test_poses_are_distinct(pose: Pose) -> None:
    def apart(a: Pose, b: Pose) -> float:
        empty = (0.0, 0.0, 0.0, 1.0)
        bones = {x for x in a.bones.keys() | b.bones.keys() if not re.search("Thumb|Index|Middle|Ring|Little", x)}
        pairs = [(a.bones.get(x, empty), b.bones.get(x, empty)) for x in bones]
        return max(2 * np.degrees(np.arccos(min(1.0, abs(np.dot(p, q))))) for p, q in pairs)

    assert all(apart(pose, other) > 10 for other in load_poses().values() if other is not pose)


@pytest.mark.parametrize("pose", load_poses().values(), ids=load_poses())
def test_a_mirror_image_mirrors_bones_and_words(pose: Pose) -> None:
    image = pose.mirror()
    flip = np.diag([-1.0, 1.0, 1.0])
    for bone, q in pose.bones.items():
        m = Rotation.from_quat(q).as_matrix()
        np.testing.assert_allclose(
            Rotation.from_quat(image.bones[other_side(bone)]).as_matrix(), flip @ m @ flip, atol=1e-12
        )
    for a, b in zip(pose.phrases, image.phrases, strict=True):
        assert [other_side(s) for s in SIDES.findall(a.text)] == SIDES.findall(b.text)
        assert SIDES.sub("", a.text) == SIDES.sub("", b.text)
        assert tuple(map(other_side, a.shows)) == b.shows
    assert image.hips == (-pose.hips[0], *pose.hips[1:])
    assert image.mirrored and image.mirror() == pose


def test_a_phrase_is_mirrored_with_all_its_tests() -> None:
    text = """
say:
  - text: raising the right hand over the left
    ja: 右手を左手より上げて
    tags: [right_arm_up, looking to the left]
    shows: [rightHand, head]
    touch: [[rightHand, rightEar]]
    above: [[rightHand, leftHand]]
    front: [[rightHand, chest]]
    straight: [rightLowerArm]
    hands: {right: peace}
    arms: {right: raised, left: down}
    legs: left_lifted
    turned: left
    looking_back: true
"""
    phrase = parse(text, PoseFile, "pose.yaml").say[0].phrase()
    image = phrase.mirror()
    assert (image.text, image.ja) == ("raising the left hand over the right", "左手を右手より上げて")
    assert image.tags == ("left_arm_up", "looking to the right")
    assert (image.shows, image.straight) == (("leftHand", "head"), ("leftLowerArm",))
    assert (image.touch, image.above) == ((("leftHand", "leftEar"),), (("leftHand", "rightHand"),))
    assert (image.front, image.legs, image.turned) == ((("leftHand", "chest"),), "right_lifted", "right")
    assert image.looking_back
    assert phrase.mirror().mirror() == phrase
    assert dict(phrase.mirror().hands) == {"left": "peace"}
    assert dict(phrase.mirror().arms) == {"left": "raised", "right": "down"}


def test_a_file_without_the_newer_keys_is_stored_as_it_was() -> None:
    values = parse("say: [{text: standing, shows: [hips]}]", PoseFile, "pose.yaml")
    assert values.model_dump()["say"][0] == {"text": "standing", "shows": ("hips",), "touch": ()}


def test_both_hands_of_a_test_are_each_of_them() -> None:
    both = parse("say: [{text: cheering, hands: {both: fist, left: open}}]", PoseFile, "pose.yaml").say[0].phrase()
    assert dict(both.hands) == {"left": "open", "right": "fist"}


def test_symmetric_poses_are_recognized() -> None:
    assert load_poses()["t_pose"].symmetric
    assert load_poses()["hands_on_hips"].symmetric
    assert not load_poses()["wave"].symmetric


def positions(pose: Pose) -> dict[str, np.ndarray]:
    """A plain skeleton in the pose: unit-ish limbs, T-pose, hips at (0, 1, 0)."""
    rest = {
        "hips": (0, 1, 0),
        "spine": (0, 1.1, 0),
        "chest": (0, 1.2, 0),
        "upperChest": (0, 1.3, 0),
        "neck": (0, 1.45, 0),
    }
    rest |= {"head": (0, 1.52, 0)}
    for side, m in (("left", 1), ("right", -1)):
        rest |= {f"{side}Shoulder": (0.03 * m, 1.4, 0), f"{side}UpperArm": (0.11 * m, 1.4, 0)}
        rest |= {f"{side}LowerArm": (0.36 * m, 1.4, 0), f"{side}Hand": (0.58 * m, 1.4, 0)}
        rest |= {f"{side}UpperLeg": (0.08 * m, 0.95, 0), f"{side}LowerLeg": (0.08 * m, 0.52, 0)}
        rest |= {f"{side}Foot": (0.08 * m, 0.09, 0)}
    world: dict[str, Rotation] = {}
    out: dict[str, np.ndarray] = {}
    for bone in [b for b in BONE_NAMES if b in rest]:
        rotation = Rotation.from_quat(pose.bones.get(bone, (0, 0, 0, 1)))
        parent = PARENT[bone]
        world[bone] = rotation if parent is None else world[parent] * rotation
        offset = np.subtract(rest[bone], rest[parent]) if parent else None
        out[bone] = np.array(rest[bone], float) if parent is None else out[parent] + world[parent].apply(offset)
    return out


def test_descriptions_match_the_bones() -> None:
    """Spot checks of what the words promise, on a plain skeleton."""
    p = {name: positions(pose) for name, pose in load_poses().items()}
    assert p["wave"]["rightHand"][1] > p["wave"]["rightUpperArm"][1] > p["wave"]["leftHand"][1]
    assert p["wave_high"]["rightHand"][1] > p["wave_high"]["head"][1]
    for name in ("banzai", "cheer", "jump", "stretch"):
        assert min(p[name]["leftHand"][1], p[name]["rightHand"][1]) > p[name]["head"][1] + 0.1, name
    for name in ("arms_behind_back",):
        assert max(p[name]["leftHand"][2], p[name]["rightHand"][2]) < p[name]["hips"][2] - 0.05
    assert p["point_forward"]["rightHand"][2] > 0.35
    assert p["kick"]["rightFoot"][1] > p["kick"]["hips"][1] - 0.1
    for name in ("kneel", "seiza"):
        assert min(p[name]["leftLowerLeg"][1], p[name]["rightLowerLeg"][1]) < p[name]["hips"][1] - 0.1
    for name in ("sit_chair", "sit_crossed_legs"):
        assert abs(p[name]["leftLowerLeg"][1] - p[name]["leftUpperLeg"][1]) < 0.12
    assert p["arms_crossed"]["leftHand"][0] < 0 < p["arms_crossed"]["rightHand"][0]
    assert np.linalg.norm(p["prayer"]["leftHand"] - p["prayer"]["rightHand"]) < 0.15
    for side in ("left", "right"):
        thigh, knee, foot = (p["sit_floor"][side + part] for part in ("UpperLeg", "LowerLeg", "Foot"))
        assert np.linalg.norm(foot - thigh) > 0.98 * (np.linalg.norm(knee - thigh) + np.linalg.norm(foot - knee))
        assert foot[2] > thigh[2] + 0.8 and abs(foot[1] - thigh[1]) < 0.1  # straight, forward, level
    curtsy = p["curtsy"]
    assert curtsy["rightFoot"][2] < curtsy["leftFoot"][2] - 0.15
    assert curtsy["leftHand"][0] > curtsy["leftUpperArm"][0] + 0.1
    for name, where in p.items():
        # Elbows and knees bend the way they can: a hand never folds behind its elbow's hinge.
        for side in ("left", "right"):
            hinge = Rotation.from_quat(load_poses()[name].bones.get(f"{side}LowerLeg", (0, 0, 0, 1))).as_rotvec()
            assert hinge[0] >= -1e-9 and np.abs(hinge[1:]).max() < 0.6, (name, side)
        assert np.isfinite(list(where.values())).all()


def test_relaxed_hands_are_the_default_and_curl_inward() -> None:
    pose = load_poses()["stand"]
    assert {"leftIndexProximal", "rightLittleDistal", "leftThumbMetacarpal"} <= set(pose.bones)
    tip = Rotation.from_quat(pose.bones["leftLittleProximal"]).apply(X)
    assert tip[1] < -0.2  # the palm faces down in the T-pose
    mirrored = Rotation.from_quat(pose.bones["rightLittleProximal"]).apply(-X)
    np.testing.assert_allclose(mirrored, tip * [-1, 1, 1], atol=1e-12)


def test_fists_bend_each_finger_by_200_to_270_degrees() -> None:
    for finger in ("Index", "Middle", "Ring", "Little"):
        bend = sum(load_hands()["fist"][f"{finger}{joint}"][2] for joint in ("Proximal", "Intermediate", "Distal"))
        assert -270 < bend < -200


def write(tmp_path: Path, text: str, name: str = "my_pose.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


SAY = "say: [{text: standing, shows: [hips]}]\n"


def test_both_sets_both_sides_and_single_bones_override_it(tmp_path: Path) -> None:
    pose = read_pose(write(tmp_path, SAY + "bones:\n  bothUpperArm: [5, -10, -60]\n  rightUpperArm: [1, 2, 3]\n"))
    assert pose.bones["leftUpperArm"] == turns((5, -10, -60))
    assert pose.bones["rightUpperArm"] == turns((1, 2, 3))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SAY + "bones:\n  head: [0, 0, 0]\n  leftUperArm: [0, 0, 0]\n", 4, "did you mean leftUpperArm"),
        (SAY + "bones:\n  bothHead: [0, 0, 0]\n", 3, "unknown bone"),
        (SAY + "bones:\n  head: [0, 200, 0]\n", 3, "180"),
        (SAY + "bones:\n  head: [0, 0]\n", 3, "head"),
        (SAY + "bones:\n  head: [0, 0, .nan]\n", 3, "head"),
        (SAY + "hands: {both: fisst}\n", 2, "fist"),
        (SAY + "hands: {middle: fist}\n", 2, "left, right, both"),
        (SAY + "tagz: [a]\n", 2, "did you mean tags"),
        ("say: [{text: standing, shows: [hip]}]\n", 1, "not a bone"),
        ("say:\n  - text: standing\n    show: [hips]\n", 3, "did you mean shows"),
        ("say:\n  - text: standing\n    posture: siting\n", 3, "sitting"),
        ("say:\n  - text: standing\n    above: [[leftHand, haed]]\n", 2, "did you mean head"),
        ("say:\n  - text: standing\n    above: [[leftHand, mouth]]\n", 2, "mouth is not a bone"),
        ("say:\n  - text: standing\n    touch: [[leftHand, mouht]]\n", 2, "did you mean mouth"),
        ("say:\n  - text: standing\n    hands: {right: piece}\n", 3, "peace"),
        ("say:\n  - text: standing\n    arms: {up: raised}\n", 3, "both"),
        ("say:\n  - text: standing\n    bent: [leftHand]\n", 3, "leftLowerArm"),
        ("say:\n  - text: standing\n    turned: back\n", 3, "left"),
        ('say:\n  - text: standing\n    tags: ["a, b"]\n', 3, "not one tag"),
        ("tags: []\n", 1, "missing key say"),
        ("say: []\n", 1, "say"),
    ],
)
def test_a_broken_file_is_refused_at_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as e:
        read_pose(path)
    assert str(e.value).startswith(f"{path}:{line}: ")
    assert words in str(e.value) and "\n" not in str(e.value)


def test_a_pose_needs_a_plain_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="My Pose"):
        read_pose(write(tmp_path, SAY, "My Pose.yaml"))


def test_all_data_is_cc0() -> None:
    for folder in ("poses", "cameras"):
        for path in resources.folder(folder).rglob("*.yaml"):
            assert path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: CC0-1.0\n"), path
