"""Framing: every point is inside the margins, and no nearer camera would do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, Margins, axes, fit, project
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import transform_points

aims = st.builds(Aim, st.floats(-180, 180), st.floats(-80, 80), st.floats(-30, 30), st.floats(8, 70))
margins = st.builds(Margins, *[st.floats(0, 0.4)] * 4)


def cloud(seed: int, size: float) -> np.ndarray:
    g = np.random.default_rng(seed)
    return g.normal(size=(40, 3)) * g.uniform(0.05, 1, 3) * size + g.normal(size=3)


@settings(max_examples=200, deadline=None)
@given(aims, margins, st.floats(0.3, 3), st.integers(0, 10_000), st.floats(0.02, 4))
def test_all_points_fit_and_two_edges_are_touched(aim: Aim, m: Margins, aspect: float, seed: int, size: float) -> None:
    points = cloud(seed, size)
    x, y, depth = project(fit(points, points, aim, aspect, m), aspect, points).T
    room = np.array(
        [1 - 2 * m.left + x.min(), 1 - 2 * m.right - x.max(), 1 - 2 * m.bottom + y.min(), 1 - 2 * m.top - y.max()]
    )
    assert (depth > 0).all()
    assert room.min() > -1e-7
    # Or else it is the nearest point that keeps the camera away: 5 % of the points' extent.
    closest = 0.05 * np.ptp(points, axis=0).max()
    assert min(max(room[:2]), max(room[2:])) < 1e-7 or depth.min() == pytest.approx(closest, rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(aims, st.integers(0, 1000))
def test_near_and_far_enclose_all_points(aim: Aim, seed: int) -> None:
    points, extent = cloud(seed, 0.3), np.concatenate([cloud(seed, 0.3), cloud(seed + 1, 1.0)])
    camera = fit(points, extent, aim, 1.0, Margins())
    depth = project(camera, 1.0, extent)[:, 2]
    assert 0 < camera.near < camera.far
    assert depth.max() < camera.far
    subject = np.linalg.norm(np.subtract(camera.target, camera.position))
    assert camera.near < depth.min() or camera.near == pytest.approx(subject / 50)


@settings(max_examples=50, deadline=None)
@given(aims, st.integers(0, 1000), st.floats(0.5, 2))
def test_project_agrees_with_the_cameras_own_matrices(aim: Aim, seed: int, aspect: float) -> None:
    points = cloud(seed, 0.5)
    camera = fit(points, points, aim, aspect, Margins(0.1, 0.1, 0.1, 0.1))
    view = transform_points(camera.view_from_world(), points)
    clip = np.c_[view, np.ones(len(view))] @ camera.clip_from_view(round(1000 * aspect), 1000).T
    ndc = clip[:, :3] / clip[:, 3:]
    x, y, depth = project(camera, round(1000 * aspect) / 1000, points).T
    np.testing.assert_allclose(ndc[:, 0], x, atol=1e-9)
    np.testing.assert_allclose(ndc[:, 1], y, atol=1e-9)
    np.testing.assert_allclose(clip[:, 3], depth, atol=1e-9)
    assert (np.abs(ndc[:, 2]) <= 1).all()


def test_the_camera_stands_where_its_azimuth_and_elevation_say() -> None:
    points = cloud(0, 0.5)
    centre = (points.min(0) + points.max(0)) / 2
    for azimuth, elevation, outward in [
        (0, 0, (0, 0, 1)), (90, 0, (1, 0, 0)), (-90, 0, (-1, 0, 0)), (180, 0, (0, 0, -1)), (0, 60, (0, 0.866, 0.5)),
        (0, -60, (0, -0.866, 0.5)),
    ]:  # fmt: skip
        camera = fit(points, points, Aim(azimuth, elevation), 1.0, Margins())
        away = np.subtract(camera.position, centre)
        assert away @ outward / np.linalg.norm(away) > 0.95
        forward = np.subtract(camera.target, camera.position)
        np.testing.assert_allclose(forward / np.linalg.norm(forward), -np.array(outward), atol=1e-3)


def test_roll_turns_the_picture_clockwise() -> None:
    """A point straight above the target moves to the right of the picture."""
    points = np.array([[0, 0, 0], [0, 0.2, 0], [0.3, 0, 0], [-0.3, -0.2, 0.3]], float)
    camera = fit(points, points, Aim(20, 0, 10), 1.0, Margins())
    low, high = project(camera, 1.0, points[:2])[:, :2]
    angle = np.degrees(np.arctan2(high[0] - low[0], high[1] - low[1]))
    assert angle == pytest.approx(10, abs=1.5)


def test_axes_are_right_handed_and_unit() -> None:
    r = axes(Aim(33, -21, 12))
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) == pytest.approx(1)


@pytest.mark.parametrize("points", [[[1, 2, 3]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1e-7]]])
def test_degenerate_clouds_still_get_a_camera(points: list[list[float]]) -> None:
    camera = fit(points, points, Aim(0), 1.0, Margins())
    assert 0 < camera.near < camera.far
    assert np.isfinite(project(camera, 1.0, points)).all()
    assert np.linalg.norm(np.subtract(camera.position, camera.target)) > 1e-6


def test_nothing_to_frame_is_refused() -> None:
    with pytest.raises(ShotError, match="nothing to frame"):
        fit(np.zeros((0, 3)), np.zeros((0, 3)), Aim(0), 1.0, Margins())


def test_a_view_straight_down_is_refused() -> None:
    with pytest.raises(ShotError, match="steep"):
        axes(Aim(0, 90))


def test_points_behind_the_camera_project_to_nan() -> None:
    out = project(Camera((0, 0, 1), (0, 0, 0)), 1.0, [[0, 0, 2], [0, 0, 0]])
    assert np.isnan(out[0, :2]).all() and out[0, 2] == -1
    assert out[1].tolist() == [0, 0, 1]


def test_orthographic_coordinates() -> None:
    camera = Camera((0, 0, 5), (0, 0, 0), ortho_height=2.0)
    np.testing.assert_allclose(project(camera, 2.0, [[1, 0.5, 0], [1, 0.5, 3]])[:, :2], [[0.5, 0.5], [0.5, 0.5]])
