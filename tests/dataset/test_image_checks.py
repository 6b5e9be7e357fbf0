"""Image checks: empty, black and blown-out pictures are refused, all others pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrm_synth.dataset.image_checks import BLACK, _is_black, find_fault


def picture(background=(0, 0, 0, 0), figure=(200, 150, 120, 255), side=32):
    out = np.empty((side, side, 4), np.uint8)
    out[:] = background
    out[8:24, 8:24] = figure
    return out


@pytest.mark.parametrize(
    ("rgba", "why"),
    [
        (np.zeros((32, 32, 4), np.uint8), "empty"),
        (np.full((32, 32, 4), 255, np.uint8), "empty"),
        (picture(figure=(90, 90, 90, 0)), "empty: nothing that can be seen"),
        (picture(figure=(3, 0, 8, 255)), "black"),
        (picture(background=(240, 240, 255, 255), figure=(0, 0, 0, 255)), "black"),
        (picture(figure=(255, 255, 255, 255)), "blown out"),
        (picture(side=30), "30×30 pixels, where 32×32 were wanted"),
    ],
)
def test_pictures_that_show_nothing_are_refused(rgba, why):
    assert find_fault(rgba, (32, 32)).startswith(why)


@pytest.mark.parametrize("background", [(0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 255), (250, 200, 210, 255)])
@pytest.mark.parametrize("figure", [(200, 150, 120, 255), (9, 9, 9, 255), (255, 255, 254, 255), (255, 255, 255, 128)])
def test_pictures_that_show_something_pass(background, figure):
    rgba = picture(background, figure)
    rgba[10, 10] = (120, 60, 30, 255)  # nobody is of one colour alone
    rgba[11, 11] = (40, 60, 30, 255)
    assert find_fault(rgba, (32, 32)) == ""


def test_a_pixel_of_a_figure_far_away_passes():
    rgba = picture(figure=(0, 0, 0, 0))
    rgba[16, 16] = (200, 100, 50, 255)
    assert find_fault(rgba, (32, 32)) == ""


def slow_fault(rgba, size):
    """Reference implementation of find_fault, channel by channel."""
    if rgba.shape[1::-1] != size:
        return f"{rgba.shape[1]}×{rgba.shape[0]} pixels, where {size[0]}×{size[1]} were wanted"
    background = rgba[0, 0]
    if (rgba == background).all():
        return "empty: every pixel is the same"
    visible = rgba[(rgba[..., 3] > 0) & (rgba != background).any(-1)]
    if not len(visible):
        return "empty: nothing that can be seen"
    if (visible[:, :3] <= 8).all(1).mean() >= 0.995:
        return "black"
    if (visible[:, :3] == 255).all(1).mean() >= 0.995:
        return "blown out: all white"
    return ""


CHANNELS = st.sampled_from([0, 1, 7, 8, 9, 15, 16, 127, 128, 136, 137, 254, 255])
COLORS = st.tuples(CHANNELS, CHANNELS, CHANNELS, CHANNELS)


@given(st.lists(COLORS, min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_packed_pixels_give_the_result_of_separate_channels(colors, rare, seed):
    """`rare` of the colors have few pixels, so that shares lie on both sides of 99.5 %."""
    r = np.random.default_rng(seed)
    rgba = np.array(colors, np.uint8)[r.integers(0, max(len(colors) - rare, 1), (20, 20))]
    rare_pixels = r.integers(0, 400, r.integers(0, 5))
    rgba.reshape(-1, 4)[rare_pixels] = np.array(colors, np.uint8)[r.integers(0, len(colors), len(rare_pixels))]
    for picture in (rgba, rgba[::-1], rgba[:, ::2]):
        assert find_fault(picture, picture.shape[1::-1]) == slow_fault(picture, picture.shape[1::-1])
    assert find_fault(rgba, (20, 21)) == slow_fault(rgba, (20, 21))


def test_a_color_is_black_if_each_channel_is():
    values = np.arange(256, dtype=np.uint8)
    for channel in range(3):
        for other_channels in (0, 8, 9, 255):
            pixels = np.full((256, 4), other_channels, np.uint8)
            pixels[:, channel] = values
            expected = (pixels[:, :3] <= BLACK).all(1)
            np.testing.assert_array_equal(_is_black(pixels.view("<u4")[:, 0]), expected)


@pytest.mark.parametrize("count", [199, 200, 201, 400])
def test_a_picture_is_black_from_995_of_1000_pixels_on(count):
    """One bright pixel among 199 dark ones is 0.5 %, and refused."""
    rgba = np.zeros((30, 30, 4), np.uint8)
    rgba.reshape(-1, 4)[100 : 100 + count] = (3, 3, 3, 255)
    rgba.reshape(-1, 4)[100] = (200, 3, 3, 255)
    assert find_fault(rgba, (30, 30)) == ("black" if 1 / count <= 1 - 0.995 else "")
