"""Fingertips, toes, heels and ears are at the ends that their names say."""

import numpy as np
import pytest

from tests.annotation.scene import avatar_of
from tests.corpus import needs_corpus
from vrm_synth.annotation.keypoint_names import FINGERS
from vrm_synth.annotation.landmark import landmark_positions
from vrm_synth.annotation.landmarks import landmarks_of

FINGERED = [pytest.param(n, marks=[] if n == "demo" else [needs_corpus, pytest.mark.corpus]) for n in
            ("demo", "crimsom", "zombie", "m_expressive")]  # fmt: skip
BONES = {"thumb": "Thumb", "forefinger": "Index", "middle_finger": "Middle", "ring_finger": "Ring",
         "pinky_finger": "Little"}  # fmt: skip


def positions(name: str) -> dict[str, np.ndarray]:
    marks = landmarks_of(avatar_of(name))
    rest = landmark_positions(list(marks.points.values()), marks.surface.parts.rest)
    return dict(zip(marks.points, rest, strict=True))


@pytest.mark.parametrize("name", FINGERED)
def test_fingertips_are_beyond_the_last_joint(name):
    joints, points = landmarks_of(avatar_of(name)).surface.parts.landmarks, positions(name)
    for side in ("left", "right"):
        for finger in FINGERS:
            tip, bone = points.get(f"{side}_{finger}4"), f"{side}{BONES[finger]}"
            before = [joints[f"{bone}{j}"] for j in ("Proximal", "Intermediate", "Distal") if f"{bone}{j}" in joints]
            if tip is None:
                assert len(before) < 2
                continue
            last = before[-1] - before[-2]
            beyond = (tip - before[-1]) @ last / np.linalg.norm(last)
            assert 0.002 < beyond < 0.12, (side, finger)


@pytest.mark.parametrize("name", FINGERED)
def test_feet(name):
    points, joints = positions(name), landmarks_of(avatar_of(name)).surface.parts.landmarks
    for side, out in (("left", 1), ("right", -1)):
        big, small, heel = (points[f"{side}_{n}"] for n in ("big_toe", "small_toe", "heel"))
        assert big[2] > joints[f"{side}Foot"][2] > heel[2] and (small - big)[0] * out > 0
        assert max(big[1], small[1], heel[1]) < joints[f"{side}Foot"][1]


def test_ears_are_beside_the_eyes_and_mirror_each_other():
    points = positions("demo")
    left, right = points["left_ear"], points["right_ear"]
    assert np.allclose(left, right * [-1, 1, 1], atol=0.002)
    assert left[0] > points["face-45"][0] and left[2] < points["left_eye"][2]
    assert points["face-8"][1] < left[1] < points["face-24"][1]


def test_fingers_that_the_avatar_lacks_are_named():
    from dataclasses import replace

    avatar = avatar_of("demo")
    few = replace(avatar, humanoid={b: n for b, n in avatar.humanoid.items() if "Index" not in b})
    missing = landmarks_of(few).missing
    assert "no bones" in missing["left_forefinger4"] and "leftIndexDistal" in missing["left_forefinger3"]
