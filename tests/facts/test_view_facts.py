"""Views: cameras at known angles around hips and head, found by trigonometry of their own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.corpus import CORPUS, needs_corpus
from tests.facts.face_scenes import camera_around, draw
from vrm_synth.camera.framing import Aim
from vrm_synth.core.transforms import quat_axis_angle
from vrm_synth.facts.facts import ViewFacts
from vrm_synth.facts.framing import framing
from vrm_synth.facts.view_facts import view_facts
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render.base import View
from vrm_synth.vrm.avatar import Avatar

Bones = dict[str, tuple[float, float, float, float]]
ARMS_DOWN: Bones = {"leftUpperArm": (0.0, 0.0, -0.6, 0.8), "rightUpperArm": (0.0, 0.0, 0.6, 0.8)}


@cache
def demo() -> Avatar:
    return vs.demo_avatar(0)


def turned(bone: str, axis: tuple[float, float, float], degrees: float) -> Bones:
    x, y, z, w = quat_axis_angle(axis, np.radians(degrees)).tolist()
    return {bone: (x, y, z, w)}


def seen(
    azimuth: float,
    elevation: float = 0.0,
    bones: Bones | None = None,
    around: str = "hips",
    distance: float = 4.5,
    roll: float = 0.0,
    avatar: Avatar | None = None,
) -> ViewFacts:
    posed = evaluate(avatar or demo(), bones={**ARMS_DOWN, **(bones or {})})
    camera = camera_around(posed.bone_positions()[around], azimuth, elevation, distance)
    drawn, _ = draw(posed, View(camera, (192, 192)))
    return view_facts(drawn, Aim(azimuth, elevation, roll))


@pytest.mark.parametrize(
    ("azimuth", "name"),
    [
        (0, "front"),
        (12, "front"),
        (-12, "front"),
        (20, ""),
        (45, "three_quarter_left"),
        (-45, "three_quarter_right"),
        (68, ""),
        (90, "side_left"),
        (-90, "side_right"),
        (112, ""),
        (135, "behind_left"),
        (-135, "behind_right"),
        (157, ""),
        (175, "back"),
        (-175, "back"),
    ],
)
def test_a_straight_body_and_its_face_have_the_side_where_the_camera_stands(azimuth: float, name: str) -> None:
    v = seen(azimuth)
    assert (v.body, v.face) == (name, name)
    assert v.azimuth == pytest.approx(azimuth, abs=0.02)


def test_a_turned_head_has_a_side_of_its_own() -> None:
    v = seen(180, bones=turned("head", (0, 1, 0), 60) | turned("neck", (0, 1, 0), 45))
    assert v.body == "back" and v.face == "side_left"
    assert v.face_azimuth == pytest.approx(180 - 105, abs=2)


def test_a_body_whose_chest_is_turned_from_its_hips_has_no_side() -> None:
    assert seen(0, bones=turned("spine", (0, 1, 0), 60)).body == ""


def test_a_turned_body_is_seen_from_where_its_hips_point() -> None:
    v = seen(0, bones=turned("hips", (0, 1, 0), 90))  # the body faces the picture's right: its right side shows
    assert v.body == "side_right" and v.azimuth == pytest.approx(-90, abs=0.5)


@pytest.mark.parametrize("bone", ["hips", "spine"])
def test_a_body_that_lies_or_bends_has_no_side(bone: str) -> None:
    assert seen(90, bones=turned(bone, (1, 0, 0), 80)).body == ""


@pytest.mark.parametrize(
    ("elevation", "name"), [(30, "high"), (21, "high"), (13, ""), (0, "level"), (-5, "level"), (-11, ""), (-20, "low")]
)
def test_the_camera_has_the_height_of_its_elevation(elevation: float, name: str) -> None:
    assert seen(0, elevation).height == name


def test_a_bowed_head_near_a_level_camera_is_not_called_level() -> None:
    upright = seen(0, around="head", distance=0.9)
    assert upright.height == "level"
    bowed = seen(0, around="head", distance=0.9, bones=turned("head", (1, 0, 0), 35))
    assert bowed.height == ""


def test_a_close_up_says_nothing_of_the_body() -> None:
    posed = evaluate(demo())
    head = posed.bone_positions()["head"] + [0.0, 0.16, 0.0]
    drawn, _ = draw(posed, View(camera_around(head, 45, 0, 0.5), (192, 192)))
    v = view_facts(drawn, Aim(45))
    assert v.body == "" and v.face == "three_quarter_left"


def test_a_picture_of_the_legs_says_nothing_of_the_face() -> None:
    assert seen(0, around="leftFoot", distance=1.0).face == ""


@pytest.mark.parametrize(("roll", "name"), [(0.0, "upright"), (-1.5, "upright"), (4.0, ""), (-8.0, "tilted")])
def test_roll_has_a_dead_band(roll: float, name: str) -> None:
    assert seen(0, roll=roll).roll == name


def test_an_avatar_of_unknown_front_has_no_sides() -> None:
    v = seen(0, avatar=replace(demo(), front_known=False))
    assert (v.body, v.face, v.azimuth, v.face_azimuth) == ("", "", None, None)
    assert v.height == "level"


@needs_corpus
def test_a_ball_has_no_sides_and_no_framing_but_its_whole() -> None:
    assert CORPUS is not None
    posed = evaluate(vs.load(CORPUS / "avatars" / "sphere.vrm"))
    for distance in (0.4, 30.0):
        camera = camera_around(posed.bone_positions()["hips"], 0, 0, distance)
        drawn, _ = draw(posed, View(replace(camera, far=100.0), (192, 192)))
        v = view_facts(drawn, Aim(0))
        assert (v.body, v.face) == ("", "")
        assert framing(drawn) == ("full_body" if distance > 1 else "")
