"""Landmarks on a hand-made mesh, and the connectivity that the search for them reads."""

import numpy as np
import pytest

from vrm_synth.annotation.landmark import Outline, front_landmark, hull, landmark_positions, on_edge, on_vertex
from vrm_synth.annotation.mesh_topology import pieces, rims, weld

SQUARE = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [0, 0, 1], [2, 0, 1], [2, 2, 1]], float)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6]])


def test_a_look_from_the_front_meets_the_nearest_triangle():
    near = front_landmark(SQUARE, TRIANGLES, (1.5, 0.5))
    far = front_landmark(SQUARE, TRIANGLES, (0.5, 1.5))
    assert near is not None and far is not None and front_landmark(SQUARE, TRIANGLES, (3, 3)) is None
    assert np.allclose(landmark_positions([near, far], SQUARE), [[1.5, 0.5, 1], [0.5, 1.5, 0]])
    assert front_landmark(SQUARE[:, [2, 1, 0]], TRIANGLES[:2], (0.0, 1.0)) is None  # seen edge-on


def test_no_look_slips_through_between_triangles():
    rng = np.random.default_rng(0)
    for _ in range(200):
        points = rng.normal(size=(4, 3))
        share = rng.uniform(0.05, 0.95)
        edge = (1 - share) * points[0] + share * points[1]
        met = front_landmark(points, np.array([[0, 1, 2], [1, 0, 3]]), edge[:2])
        assert met is not None and landmark_positions([met], points)[0, 2] >= edge[2] - 1e-4


def test_landmarks_move_with_their_vertices():
    marks = [on_vertex(1), on_edge(0, 2, 0.25)]
    assert np.allclose(landmark_positions(marks, np.add(SQUARE, [0, 0, 3])), [[2, 0, 3], [0.5, 0.5, 3]])
    assert landmark_positions([], SQUARE).shape == (0, 3)


def test_an_outline_has_corners_and_edges():
    outline = Outline(np.array([[0, 1], [1, 2], [2, 3], [3, 0]]), np.array([[0, 0], [1, -1], [4, 0], [1, 1]], float))
    assert outline.ends == (0, 2)
    xyz = np.insert(outline.xy, 2, 0, axis=1)
    upper, lower = (landmark_positions([outline.at(0.5, upper=u)], xyz)[0] for u in (True, False))
    assert np.allclose(upper, [2, 2 / 3, 0]) and np.allclose(lower, [2, -2 / 3, 0])


def test_an_outline_of_two_rims_has_no_gap():
    xy = np.array([[0, 0], [1, 1], [1, -1], [5, 0], [6, 1], [6, -1]], float)
    outline = Outline(np.array([[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [5, 3]]), xy)
    assert outline.at(0.5, upper=True).vertices[0] in (1, 2)


def test_a_hull_of_a_line_is_none():
    assert hull(np.array([[0, 0], [1, 1], [2, 2.0]]), np.arange(3)) is None
    assert hull(np.array([[0, 0], [1, 0], [0, 1.0]]), np.arange(3)) is not None
    assert hull(np.zeros((2, 2)), np.arange(2)) is None


def test_welding_joins_what_agrees_in_everything():
    features = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 2], [5, 0, 0, 1]], float)
    assert weld(features).tolist() == [0, 0, 2, 3]


def test_pieces_and_rims():
    label = pieces(TRIANGLES, 7)
    assert len({*label[[0, 1, 2, 3]]}) == 1 and len({*label[[4, 5, 6]]}) == 1 and label[0] != label[4]
    openings = sorted(rims(TRIANGLES, 7), key=len)
    assert [len(r) for r in openings] == [3, 4] and [0, 2] not in openings[1].tolist()
    assert rims(np.array([[0, 1, 2], [0, 2, 1]]), 3) == []


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_edges_ends_are_its_vertices(share):
    assert np.allclose(landmark_positions([on_edge(0, 1, share)], SQUARE), SQUARE[int(share)])
