"""Depth test: a wall drawn at a known depth hides known points."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.depth_test import DepthTest, inside

EYE = (0.0, 0.0, 3.0)
CAMERAS = [Camera(EYE, (0, 0, 0), fov_y=40.0), Camera(EYE, (0, 0, 0), ortho_height=2.2)]


def wall(camera: Camera, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    """The depth of a wall of 1 × 1 metre at z = 0, around the middle of the picture."""
    width, height = size
    tall = camera.ortho_height or 2 * 3.0 * np.tan(np.radians(camera.fov_y) / 2)
    y = (0.5 - (np.arange(height) + 0.5) / height) * tall
    x = ((np.arange(width) + 0.5) / width - 0.5) * tall * width / height
    covered = (np.abs(y)[:, None] < 0.5) & (np.abs(x)[None] < 0.5)
    return np.where(covered, 3.0, np.inf).astype(np.float32)


@pytest.mark.parametrize("camera", CAMERAS, ids=["perspective", "orthographic"])
@pytest.mark.parametrize(
    ("point", "slack", "hidden"),
    [
        ((0.3, 0.2, -1), 0.1, True),
        ((0.3, 0.2, 1), 0.1, False),  # in front of the wall
        ((1.2, 0.2, -0.2), 0.1, False),  # beside it
        ((0.3, 0.8, -0.2), 0.1, False),  # above it
        ((0.3, 0.2, -0.05), 0.1, False),  # just below the surface: its own skin
        ((0.3, 0.2, -0.2), 0.1, True),
        ((0, 0, 4), 0.1, False),  # behind the eye
        ((50, 0, -1), 0.1, False),  # outside the picture
    ],
)
def test_a_wall_hides_what_is_behind_it(camera, point, slack, hidden) -> None:
    assert DepthTest(camera, wall(camera)).hidden([point], slack).tolist() == [hidden]


@pytest.mark.parametrize("camera", CAMERAS, ids=["perspective", "orthographic"])
def test_window_z_becomes_metres_again(camera) -> None:
    metres = np.array([0.1, 0.5, 2.0, 5.0, 20.0])
    clip = np.stack([0 * metres, 0 * metres, -metres, np.ones_like(metres)], 1) @ camera.clip_from_view(4, 4).T
    window_z = (clip[:, 2] / clip[:, 3] + 1) / 2
    np.testing.assert_allclose(camera.depth_of(window_z.astype(np.float32)), metres, rtol=1e-4)


def test_inside_counts_edges_and_depth() -> None:
    camera = Camera(EYE, (0, 0, 0), fov_y=90.0, near=0.5)
    points = [(0, 0, 0), (2.9, 0, 0), (3.1, 0, 0), (0, -3.1, 0), (0, 0, 2.8), (0, 0, 4)]
    assert inside(camera, 1.0, points).tolist() == [True, True, False, False, False, False]
    assert inside(camera, 1.0, points, edge=0.05).tolist() == [True, False, False, False, False, False]
    assert inside(camera, 2.0, points).tolist() == [True, True, True, False, False, False]
