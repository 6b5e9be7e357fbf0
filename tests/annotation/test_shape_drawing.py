"""Dots, ellipses and lines cover the pixels that OpenCV's do.

opencv_shapes.json: rows (first and last pixel) of cv2.fillConvexPoly(cv2.ellipse2Poly(…, (length / 2, 4), angle)) and
cv2.line(…, thickness=2), OpenCV 4, on a canvas of 64 × 64.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from vrm_synth.annotation.shape_drawing import draw_line, fill_circle, fill_ellipse

SHAPES = json.loads((Path(__file__).parent / "opencv_shapes.json").read_text())
RED = (255, 0, 0)


def mask_of(rows: dict) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    for y, (low, high) in rows.items():
        mask[int(y), low : high + 1] = True
    return mask


def canvas() -> np.ndarray:
    return np.zeros((64, 64, 3), np.uint8)


@pytest.mark.parametrize("shape", SHAPES["limbs"], ids=lambda s: str(s["from"]))
def test_ellipses(shape):
    (x0, y0), (x1, y1) = shape["from"], shape["to"]
    length, angle = math.hypot(x0 - x1, y0 - y1), math.degrees(math.atan2(y0 - y1, x0 - x1))
    drawn = canvas()
    fill_ellipse(drawn, int((x0 + x1) / 2), int((y0 + y1) / 2), (int(length / 2), 4), int(angle), RED)
    assert (drawn.any(2) == mask_of(shape["rows"])).all()


@pytest.mark.parametrize("shape", SHAPES["lines"], ids=lambda s: str(s["from"]))
def test_lines(shape):
    drawn = canvas()
    draw_line(drawn, tuple(shape["from"]), tuple(shape["to"]), RED)
    assert (drawn.any(2) == mask_of(shape["rows"])).all()


@pytest.mark.parametrize(
    ("radius", "rows"), [(1, [1, 3, 1]), (3, [1, 5, 5, 7, 5, 5, 1]), (4, [1, 5, 7, 7, 9, 7, 7, 5, 1])]
)
def test_circles(radius, rows):
    drawn = canvas()
    fill_circle(drawn, 20, 30, radius, RED)
    assert drawn.any(2).sum(1)[30 - radius : 31 + radius].tolist() == rows
    assert drawn[30, 20].tolist() == [255, 0, 0]


def test_what_lies_outside_the_canvas_is_cut():
    for x, y in ((-3, 10), (66, 10), (10, -3), (10, 66), (-99, -99)):
        drawn = canvas()
        fill_circle(drawn, x, y, 4, RED)
        whole = np.zeros((264, 264, 3), np.uint8)
        fill_circle(whole, x + 100, y + 100, 4, RED)
        assert (drawn == whole[100:164, 100:164]).all()
