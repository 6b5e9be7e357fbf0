"""Framing: cameras whose lower edge cuts a standing body at a known height; random pictures against their pixels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.facts.drawing import draw as draw_pose
from tests.facts.face_scenes import draw, draw_planned
from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import quat_axis_angle
from vrm_synth.facts.framing import framing
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import View
from vrm_synth.shot.planner import plan_shot
from vrm_synth.shot.recipe import Recipe
from vrm_synth.vrm.avatar import Avatar


@cache
def demo(number: int = 0) -> Avatar:
    return vs.demo_avatar(number)


def standing(**bones: tuple[float, float, float, float]) -> PosedAvatar:
    arms = {"leftUpperArm": turn((0, 0, 1), -75), "rightUpperArm": turn((0, 0, 1), 75)}
    return evaluate(demo(), bones={**arms, **bones})


def turn(axis: tuple[float, float, float], degrees: float) -> tuple[float, float, float, float]:
    x, y, z, w = quat_axis_angle(axis, np.radians(degrees)).tolist()
    return x, y, z, w


def between(posed: PosedAvatar, low: float, high: float) -> Camera:
    """A camera far in front that shows the heights from `low` to `high` at the body's plane."""
    distance, middle = 12.0, (low + high) / 2
    fov = 2 * np.degrees(np.arctan((high - low) / 2 / distance))
    return Camera((0.0, middle, distance), (0.0, middle, 0.0), fov_y=float(fov))


def marks(posed: PosedAvatar) -> dict[str, float]:
    at = posed.bone_positions()
    top = max(float(p[1]) for b, p in at.items() if b == "head") + 0.28
    heights = {b: float(p[1]) for b, p in at.items()}
    return {
        "top": top,
        "neck": heights["neck"],
        "hips": heights["hips"],
        "knee": heights["leftLowerLeg"],
        "ankle": heights["leftFoot"],
    }


def cut(posed: PosedAvatar, above: str, below: str, share: float) -> str:
    """The framing where the lower edge lies `share` of the way from one mark down to another."""
    m = marks(posed)
    low = m[above] + share * (m[below] - m[above])
    return framing(draw(posed, View(between(posed, low, m["top"]), (256, 256)))[0])


@pytest.mark.parametrize(
    ("above", "below", "share", "name"),
    [
        ("neck", "hips", 0.05, "close_up"),
        ("neck", "hips", 0.55, "portrait"),
        ("neck", "hips", 0.95, "upper_body"),
        ("hips", "knee", 0.1, "upper_body"),
        ("hips", "knee", 0.22, ""),
        ("hips", "knee", 0.5, "cowboy"),
        ("hips", "knee", 1.0, "cowboy"),
        ("knee", "ankle", 0.15, ""),
        ("knee", "ankle", 0.5, ""),
    ],
)
def test_the_framing_is_where_the_lower_edge_cuts_a_standing_body(
    above: str, below: str, share: float, name: str
) -> None:
    assert cut(standing(), above, below, share) == name


def test_the_whole_figure_is_a_full_body_and_without_its_feet_none() -> None:
    posed = standing()
    m = marks(posed)
    assert framing(draw(posed, View(between(posed, -0.1, m["top"]), (256, 256)))[0]) == "full_body"
    assert framing(draw(posed, View(between(posed, 0.03, m["top"]), (256, 256)))[0]) == ""


def test_raised_arms_change_no_framing() -> None:
    raised = standing(leftUpperArm=turn((0, 0, 1), 80), rightUpperArm=turn((0, 0, 1), -80))
    assert cut(raised, "hips", "knee", 0.5) == "cowboy"
    assert cut(raised, "neck", "hips", 0.55) == "portrait"


def test_a_body_without_its_head_has_no_framing() -> None:
    posed = standing()
    m = marks(posed)
    camera = between(posed, m["knee"] + 0.15, m["neck"] - 0.05)
    assert framing(draw(posed, View(camera, (256, 256)))[0]) == ""


def test_a_seated_body_cut_in_its_lap_is_an_upper_body() -> None:
    sitting = standing(leftUpperLeg=turn((1, 0, 0), -88), rightUpperLeg=turn((1, 0, 0), -88))
    assert cut(sitting, "neck", "hips", 0.98) == "upper_body"


def test_full_bodies_touch_no_edge_with_their_feet_and_the_others_leave_the_picture() -> None:
    recipe = Recipe.model_validate({"avatars": ["demo:1", "demo:2"], "count": 24, "seed": 3, "size": (192, 192)})
    avatars = {"demo:1": demo(1), "demo:2": demo(2)}
    names = set()
    for i in range(recipe.count):
        drawn, _ = draw_planned(plan_shot(recipe, i, avatars.__getitem__))
        name = framing(drawn)
        names.add(name)
        finite = np.isfinite(drawn.depth)
        if name == "full_body":
            assert not finite[-1].any()
        elif name in ("portrait", "cowboy", "upper_body"):
            assert finite[-1].any(), name
        if name:
            assert drawn.pixels.by_region["head"] > 0
    assert {"close_up", "portrait", "cowboy", "full_body"} <= names


@pytest.mark.parametrize(("pose", "view"), [("run", "side_left"), ("seiza", "front"), ("arabesque", "side_left")])
def test_a_body_that_does_not_stand_upright_is_cut_in_its_legs_as_another(pose: str, view: str) -> None:
    drawn, _ = draw_pose(demo(), load_poses()[pose], f"cowboy_{view}_level", (256, 256))
    assert framing(drawn) == "cowboy"
