"""Regions of a body in a picture: their pixels and shares, beside what rays hit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.facts.drawing import draw
from vrm_synth.appearance.surface_groups import region_name
from vrm_synth.facts.visible_regions import VisibleRegions
from vrm_synth.parts.surface import measure_surface
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.shot.body_parts import bones_of_nodes
from vrm_synth.vrm.avatar import Avatar


@cache
def demo() -> Avatar:
    return vs.demo_avatar(4)


def regions(pose: str, view: str) -> VisibleRegions:
    return VisibleRegions(draw(demo(), load_poses()[pose], view)[0])


def test_pixels_are_those_that_rays_hit() -> None:
    drawn, frame = draw(demo(), load_poses()["wave"], "full_three_quarter_left_level", geometry=True)
    assert frame.geometry is not None
    names = np.array([region_name(int(b)) for b in bones_of_nodes(demo())[0][measure_surface(demo()).lead]])
    hit = names[frame.geometry.triangle[frame.geometry.triangle >= 0]]
    for region in ("leftHand", "rightHand", "leftLowerArm", "head", "torso", "leftLowerLeg"):
        counted = VisibleRegions(drawn).pixels(region)
        assert counted == pytest.approx(np.count_nonzero(hit == region), rel=0.1, abs=25), region


def test_what_nothing_hides_has_all_its_pixels() -> None:
    free = regions("t_pose", "full_front_level")
    for region in ("leftHand", "rightHand", "leftLowerArm", "leftFoot", "leftLowerLeg"):
        assert 0.7 <= free.share(region) <= 1.6, region
        assert free.shows(region)


def test_what_the_body_hides_or_the_picture_cuts_is_not_shown() -> None:
    behind = regions("arms_behind_back", "full_front_level")
    assert behind.share("leftHand") < 0.1 and not behind.shows("leftHand")
    assert behind.shows("leftUpperArm") and behind.shows("torso")
    cut = regions("t_pose", "bust_front_level")
    assert not any(cut.shows(b) for b in ("leftHand", "legs", "leftFoot", "leftMiddleProximal", "leftPalm"))
    assert cut.shows("head")
