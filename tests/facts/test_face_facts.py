"""Faces: expressions set by weight, cameras by angle; what is hidden, far or turned away is not said."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.corpus import CORPUS, needs_corpus
from tests.facts.face_scenes import camera_around, draw, groups_of
from vrm_synth.camera.framing import project
from vrm_synth.core.transforms import quat_axis_angle
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.face_facts import face_facts
from vrm_synth.facts.face_shapes import face_shapes_of
from vrm_synth.facts.facts import FaceFacts, Gaze
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.render.base import View
from vrm_synth.shot.body_parts import body_parts_of
from vrm_synth.shot.planner import plan_shot
from vrm_synth.shot.recipe import Recipe
from vrm_synth.vrm.avatar import Avatar


@cache
def demo(number: int = 0) -> Avatar:
    return vs.demo_avatar(number)


def drawn_face(
    weights: dict[str, float],
    azimuth: float = 0.0,
    elevation: float = 0.0,
    away: float = 2.6,
    avatar: Avatar | None = None,
    look_at: LookAtAngles | None = None,
) -> DrawnBody:
    """A face in a picture of 384², from an angle; away: distance in heights of the head."""
    avatar = avatar or demo()
    posed = evaluate(avatar, expressions=weights, look_at=look_at)
    parts = body_parts_of(avatar)
    head = parts.rest[parts.direct & parts.of_bones("head")]
    camera = camera_around((head.min(0) + head.max(0)) / 2, azimuth, elevation, away * float(np.ptp(head[:, 1])))
    return draw(posed, View(camera, (384, 384)))[0]


def read(
    weights: dict[str, float], azimuth: float = 0.0, gaze: Gaze = "", elevation: float = 0.0, away: float = 2.6
) -> FaceFacts:
    return face_facts(drawn_face(weights, azimuth, elevation, away), gaze)


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("mood", ["happy", "angry", "sad", "relaxed", "surprised"])
def test_an_emotion_at_full_weight_is_read_from_near_and_at_no_weight_not(number: int, mood: str) -> None:
    assert face_facts(drawn_face({mood: 1.0}, avatar=demo(number)), "").expression == mood
    assert face_facts(drawn_face({mood: 0.4}, avatar=demo(number)), "").expression == ""


def test_two_emotions_at_once_are_none() -> None:
    assert read({"happy": 0.9, "angry": 0.9}).expression == ""


@pytest.mark.parametrize(
    ("weights", "eyes"),
    [
        ({}, "open"),
        ({"blink": 1.0}, "closed"),
        ({"blink": 0.55}, "half_closed"),
        ({"blink": 0.75}, ""),
        ({"blinkLeft": 1.0}, "wink_left"),
        ({"blinkRight": 1.0}, "wink_right"),
        ({"happy": 1.0}, "closed"),
        ({"surprised": 1.0}, "open"),
    ],
)
def test_eyes_are_as_open_as_their_lids(weights: dict[str, float], eyes: str) -> None:
    assert read(weights).eyes == eyes


@pytest.mark.parametrize(
    ("weights", "mouth"), [({}, "closed"), ({"aa": 1.0}, "open"), ({"oh": 1.0}, "open"), ({"blink": 1.0}, "closed")]
)
def test_the_mouth_is_open_where_its_inside_shows(weights: dict[str, float], mouth: str) -> None:
    assert read(weights).mouth == mouth


@pytest.mark.parametrize(
    ("azimuth", "elevation", "away"), [(180.0, 0.0, 2.6), (90.0, 0.0, 2.6), (0.0, 64.0, 2.6), (0.0, 0.0, 40.0)]
)
def test_nothing_is_read_of_a_face_turned_away_or_far(azimuth: float, elevation: float, away: float) -> None:
    assert read({"happy": 1.0}, azimuth, "", elevation, away) == FaceFacts()


def test_a_wink_is_not_read_where_one_eye_is_turned_away() -> None:
    assert read({"blinkLeft": 1.0}, azimuth=-50.0).eyes == ""


def test_what_is_drawn_before_the_features_hides_them() -> None:
    """A wall below the eyes hides the mouth, one before all hides everything."""
    open_face = drawn_face({"happy": 1.0})
    height = open_face.depth.shape[0]
    eyes = project(open_face.view.camera, 1.0, open_face.view.face_point)[0, 1]
    half, whole = open_face.depth.copy(), np.full_like(open_face.depth, 0.01)
    half[int((1 - eyes) / 2 * height) + height // 12 :] = 0.01
    lower = face_facts(replace(open_face, depth=half), "")
    assert lower.expression == "" and lower.mouth == "" and lower.eyes == "closed"
    assert face_facts(replace(open_face, depth=whole), "") == FaceFacts()


def test_eyes_meet_the_viewer_where_the_face_does_or_they_are_turned() -> None:
    assert read({}).gaze == "viewer"
    assert read({}, azimuth=20.0).gaze == ""
    assert read({}, azimuth=20.0, gaze="viewer").gaze == "viewer"
    assert read({}, azimuth=50.0).gaze == "away"
    assert read({}, azimuth=25.0, gaze="away").gaze == "away"


def test_closed_eyes_look_nowhere() -> None:
    assert read({"blink": 1.0}, gaze="viewer").gaze == ""
    assert read({"happy": 1.0}).gaze == ""


def test_a_bowed_head_is_not_read() -> None:
    x, y, z, w = quat_axis_angle((1.0, 0.0, 0.0), np.radians(45)).tolist()
    posed = evaluate(demo(), bones={"head": (x, y, z, w)}, expressions={"happy": 1.0})
    camera = camera_around(posed.bone_positions()["head"] + [0.0, 0.1, 0.0], 0, 0, 0.8)
    assert face_facts(draw(posed, View(camera, (384, 384)))[0], "").expression == ""


def test_openings_fall_with_the_blink() -> None:
    shapes = face_shapes_of(demo(), groups_of(demo()))
    lefts = [shapes.openings({"blink": w}).left for w in (0.0, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0)]
    assert lefts == sorted(lefts, key=lambda v: -(v or 0.0)) and lefts[0] == 1.0 and (lefts[-1] or 0.0) < 0.05


def test_planned_blinks_are_whole() -> None:
    recipe = Recipe.model_validate(
        {"avatars": ["demo:0"], "count": 12, "seed": 1, "expressions": {"blink": 1, "blinkLeft": 1, "happy": 1}}
    )
    for i in range(recipe.count):
        for name, weight in plan_shot(recipe, i, lambda _: demo()).shot.figure.expressions.items():
            assert weight == 1.0 if name.startswith("blink") else 0.75 <= weight < 1.0


@needs_corpus
def test_an_expression_behind_hair_and_a_mask_is_not_read() -> None:
    assert CORPUS is not None
    avatar = vs.load(CORPUS / "avatars" / "m_expressive.vrm")
    for mood in ("happy", "angry", "sad", "relaxed"):
        assert face_facts(drawn_face({mood: 1.0}, avatar=avatar), "").expression == ""


@needs_corpus
def test_lids_that_leave_a_slit_are_not_closed_and_irises_that_squint_have_no_gaze() -> None:
    assert CORPUS is not None
    avatar = vs.load(CORPUS / "avatars" / "zombie.vrm")
    shut = face_facts(drawn_face({"blink": 1.0}, avatar=avatar), "")
    assert shut.eyes == ""
    assert face_facts(drawn_face({}, avatar=avatar), "") == FaceFacts("", "open", "open", "")
