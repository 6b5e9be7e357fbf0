"""Pictures that ControlNets are conditioned on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrm_synth.core.passes import CONDITIONING, PASSES
from vrm_synth.passes.conditioning import FARTHEST, inverse_depth, lines, normal_map
from vrm_synth.render.geometry_buffer import GeometryBuffer


def buffer(depth: np.ndarray, outline: np.ndarray | None = None) -> GeometryBuffer:
    """A plane before the camera, wherever depth is finite."""
    mask = np.isfinite(depth)
    normal = np.where(mask[..., None], [0, 0, 1], 0).astype(np.float32)
    outline = np.zeros(mask.shape, bool) if outline is None else outline
    return GeometryBuffer(np.where(mask, 0, -1).astype(np.int32), outline, depth.astype(np.float32), normal=normal)


@pytest.fixture
def square() -> np.ndarray:
    """A square 2 m away in the middle of 12 × 12 pixels."""
    depth = np.full((12, 12), np.inf)
    depth[3:9, 3:9] = 2.0
    return depth


def test_each_kind_is_a_pass():
    assert CONDITIONING == {"pose": "pose", "depth": "depth_inverse", "normal": "normal_map", "lines": "lines"}
    assert set(CONDITIONING.values()) <= PASSES.keys()


def test_inverse_depth_is_white_for_the_nearest_and_grey_for_the_farthest(square):
    square[3:6, 3:9] = 4.0
    square[3, 3] = 8 / 3  # in the middle of 1/4 and 1/2
    pixels = inverse_depth(buffer(square))
    low = round(255 * FARTHEST)
    assert (pixels[7, 5] == 255).all() and (pixels[4, 5] == low).all() and not pixels[0, 0].any()
    assert abs(int(pixels[3, 3, 0]) - (255 + low) / 2) <= 1
    assert (pixels == pixels[..., :1]).all()
    flat = np.where(np.isfinite(square), 2.0, np.inf)
    assert set(np.unique(inverse_depth(buffer(flat)))) == {0, 255}
    assert not inverse_depth(buffer(np.full((4, 4), np.inf))).any()


def test_normals_are_colors_and_the_background_faces_the_viewer(square):
    geometry = buffer(square)
    assert (normal_map(geometry) == (128, 128, 255)).all()
    normal = geometry.normal.copy()
    normal[5, 5] = (1, 0, 0)
    normal[5, 6] = (0, -1, 0)
    pixels = normal_map(replace(geometry, normal=normal))
    assert pixels[5, 5].tolist() == [255, 128, 128] and pixels[5, 6].tolist() == [128, 0, 128]


def test_lines_are_drawn_on_the_figure_around_it_and_nowhere_else(square):
    drawn = lines(buffer(square))[..., 0] == 255
    expected = np.isfinite(square)
    expected[4:8, 4:8] = False
    np.testing.assert_array_equal(drawn, expected)
    assert not lines(buffer(np.full((4, 4), np.inf))).any()
    assert not lines(buffer(np.full((4, 4), 2.0))).any()  # a plane that fills the picture has no line


@pytest.mark.parametrize("kind", ["depth", "normal", "id", "outline"])
def test_lines_are_drawn_where_something_steps(kind):
    depth, ids = np.full((8, 8), 2.0), np.zeros((8, 8), np.int32)
    normal = buffer(depth).normal.copy()
    outline = np.zeros((8, 8), bool)
    right = np.s_[:, 4:]
    if kind == "depth":
        depth[right] += 0.1
    elif kind == "normal":
        normal[right] = (1, 0, 0)
    elif kind == "id":
        ids[right] = 1
    else:
        outline[right] = True
    drawn = lines(replace(buffer(depth, outline), normal=normal), ids)[..., 0] == 255
    wanted = np.zeros((8, 8), bool)
    wanted[:, 4:] |= kind == "outline"
    wanted[:, 3] |= kind != "outline"
    np.testing.assert_array_equal(drawn, wanted)


def test_a_slope_and_a_bend_are_no_lines():
    depth = np.broadcast_to(2.0 + 0.01 * np.arange(8), (8, 8)).copy()
    normal = buffer(depth).normal.copy()
    normal[:, 4:] = (np.sin(np.radians(50)), 0, np.cos(np.radians(50)))
    assert not lines(replace(buffer(depth), normal=normal)).any()


def test_the_lines_of_the_avatar_are_some_and_have_its_outlines(arrays):
    drawn = arrays["lines"][..., 0] == 255
    assert 0.02 < drawn[arrays["mask"]].mean() < 0.6
    assert drawn[arrays["outline"]].all() and not drawn[~arrays["mask"]].any()
