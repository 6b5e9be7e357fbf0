"""Boxes are tight around what is drawn; visible shares say what is hidden."""

import numpy as np
import pytest

from tests.annotation.scene import scene
from vrm_synth.annotation.regions import BODY_PARTS, box_of
from vrm_synth.core.bones import BONE_NAMES


def test_a_box_is_tight():
    mask = np.zeros((10, 12), bool)
    mask[3:5, 7:11] = True
    assert box_of(mask) == (7, 3, 4, 2) and box_of(np.zeros((4, 4), bool)) is None


def test_parts_are_disjoint_and_have_every_bone():
    bones = [b for part in BODY_PARTS.values() for b in part]
    assert sorted(bones) == sorted(BONE_NAMES)


@pytest.mark.parametrize("azimuth", [0.0, 60.0, 180.0])
def test_boxes_lie_in_the_figure_and_around_their_points(azimuth):
    a = scene(pose="t_pose", azimuth=azimuth).annotation
    figure = a.boxes["figure"]
    assert figure == box_of(a.mask)
    for name, box in a.boxes.items():
        if box is not None:
            x, y, w, h = box
            assert (
                x >= figure[0] and y >= figure[1] and x + w <= figure[0] + figure[2] and y + h <= figure[1] + figure[3]
            )
            assert w < 0.6 * figure[2] or name in ("figure", "head") or azimuth
    k = a.keypoints
    for name, pixel, visibility in zip(k.names, k.pixels, k.visibility, strict=True):
        region = "face" if name.startswith("face-") else name.split("_")[0] + "_hand" if "hand_root" in name else None
        if region and visibility == "visible":
            x, y, w, h = a.boxes[region]
            assert x - 2 <= pixel[0] <= x + w + 2 and y - 2 <= pixel[1] <= y + h + 2, name


def test_the_face_box_is_in_the_head_and_gone_from_behind():
    front, back = (scene(crop="face", azimuth=a).annotation.boxes for a in (0.0, 180.0))
    assert back["face"] is None and back["head"] is not None
    (x, y, w, h), (hx, hy, hw, hh) = front["face"], front["head"]
    assert hx <= x and hy < y and x + w <= hx + hw and y + h <= hy + hh and w * h > 0.1 * hw * hh


def test_hands_swap_sides_from_behind():
    front, back = (scene(pose="t_pose", azimuth=a).annotation.boxes for a in (0.0, 180.0))
    assert front["left_hand"][0] > front["right_hand"][0] and back["left_hand"][0] < back["right_hand"][0]


def test_visible_shares():
    front, back = (scene(pose="t_pose", azimuth=a).annotation.visible_share for a in (0.0, 180.0))
    assert set(front) == set(BODY_PARTS)
    assert min(front["head"], front["leftHand"], front["rightLowerArm"], front["leftLowerLeg"]) > 0.9
    assert back["torso"] < front["torso"] and back["torso"] < 0.6  # long hair hides it
    bust = scene(crop="bust").annotation.visible_share
    assert bust["leftFoot"] == 0 and bust["head"] > 0.95
    assert scene(pose="sit_cross_legged", azimuth=180.0).annotation.visible_share["leftHand"] < 0.1
