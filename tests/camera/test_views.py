"""The named views: the camera stands on the side and at the height that the name says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vrm_synth.camera.framing import fit
from vrm_synth.camera.views import load_azimuths, load_crops, load_elevations, load_views, view

BOX = np.array([[x, y, z] for x in (-0.3, 0.3) for y in (0, 1.6) for z in (-0.15, 0.15)])


def test_the_usual_views_exist() -> None:
    assert set(load_crops()) >= {"face", "bust", "cowboy", "full"}
    assert set(load_azimuths()) >= {
        "front",
        "three_quarter_left",
        "three_quarter_right",
        "side_left",
        "side_right",
        "back",
    }
    assert set(load_elevations()) >= {"level", "high", "low"}
    assert len(load_views()) == len(load_crops()) * len(load_azimuths()) * len(load_elevations())


@pytest.mark.parametrize("name", load_views())
def test_the_camera_stands_where_the_view_name_says(name: str) -> None:
    v = load_views()[name]
    assert name == f"{v.crop_name}_{v.azimuth_name}_{v.elevation_name}"
    camera = fit(BOX, BOX, v.aim(), 1.0, v.crop.room())
    x, y, z = np.subtract(camera.position, BOX.mean(0))
    assert ("left" in name) == (x > 0.1)  # the avatar's own left is +X
    assert ("right" in name) == (x < -0.1)
    assert ("back" in name) == (z < -0.1)
    assert ("front" in name) == (z > 0.1 and abs(x) < 0.1)
    assert ("high" in name) == (y > 0.1)
    assert ("low" in name) == (y < -0.1)


def test_jittered_views_do_not_overlap() -> None:
    spans = sorted((a.degrees - a.spread, a.degrees + a.spread) for a in load_azimuths().values())
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    spans = sorted((e.degrees - e.spread, e.degrees + e.spread) for e in load_elevations().values())
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_crops_that_cut_leave_no_room_below() -> None:
    assert {n: c.margins[2] > 0 for n, c in load_crops().items()} == {
        "face": True, "bust": False, "cowboy": False, "full": True,
    }  # fmt: skip


def test_a_view_is_made_of_three_names() -> None:
    assert view("bust", "back", "high") == load_views()["bust_back_high"]
