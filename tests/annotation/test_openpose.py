"""OpenPose's JSON and the drawing of controlnet_aux: order, colours and shapes.

openpose_reference.png was drawn with OpenCV from openpose_points.json by controlnet_aux's rules.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.annotation.scene import scene
from vrm_synth.annotation.keypoint_names import OPENPOSE_BODY
from vrm_synth.annotation.openpose import (
    COLORS,
    HAND_LIMBS,
    LIMBS,
    OpenPosePerson,
    draw_openpose,
    openpose_json,
    openpose_person,
)

HERE = Path(__file__).parent
BLANK = np.zeros((21, 3))


def person() -> OpenPosePerson:
    points = json.loads((HERE / "openpose_points.json").read_text())
    body, hand, face = (np.insert(np.array(points[k]), 2, 1.0, axis=1) for k in ("body", "left_hand", "face"))
    return OpenPosePerson(body, face, hand, BLANK)


def test_the_reference_is_drawn_pixel_for_pixel():
    drawn = draw_openpose([person()], (128, 128), face=True)
    with Image.open(HERE / "openpose_reference.png") as picture:
        reference = np.asarray(picture.convert("RGB"))
    for color in np.unique(reference.reshape(-1, 3), axis=0):
        ours, theirs = (drawn == color).all(2), (reference == color).all(2)
        assert (ours & theirs).sum() / (ours | theirs).sum() >= 0.95, color
    assert {tuple(c) for c in drawn.reshape(-1, 3)} == {tuple(c) for c in reference.reshape(-1, 3)}
    assert (drawn == reference).all()


def test_order_and_colors():
    assert OPENPOSE_BODY[:5] == ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist")
    assert OPENPOSE_BODY[5:8] == ("left_shoulder", "left_elbow", "left_wrist")
    assert OPENPOSE_BODY[14:] == ("right_eye", "left_eye", "right_ear", "left_ear")
    assert len(COLORS) == len(set(COLORS)) == 18 and len(LIMBS) == 17
    assert COLORS[:4] == ((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0))
    assert COLORS[4:9] == ((170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85), (0, 255, 170))
    assert COLORS[9:13] == ((0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255))
    assert COLORS[13:] == ((85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85))
    assert HAND_LIMBS[:6] == ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6)) and HAND_LIMBS[-1] == (19, 20)


@pytest.mark.parametrize("limb", range(17))
def test_a_limb_alone_has_its_color_at_sixty_percent(limb):
    body = np.zeros((18, 3))
    for name, xy in zip(LIMBS[limb], ((20, 32), (44, 32)), strict=True):
        body[OPENPOSE_BODY.index(name)] = (*xy, 1.0)
    drawn = draw_openpose([OpenPosePerson(body, BLANK, BLANK, BLANK)], (64, 64))
    assert drawn[32, 32].tolist() == [int(0.6 * c) for c in COLORS[limb]]
    for name, x in zip(LIMBS[limb], (20, 44), strict=True):
        assert drawn[32, x].tolist() == list(COLORS[OPENPOSE_BODY.index(name)])


def test_a_head_from_behind_has_no_face():
    back = openpose_person(scene(azimuth=180.0).annotation.keypoints)
    drawn = {tuple(c) for c in draw_openpose([back], (256, 320), hands=False, face=True).reshape(-1, 3)}
    assert COLORS[OPENPOSE_BODY.index("left_knee")] in drawn and COLORS[OPENPOSE_BODY.index("neck")] in drawn
    head = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
    assert not drawn & {COLORS[OPENPOSE_BODY.index(n)] for n in head} and (255, 255, 255) not in drawn


def test_the_json_has_openposes_layout():
    s = scene()
    people = openpose_json([openpose_person(s.annotation.keypoints)], s.size)
    assert json.loads(json.dumps(people)) == people and people["version"] == 1.3
    (one,) = people["people"]
    lengths = {k: len(v) for k, v in one.items() if k.endswith("_2d")}
    assert lengths == {"pose_keypoints_2d": 54, "face_keypoints_2d": 210, "hand_left_keypoints_2d": 63,
                       "hand_right_keypoints_2d": 63}  # fmt: skip
    body = np.array(one["pose_keypoints_2d"]).reshape(18, 3)
    right, neck, left = (body[OPENPOSE_BODY.index(n)] for n in ("right_shoulder", "neck", "left_shoulder"))
    assert np.allclose(neck[:2], (right + left)[:2] / 2, atol=1e-3) and right[0] < left[0]
    assert set(body[:, 2]) <= {0.0, 0.5, 1.0}


def test_no_figure_is_black():
    assert not draw_openpose([], (40, 30)).any() and draw_openpose([], (40, 30)).shape == (30, 40, 3)
