"""Visibility: phrases, faces, hair, gaze and heights as measured on posed bodies."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.corpus import avatar_files, needs_corpus
from tests.observe_drawn import drawn_depth, observe_drawn
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.framing import project
from vrm_synth.camera.views import load_views
from vrm_synth.caption import english
from vrm_synth.pose import skinning
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.pose.pose_library import Pose, load_poses, turns
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.shot.body_parts import body_parts_of
from vrm_synth.shot.body_view import BodyView
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.shot.visibility import Visibility

opened = cache(open_avatar)


def recipe(**fields: Any) -> Recipe:
    return Recipe.model_validate({"avatars": ["demo"], "count": 200, "settle_seconds": None} | fields)


def measured(pose: str, view: str, source: str = "demo", mirrored: bool = False) -> tuple[Visibility, tuple[str, ...]]:
    named = load_poses()[pose].mirror() if mirrored else load_poses()[pose]
    w = before(named, view, source)
    return w, w.phrases(named)


def before(pose: Pose, view: str, source: str = "demo", **expressions: float) -> Visibility:
    figure, v = pose_body(opened(source), pose, expressions), load_views()[view]
    camera = figure.frame(v.crop.down_to, v.aim(), v.crop.room(), 1.0)
    body = BodyView(figure.parts, figure.posed, figure.vertices, camera, (512, 512))
    return Visibility(body, drawn_depth(figure.posed, camera))


@pytest.mark.parametrize(
    ("pose", "view", "phrases"),
    [
        ("wave", "full_front_level", ("waving with the right hand",)),
        ("wave", "face_front_level", ()),  # the hand is outside
        ("hand_on_chest", "full_front_level", ("with the right hand on the chest",)),
        ("hand_on_chest", "full_back_level", ()),  # the body hides the hand
        ("shy", "full_back_level", ()),
        ("hand_behind_head", "full_front_level", ("with the right hand behind the head",)),
        ("hand_behind_head", "full_side_left_level", ()),  # the head hides the arm
        ("kneel", "full_front_level", ("kneeling on one knee",)),
        ("kneel", "bust_front_level", ()),
        ("bow", "full_front_level", ("bowing politely", "with both hands in front")),
        ("bow", "full_side_left_level", ("bowing politely",)),  # the left leg hides the right hand
        ("prayer", "bust_front_level", ("with both palms pressed together in front of the chest",)),
    ],
)
def test_phrases_need_their_bones_in_sight(pose: str, view: str, phrases: tuple[str, ...]) -> None:
    assert measured(pose, view)[1] == phrases


def test_a_mirrored_pose_swaps_sides_in_picture_and_phrase() -> None:
    w, phrases = measured("wave", "full_front_level", mirrored=True)
    assert phrases == ("waving with the left hand",)
    hands = {side: w.view.posed.bone_positions()[f"{side}Hand"] for side in ("left", "right")}
    assert hands["left"][1] > hands["right"][1] + 0.2
    x = project(w.view.camera, 1.0, np.array([hands["left"]]))[0, 0]
    assert x > 0  # the avatar's left is the picture's right when it faces the camera


@needs_corpus
def test_avatars_without_a_human_figure_get_no_phrases() -> None:
    files = {p.stem: str(p) for p in avatar_files()}
    for name in ("sphere", "v1_mtoon_default", "emission_migration", "addon_armature_transform"):
        w, phrases = measured("arms_behind_back", "full_front_level", files[name])
        assert phrases == () and not w.view.parts.is_person
    assert measured("wave", "full_front_level", files["crimsom"])[1] == ("waving with the right hand",)


@needs_corpus
def test_hands_that_do_not_touch_get_no_phrase_of_touching() -> None:
    """This avatar's shoulders are too wide for its palms to meet."""
    crimsom = next(str(p) for p in avatar_files() if p.stem == "crimsom")
    assert measured("prayer", "full_front_level", crimsom)[1] == ("with both hands raised in front of the chest",)


@needs_corpus
def test_fingertips_do_not_hold_hands() -> None:
    crimsom = next(str(p) for p in avatar_files() if p.stem == "crimsom")
    assert measured("shy", "full_front_level", crimsom)[1] == ("with both hands held in front",)
    assert measured("shy", "full_front_level")[1] == ("shyly with both hands held together in front",)


def test_crossed_wrists_do_not_join_hands() -> None:
    pose = load_poses()["stretch"]
    assert before(pose, "full_front_level").touching("leftHand", "rightHand")
    crossed = dict(pose.bones) | {"leftUpperArm": turns((-84, 1, 81)), "rightUpperArm": turns((-84, 1, -81))}
    crossed |= {"leftHand": turns((37, -29, -15)), "rightHand": turns((35, 24, 12))}  # the hands side by side again
    w = before(replace(pose, bones=crossed), "full_front_level")
    assert not w.touching("leftHand", "rightHand")
    assert w.phrases(pose) == ("stretching both arms overhead",)


def test_palms_that_face_elsewhere_are_not_pressed_together() -> None:
    pose = load_poses()["prayer"]
    twisted = dict(pose.bones) | {"leftHand": turns((87, -11, 64)), "rightHand": turns((87, 11, -64))}
    w = before(replace(pose, bones=twisted), "full_front_level")
    assert w.touching("leftHand", "rightHand") and not w.touching("leftPalm", "rightPalm")
    assert w.phrases(pose) == ("with both hands raised in front of the chest",)


@pytest.mark.parametrize("pose", ["sit_chair", "sit_cross_legged"])
def test_hands_off_the_lap_are_not_in_it(pose: str) -> None:
    named = load_poses()[pose]
    phrase = "with both hands in the lap"
    assert phrase in before(named, "full_front_level").phrases(named)
    wide = {f"{side}UpperArm": (0.0, 0.0, 0.0, 1.0) for side in ("left", "right")}
    assert phrase not in before(replace(named, bones=dict(named.bones) | wide), "full_front_level").phrases(named)


def test_a_curtsy_stands_on_both_feet() -> None:
    b, figure = body_parts_of(opened("demo")), pose_body(opened("demo"), load_poses()["curtsy"])
    for side in ("left", "right"):
        foot = figure.vertices[b.direct & b.of_bones(f"{side}Foot", f"{side}Toes"), 1]
        assert foot.min() - b.floor < 0.01


@needs_corpus
def test_hands_without_fingers_make_no_signs() -> None:
    samplebot = next(str(p) for p in avatar_files() if p.stem == "v1_samplebot")
    assert measured("peace", "full_front_level", samplebot)[1] == ("raising the right hand",)
    assert measured("peace", "full_front_level")[1] == ("making a peace sign with the right hand",)


def test_framing_is_observed_from_what_the_picture_cuts_off() -> None:
    assert measured("stand", "full_front_level")[0].view.framing("full") == "full"
    for crop in ("face", "bust", "cowboy"):
        assert measured("stand", f"{crop}_front_level")[0].view.framing(crop) == crop
    assert measured("stand", "full_front_level")[0].view.framing("bust") == "full"  # whatever was asked for
    assert measured("stand", "cowboy_front_level")[0].view.framing("bust") == ""


def test_faces_are_in_sight_from_the_front_only() -> None:
    seen_from = {
        v.azimuth_name: measured("stand", v.name)[0].face_in_sight for v in load_views().values() if "bust" in v.name
    }
    assert seen_from == {
        "front": True, "three_quarter_left": True, "three_quarter_right": True, "side_left": False,
        "side_right": False, "back": False,
    }  # fmt: skip
    turned = measured("looking_back", "bust_side_left_level")[0]  # the head looks over the left shoulder
    assert turned.face_in_sight
    assert abs(turned.view.face_azimuth(90.0)) < 30


def test_expressions_are_observed_only_where_the_face_is_in_sight() -> None:
    observed = {}
    for view in ("face_front_level", "face_side_left_level", "bust_back_level"):
        s = plan_shot(recipe(views=view, expressions="happy", poses="stand"), 0, opened)
        assert s.shot.figure.expressions.keys() == {"happy"}
        observed[view] = observe_drawn(s).expression
    assert observed == {"face_front_level": "happy", "face_side_left_level": "", "bust_back_level": ""}


def test_expressions_need_a_face_that_can_be_read() -> None:
    w = before(load_poses()["stand"], "full_front_level", happy=1.0)
    assert w.expression("happy") == "happy"
    assert replace(w, view=replace(w.view, size=(300, 300))).expression("happy") == ""  # the head is 45 pixels high
    assert replace(w, view=replace(w.view, parts=replace(w.view.parts, is_person=False))).expression("happy") == ""
    small = recipe(views="full_front_level", expressions="happy", poses="stand", size=64, gaze="viewer")
    assert observe_drawn(plan_shot(small, 0, opened)).expression == ""


def test_an_expression_behind_a_hand_is_not_observed() -> None:
    w = before(load_poses()["stand"], "bust_front_level", aa=1.0)
    assert w.expression("aa") == "aa"
    moved = w._moved_vertices("aa")
    assert moved is not None
    x, y, distance = project(w.view.camera, w.view.aspect, w.view.vertices[moved]).T
    columns, rows = (x + 1) / 2 * w.depth.shape[1], (1 - y) / 2 * w.depth.shape[0]
    covered = w.depth.copy()
    hand = slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
    covered[hand] = distance.min() - 0.08
    w = replace(w, depth=covered)
    assert w.face_in_sight and w.expression("aa") == ""
    uncovered = before(load_poses()["stand"], "bust_front_level", blink=1.0)
    assert replace(uncovered, depth=covered).expression("blink") == "blink"  # the eyes are free


@pytest.mark.parametrize(
    ("style", "view", "hair"),
    [
        ("ponytail", "bust_front_level", "pink hair"),
        ("ponytail", "full_front_level", "pink hair"),
        ("ponytail", "full_side_left_level", "a pink ponytail"),
        ("ponytail", "bust_back_level", "a pink ponytail"),
        ("twintails", "bust_front_level", "pink twintails"),
        ("twintails", "full_side_left_level", "pink hair"),  # the head hides the other one
        ("long", "bust_front_level", "long pink hair"),
    ],
)
def test_hair_is_described_as_it_is_in_sight(style: str, view: str, hair: str) -> None:
    source = f"demo:hair_style={style}"
    r = recipe(avatars=[source], views=view, poses="stand", jitter={"camera": 0, "pose": 0})
    assert observe_drawn(plan_shot(r, 0, opened)).hair == hair


def test_a_bowed_head_is_observed_from_above() -> None:
    bowed, _ = measured("bow", "face_front_level")
    assert 45 < bowed.view.face_elevation(0.0, 0.0) < 75
    assert bowed.view.face_elevation(180.0, 0.0) == pytest.approx(-bowed.view.face_elevation(0.0, 0.0))
    assert abs(measured("t_pose", "face_front_level")[0].view.face_elevation(0.0, 20.0) - 20.0) < 1e-6
    r = recipe(poses="bow", views="face_front_level", jitter={"camera": 0, "pose": 0})
    s = plan_shot(r, 0, opened)
    assert observe_drawn(s).elevation == 0 and observe_drawn(s).face_elevation == round(
        bowed.view.face_elevation(0.0, 0.0), 2
    )
    if observe_drawn(s).framing == "face":
        assert re.search("from above|from a high angle", english(s.shot.choices, observe_drawn(s)))


@pytest.mark.parametrize("choice", ["elevations", "views"])
def test_open_legs_are_not_looked_at_from_below(choice: str) -> None:
    def elevations(pose: str, height_weights: dict[str, float]) -> list[str]:
        weights = (
            height_weights if choice == "elevations" else {f"full_front_{n}": w for n, w in height_weights.items()}
        )
        r = recipe(poses=pose, **{choice: weights})
        return [str(plan_shot(r, i, opened).shot.choices.view).rpartition("_")[2] for i in range(8)]

    height_weights = {"low": 3.0, "level": 1.0, "high": 1.5}
    as_drawn = elevations("wave", height_weights)
    assert "low" in as_drawn and set(as_drawn) > {"low"}
    for pose in ("sit_floor", "crouch", "kick", "lunge"):
        observed = elevations(pose, height_weights)
        assert "low" not in observed
        assert all(a == b for a, b in zip(observed, as_drawn, strict=True) if b != "low")  # the others keep theirs
    assert set(elevations("sit_floor", {"low": 1.0})) == {"low"}  # the recipe wins


def test_expressions_that_an_avatar_lacks_are_skipped() -> None:
    s = plan_shot(recipe(expressions=["NoSuchFace", "neutral"]), 0, opened)
    assert s.shot.figure.expressions == {} and observe_drawn(s).expression == ""
    assert plan_shot(recipe(expressions="NoSuchFace"), 0, opened).shot.figure.expressions == {}


@pytest.mark.parametrize(
    ("expression", "observed"), [("neutral", True), ("surprised", True), ("happy", False), ("blink", False)]
)
def test_shut_eyes_have_no_color(expression: str, observed: bool) -> None:
    s = plan_shot(recipe(views="face_front_level", poses="stand", expressions=expression), 0, opened)
    assert (observe_drawn(s).eyes == "blue eyes") == observed
    assert ("blue eyes" in english(s.shot.choices, observe_drawn(s))) == observed


def test_gaze_is_observed_from_eyes_and_camera() -> None:
    front = recipe(views="bust_front_level", poses="stand", gaze="viewer", expressions="neutral")
    for i in range(4):
        s = plan_shot(front, i, opened)
        assert observe_drawn(s).gaze == "viewer" and s.shot.figure.look_at == s.shot.camera.position
    s = plan_shot(recipe(views="bust_back_level", poses="stand", gaze="viewer"), 0, opened)
    assert observe_drawn(s).gaze == "" and s.shot.figure.look_at is None
    for side, view in ((1, "bust_three_quarter_left_level"), (-1, "bust_three_quarter_right_level")):
        s = plan_shot(recipe(views=view, poses="stand", gaze="aside", expressions="neutral"), 0, opened)
        assert isinstance(s.shot.figure.look_at, LookAtAngles) and observe_drawn(s).gaze == "away"
        assert s.shot.figure.look_at.yaw * side < 0  # away from the camera


@needs_corpus
def test_eyes_that_cannot_move_have_no_gaze() -> None:
    """A lookAt without eye bones, or with bones that move nothing, earns no words and no look_at."""
    files = {p.stem: str(p) for p in avatar_files()}
    for name, moves in (("crimsom", False), ("cool_banana", False), ("boombox7", False), ("m_expressive", True)):
        s = plan_shot(recipe(avatars=[files[name]], views="bust_front_level", poses="stand", gaze="viewer"), 0, opened)
        assert (s.shot.figure.look_at is not None) == moves, name
        assert moves or observe_drawn(s).gaze == ""


@pytest.mark.parametrize("expression", ["happy", "blink", "relaxed"])
def test_no_gaze_is_observed_with_eyes_that_may_be_shut(expression: str) -> None:
    s = plan_shot(recipe(views="bust_front_level", poses="stand", gaze="viewer", expressions=expression), 0, opened)
    assert observe_drawn(s).expression == expression and observe_drawn(s).gaze == ""
    assert s.shot.figure.look_at is not None


def test_phrases_stay_true_under_full_jitter() -> None:
    """Hands on hips stay on hips, with the whole jitter that a recipe allows."""
    for i in range(8):
        s = plan_shot(recipe(poses="hands_on_hips", crops="full", azimuths="front"), i, opened)
        assert observe_drawn(s).phrases == ("with both hands on the hips",)


def test_wind_blows_level_and_up_to_its_strength() -> None:
    calm, windy = recipe(settle_seconds=0.5), recipe(settle_seconds=0.5, wind=0.8)
    for i in range(3):
        s = plan_shot(windy, i, opened)
        assert s.shot.wind is not None and s.shot.wind[1] == 0.0 and 0 < np.hypot(s.shot.wind[0], s.shot.wind[2]) <= 0.8
        assert plan_shot(calm, i, opened).shot.wind is None
        assert s.shot.choices.pose == plan_shot(calm, i, opened).shot.choices.pose


def test_moved_vertices_of_an_expression_match_skinning(monkeypatch) -> None:
    """The vertices of a slow reading, primitive by primitive as they are posed; no vertex is posed again for it."""
    w = before(load_poses()["stand"], "face_front_level", happy=1.0)
    names = [n for n, e in w.view.posed.avatar.expressions.items() if e.is_bound]
    slow = {}
    for name in names:
        offsets = []
        for (node, primitive, _, _), used in zip(
            posed_primitives(w.view.posed), w.view.parts.used_vertices, strict=True
        ):
            moved = np.zeros((len(primitive.positions), 3))
            for bind in w.view.posed.avatar.expressions[name].morph_target_binds:
                if bind.node == node and bind.index < len(primitive.morph_positions):
                    moved += bind.weight * primitive.morph_positions[bind.index]
            offsets.append(np.linalg.norm(moved[used], axis=1))
        lengths = np.concatenate(offsets)
        slow[name] = lengths >= lengths.max() / 10 if lengths.max() > 0 else None
    skinned: list[int] = []
    monkeypatch.setattr(skinning, "_posed", lambda *a: skinned.append(1))
    for name in names:
        fast, exact = w._moved_vertices(name), slow[name]
        assert (fast is None) == (exact is None)
        assert fast is None or np.array_equal(fast, exact)
    assert any(v is not None and v.any() for v in slow.values()) and not skinned
