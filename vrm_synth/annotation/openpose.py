"""OpenPose: 18 body points, hands and face of a figure as JSON, and drawn as controlnet_aux draws them.

Order and layout of the JSON: OpenPose's COCO model and its output format 1.3. Order, colours and shapes of the
drawing: controlnet_aux's OpenposeDetector, which ControlNet's pose models were trained with.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.keypoint_names import FACE, LEFT_HAND, OPENPOSE_BODY, RIGHT_HAND
from vrm_synth.annotation.keypoints import Keypoints
from vrm_synth.annotation.shape_drawing import Canvas, Color, draw_line, fill_circle, fill_ellipse
from vrm_synth.core.transforms import Array

LIMBS = (
    ("neck", "right_shoulder"), ("neck", "left_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("neck", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("neck", "left_hip"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("neck", "nose"), ("nose", "right_eye"),
    ("right_eye", "right_ear"), ("nose", "left_eye"), ("left_eye", "left_ear"),
)  # fmt: skip
HEAD_POINTS = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
HAND_LIMBS = tuple((0 if joint == 1 else first + joint - 1, first + joint) for first in (0, 4, 8, 12, 16)
                   for joint in (1, 2, 3, 4))  # fmt: skip
_RAMP = (0, 85, 170, 255)
# Eighteen colours around the hue circle from red; limb i has that of point i.
COLORS: tuple[Color, ...] = (
    *((255, g, 0) for g in _RAMP), *((r, 255, 0) for r in (170, 85, 0)), *((0, 255, b) for b in _RAMP[1:]),
    *((0, g, 255) for g in (170, 85, 0)), *((r, 0, 255) for r in _RAMP[1:]), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
LIMB_BRIGHTNESS = 0.6
LIMB_HALF_WIDTH = 4
VISIBLE, OCCLUDED = 1.0, 0.5  # confidence of a point


@dataclass(frozen=True, eq=False)
class OpenPosePerson:
    """One figure; points are rows x, y, confidence: pixels, and 1 visible, 0.5 occluded, 0 not known or outside.

    body: (18, 3), by OPENPOSE_BODY; the neck is the middle of the shoulders.
    face: (70, 3): iBUG's 68, the right and the left pupil.
    left_hand, right_hand: (21, 3): wrist, then four points a finger from the thumb on.
    """

    body: Array
    face: Array
    left_hand: Array
    right_hand: Array


def openpose_person(keypoints: Keypoints) -> OpenPosePerson:
    """The figure whose COCO-WholeBody keypoints these are."""
    neck_less = _points(keypoints, [n for n in OPENPOSE_BODY if n != "neck"])
    shoulders = _points(keypoints, ("right_shoulder", "left_shoulder"))
    neck = np.append(shoulders[:, :2].mean(0), shoulders[:, 2].min()) if shoulders[:, 2].all() else np.zeros(3)
    return OpenPosePerson(
        body=np.insert(neck_less, OPENPOSE_BODY.index("neck"), neck, axis=0),
        face=_points(keypoints, (*FACE, "right_eye", "left_eye")),
        left_hand=_points(keypoints, LEFT_HAND),
        right_hand=_points(keypoints, RIGHT_HAND),
    )


def openpose_json(people: Sequence[OpenPosePerson], size: tuple[int, int]) -> dict[str, Any]:
    """OpenPose's output file of a picture. size: (width, height), which ControlNet's editors add to it."""
    return {
        "version": 1.3,
        "people": [
            {
                "person_id": [-1],
                "pose_keypoints_2d": _flat(p.body),
                "face_keypoints_2d": _flat(p.face),
                "hand_left_keypoints_2d": _flat(p.left_hand),
                "hand_right_keypoints_2d": _flat(p.right_hand),
                "pose_keypoints_3d": [],
                "face_keypoints_3d": [],
                "hand_left_keypoints_3d": [],
                "hand_right_keypoints_3d": [],
            }
            for p in people
        ],
        "canvas_width": size[0],
        "canvas_height": size[1],
    }


def draw_openpose(
    people: Sequence[OpenPosePerson], size: tuple[int, int], *, hands: bool = True, face: bool = False
) -> NDArray[np.uint8]:
    """The conditioning picture of a ControlNet for poses: (H, W, 3) uint8 RGB, black without figures.

    Drawn is what a detector would find: joints of the body in the picture, also behind something; eyes, ears, nose and
    points of the face only where they are visible, so that a head seen from behind has none; a hand where any of its
    points is visible. size: (width, height), pixels; widths of lines do not depend on it.
    """
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    for person in people:
        draw_body(canvas, person.body)
        if hands:
            for hand in (person.left_hand, person.right_hand):
                draw_hand(canvas, hand)
        if face:
            draw_face(canvas, person.face)
    return canvas


def draw_body(canvas: Canvas, body: Array) -> None:
    """Limbs as ellipses at 60 % of their colours, then points as dots. body: (18, 3); canvas changes in place."""
    pixels = {
        name: (float(x), float(y))
        for name, (x, y, c) in zip(OPENPOSE_BODY, body, strict=True)
        if c >= (VISIBLE if name in HEAD_POINTS else OCCLUDED)
    }
    for (first, second), color in zip(LIMBS, COLORS, strict=False):
        if first in pixels and second in pixels:
            (x0, y0), (x1, y1) = pixels[first], pixels[second]
            length, angle = math.hypot(x0 - x1, y0 - y1), math.degrees(math.atan2(y0 - y1, x0 - x1))
            dark = tuple(int(c * LIMB_BRIGHTNESS) for c in color)
            middle = int((x0 + x1) / 2), int((y0 + y1) / 2)
            fill_ellipse(canvas, *middle, (int(length / 2), LIMB_HALF_WIDTH), int(angle), dark)  # type: ignore[arg-type]
    for name, color in zip(OPENPOSE_BODY, COLORS, strict=True):
        if name in pixels:
            fill_circle(canvas, int(pixels[name][0]), int(pixels[name][1]), 4, color)


def draw_hand(canvas: Canvas, hand: Array) -> None:
    """Fingers as lines around the hue circle, then points as blue dots. hand: (21, 3); canvas changes in place."""
    if not (hand[:, 2] >= VISIBLE).any():
        return
    cells = hand[:, :2].astype(int)
    known = (hand[:, 2] >= OCCLUDED) & (cells > 0).all(1)  # controlnet_aux skips the first row and column
    for i, (first, second) in enumerate(HAND_LIMBS):
        if known[first] and known[second]:
            red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(i / len(HAND_LIMBS), 1.0, 1.0))
            draw_line(canvas, tuple(cells[first].tolist()), tuple(cells[second].tolist()), (red, green, blue))
    for x, y in cells[known].tolist():
        fill_circle(canvas, x, y, 4, (0, 0, 255))


def draw_face(canvas: Canvas, face: Array) -> None:
    """The visible points as white dots. face: (N, 3); canvas changes in place."""
    cells = face[:, :2].astype(int)
    for x, y in cells[(face[:, 2] >= VISIBLE) & (cells > 0).all(1)].tolist():
        fill_circle(canvas, x, y, 3, (255, 255, 255))


def _points(keypoints: Keypoints, names: Sequence[str]) -> Array:
    rows = keypoints.select(names).coco()
    rows[:, 2] /= 2  # COCO's 2 and 1 are 1.0 and 0.5
    return rows


def _flat(points: Array) -> list[float]:
    return [round(float(v), 3) for v in points.ravel()]
