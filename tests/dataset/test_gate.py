"""The gate: what shows nothing is refused, what shows anything passes."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.dataset.gate import fault


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
def test_what_shows_nothing_is_refused(rgba, why):
    assert fault(rgba, (32, 32)).startswith(why)


@pytest.mark.parametrize("background", [(0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 255), (250, 200, 210, 255)])
@pytest.mark.parametrize("figure", [(200, 150, 120, 255), (9, 9, 9, 255), (255, 255, 254, 255), (255, 255, 255, 128)])
def test_what_shows_something_passes(background, figure):
    rgba = picture(background, figure)
    rgba[10, 10] = (120, 60, 30, 255)  # nobody is of one colour alone
    rgba[11, 11] = (40, 60, 30, 255)
    assert fault(rgba, (32, 32)) == ""


def test_a_pixel_of_a_figure_far_away_passes():
    rgba = picture(figure=(0, 0, 0, 0))
    rgba[16, 16] = (200, 100, 50, 255)
    assert fault(rgba, (32, 32)) == ""
