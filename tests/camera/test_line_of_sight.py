"""Line of sight: walls at known positions hide known points."""

from __future__ import annotations

import numpy as np
import pytest
from vrm_synth.camera.line_of_sight import LineOfSight, inside

from vrm_synth.camera.camera import Camera

WALL = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])
EYE = (0.0, 0.0, 3.0)


@pytest.mark.parametrize(
    ("point", "slack", "hidden"),
    [
        ((0.3, 0.2, -1), 0.1, True),
        ((0.3, 0.2, 1), 0.1, False),  # in front of the wall
        ((5, 0.2, -1), 0.1, False),  # beside it
        ((0.3, 0.2, -0.05), 0.1, False),  # just below the surface: its own skin
        ((0.3, 0.2, -0.2), 0.1, True),
        ((0, 0, 4), 0.1, False),  # behind the eye
    ],
)
def test_a_wall_hides_what_is_behind_it(point: tuple[float, float, float], slack: float, hidden: bool) -> None:
    assert LineOfSight(EYE, WALL, TRIANGLES).blocked([point], [slack]).tolist() == [hidden]
    assert LineOfSight(EYE, WALL, TRIANGLES[:, ::-1]).blocked([point], [slack]).tolist() == [
        hidden
    ]  # either side of it


def test_agrees_with_a_brute_force_test() -> None:
    g = np.random.default_rng(3)
    vertices, triangles = g.normal(size=(60, 3)), g.integers(0, 60, (40, 3))
    points = g.normal(size=(50, 3)) * 2
    expected = []
    for p in points:
        hit = False
        for t in triangles:
            a, b, c = vertices[t]
            m = np.stack([np.subtract(p, EYE), a - b, a - c], 1)
            if abs(np.linalg.det(m)) < 1e-12:
                continue
            s, u, v = np.linalg.solve(m, a - EYE)
            hit |= bool(0 < s < 1 and u >= 0 and v >= 0 and u + v <= 1)
        expected.append(hit)
    assert any(expected) and not all(expected)
    assert LineOfSight(EYE, vertices, triangles).blocked(points, np.zeros(50)).tolist() == expected


def test_a_triangle_without_area_hides_nothing() -> None:
    flat = np.zeros((3, 3))
    assert LineOfSight(EYE, flat, np.array([[0, 1, 2]])).blocked([(0, 0, -1)], [0.0]).tolist() == [False]


def test_inside_counts_edges_and_depth() -> None:
    camera = Camera(EYE, (0, 0, 0), fov_y=90.0, near=0.5)
    points = [(0, 0, 0), (2.9, 0, 0), (3.1, 0, 0), (0, -3.1, 0), (0, 0, 2.8), (0, 0, 4)]
    assert inside(camera, 1.0, points).tolist() == [True, True, False, False, False, False]
    assert inside(camera, 1.0, points, edge=0.05).tolist() == [True, False, False, False, False, False]
    assert inside(camera, 2.0, points).tolist() == [True, True, True, False, False, False]
