"""Tests of points against drawn depth, on a hand-made picture."""

import numpy as np
import pytest

from vrm_synth.annotation.drawn_depth import DrawnDepth
from vrm_synth.core.errors import ShotError


def picture() -> DrawnDepth:
    """A wall 2 m away on the left half of an 8 × 4 picture; nothing on the right."""
    depth = np.full((4, 8), np.inf, np.float32)
    depth[:, :4] = 2.0
    return DrawnDepth(depth, np.where(np.isinf(depth), -1, 3).astype(np.int32))


def test_a_point_is_on_the_surface_within_a_centimetre():
    pixels = np.full((4, 2), 1.5)
    assert picture().on_surface(pixels, np.array([2.0, 2.009, 1.991, 2.02])).tolist() == [True, True, True, False]


def test_a_point_on_an_outline_counts_where_a_neighbouring_pixel_shows_its_surface():
    drawn = picture()
    assert drawn.on_surface(np.array([[4.1, 1.5], [5.6, 1.5]]), np.array([2.0, 2.0])).tolist() == [True, False]
    drawn.depth[1, 4] = 1.0  # something in front of the outline hides it
    assert drawn.on_surface(np.array([[4.1, 1.5]]), np.array([2.0])).tolist() == [False]


def test_points_outside_the_picture_or_behind_the_camera_are_not_inside():
    pixels = np.array([[0.0, 0.0], [7.99, 3.99], [8.0, 1.0], [-0.01, 1.0], [1.0, 4.0], [1.0, 1.0], [np.nan, np.nan]])
    distance = np.array([1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 1.0])
    assert picture().inside(pixels, distance).tolist() == [True, True, False, False, False, False, False]


@pytest.mark.parametrize(
    ("depth", "triangle", "message"),
    [
        (np.zeros((3, 4)), np.zeros((3, 5), int), "triangle does not fit"),
        (np.zeros((4, 4)), np.zeros((3, 4), int), "depth does not fit"),
        (np.zeros((3, 4)), np.zeros((3, 4)), "must be numbers of triangles"),
        (np.full((3, 4), np.nan), np.zeros((3, 4), int), "NaN"),
        (np.zeros((3, 4)), np.full((3, 4), 10), "no such triangle"),
        (np.zeros((3, 4)), np.full((3, 4), -2), "no such triangle"),
    ],
)
def test_what_does_not_fit_is_refused(depth, triangle, message):
    with pytest.raises(ShotError, match=message):
        DrawnDepth.checked(depth.astype(np.float32), triangle, (4, 3), 10)
