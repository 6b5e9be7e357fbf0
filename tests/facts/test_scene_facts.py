"""Scenes: backgrounds by their color, lights placed at known angles before the camera."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.corpus import CORPUS, needs_corpus
from tests.facts.face_scenes import draw_planned
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.scene_facts import background_name, scene_facts
from vrm_synth.shot.planner import PlannedShot, plan_shot
from vrm_synth.shot.recipe import Recipe
from vrm_synth.shot.shot import Shot
from vrm_synth.stage import backgrounds
from vrm_synth.stage.light_types import Ambient, Light
from vrm_synth.vrm.avatar import Avatar


@cache
def demo() -> Avatar:
    return vs.demo_avatar(0)


@pytest.mark.parametrize("name", [*backgrounds.NAMES, backgrounds.TRANSPARENT])
def test_a_named_background_has_its_name(name: str) -> None:
    assert background_name(backgrounds.background(name)) == name


def test_a_color_has_a_name_only_where_it_is_nearly_that_one() -> None:
    assert background_name(backgrounds.background("#fefefe")) == "white"
    assert background_name(backgrounds.background("#00ff80")) == ""
    assert background_name((1.0, 1.0, 1.0, 0.5)) == ""


@cache
def planned(avatar_name: str, crop: str) -> tuple[PlannedShot, DrawnBody]:
    avatar = demo() if CORPUS is None or avatar_name == "demo" else vs.load(CORPUS / "avatars" / avatar_name)
    recipe = Recipe.model_validate(
        {
            "avatars": ["demo"], "count": 1, "seed": 1, "size": (256, 256), "poses": {"stand": 1}, "crops": {crop: 1},
            "azimuths": {"front": 1}, "elevations": {"level": 1}, "jitter": {"camera": 0, "pose": 0},
            "background": {"light blue": 1},
        }
    )  # fmt: skip
    plan = plan_shot(recipe, 0, lambda _: avatar)
    return plan, draw_planned(plan)[0]


def lit(shot: Shot, setup: str, around: float, up: float, key: float, fill: float) -> Shot:
    """The shot with a light at angles before a camera that stands in front."""
    a, e = np.radians((around, up))
    x, y, z = (-np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])).tolist()
    light, ambient = Light((x, y, z), (1.0, 1.0, 1.0), key), Ambient((1.0, 1.0, 1.0), fill)
    return replace(shot, light=light, ambient=ambient, choices=replace(shot.choices, lighting=setup))


def test_the_background_is_named_where_it_shows() -> None:
    plan, drawn = planned("demo", "bust")
    assert scene_facts(drawn, plan.shot).background == "light blue"
    full = replace(drawn.pixels, pixels=drawn.pixels.pixels * drawn.pixels.size / drawn.pixels.total)
    assert scene_facts(replace(drawn, pixels=full), plan.shot).background == ""


@needs_corpus
@pytest.mark.parametrize(
    ("setup", "around", "up", "key", "fill", "name"),
    [
        ("side", 70.0, 20.0, 0.75, 0.28, "side"),
        ("side", -70.0, 20.0, 0.75, 0.28, "side"),
        ("side", 15.0, 20.0, 0.75, 0.28, ""),
        ("side", 150.0, 20.0, 0.75, 0.28, ""),
        ("front", 10.0, 20.0, 0.7, 0.32, "front"),
        ("front", 70.0, 20.0, 0.7, 0.32, ""),
        ("top", 10.0, 70.0, 0.7, 0.34, "top"),
        ("top", 10.0, 20.0, 0.7, 0.34, ""),
        ("", 70.0, 20.0, 0.75, 0.28, ""),
    ],
)
def test_a_light_on_a_shaded_body_is_named_where_it_stands_as_chosen(
    setup: str, around: float, up: float, key: float, fill: float, name: str
) -> None:
    plan, drawn = planned("robot.vrm", "cowboy")
    assert scene_facts(drawn, lit(plan.shot, setup, around, up, key, fill)).light == name


def test_a_soft_light_on_a_toon_body_is_flat_and_a_strong_one_is_not() -> None:
    plan, drawn = planned("demo", "bust")
    assert scene_facts(drawn, lit(plan.shot, "flat", 5.0, 15.0, 0.32, 0.65)).light == "flat"
    assert scene_facts(drawn, lit(plan.shot, "flat", 5.0, 15.0, 0.9, 0.1)).light == ""


def test_without_light_nothing_is_said_of_it() -> None:
    plan, drawn = planned("demo", "bust")
    assert scene_facts(drawn, replace(plan.shot, light=None)).light == ""
