"""The direction that a figure faces: turned where all signs agree, kept and reported where they do not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.corpus import CORPUS, avatar_files, needs_corpus
from tests.observe_drawn import observe_drawn
from tests.vrm.odd_figures import mirrored, plain, sides_swapped, turned, under_root, without
from tests.vrm.vrm_file import STRAND, Doc, changed, vrm0, vrm1
from vrm_synth.caption.captioner import caption
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.vrm import Avatar, load, load_bytes
from vrm_synth.vrm.facing import FrontSigns, front_signs, nearest_quarter, with_turn
from vrm_synth.vrm.humanoid import bone_rest_positions
from vrm_synth.vrm.three_vrm_compat import as_three_vrm

USUAL = {"0": 180, "1": 0}
PAIRS = [f"{side}{bone}" for side in ("left", "right") for bone in ("Eye", "Toes")]


@cache
def built_in(vrm: str) -> Avatar:
    return load_bytes(plain(vrm), "plain.vrm")


def positions(a: Avatar) -> np.ndarray:
    return np.array(list(bone_rest_positions(a.nodes, a.humanoid).values()))


def yaws(a: Avatar) -> dict[str, int]:
    return {name: round(yaw) % 360 for name, yaw in front_signs(a).measured()}


@pytest.mark.parametrize(
    ("vrm", "by", "turn", "oddity"),
    [
        ("1", 180, 180, "a VRM 1.0 file that faces -Z, the 0.x way; turned to face +Z"),
        ("1", 90, -90, "a VRM 1.0 file that faces +X; turned to face +Z"),
        ("1", -90, 90, "a VRM 1.0 file that faces -X; turned to face +Z"),
        ("0", 180, 0, "a VRM 0.x file that faces +Z, the 1.0 way; not turned, so that it faces +Z"),
        ("0", 90, 90, "a VRM 0.x file that faces -X; turned to face +Z"),
        ("0", -90, -90, "a VRM 0.x file that faces +X; turned to face +Z"),
        ("1", 8, 0, None),
        ("0", 8, 180, None),
    ],
)
def test_a_file_that_faces_another_way_is_turned(vrm: str, by: float, turn: int, oddity: str | None) -> None:
    a = load_bytes(turned(plain(vrm), by), "x.vrm")
    assert a.turn == turn and a.oddities == ((oddity,) if oddity else ()) and a.front_known
    if oddity:
        assert yaws(a) == {"arms": 0, "feet": 0, "eyes": 0, "face": 0}
        np.testing.assert_allclose(positions(a), positions(built_in(vrm)), atol=1e-6)


@pytest.mark.parametrize("vrm", ["0", "1"])
@pytest.mark.parametrize("change", [sides_swapped, mirrored])
def test_swapped_sides_face_the_camera_and_are_not_turned(vrm: str, change) -> None:
    a = load_bytes(change(plain(vrm)), "x.vrm")
    assert a.turn == USUAL[vrm] and a.front_known
    assert yaws(a) == {"arms": 180, "feet": 0, "eyes": 0, "face": 0}
    (oddity,) = a.oddities
    assert oddity.startswith("its left bones are on its right side (arms at") and oddity.endswith("left so")


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_swapped_sides_of_a_file_that_faces_away_are_no_reason_to_turn_it(vrm: str) -> None:
    a = load_bytes(sides_swapped(turned(plain(vrm), 180)), "x.vrm")
    assert a.turn == USUAL[vrm] and not a.front_known
    assert yaws(a) == {"arms": 0, "feet": 180, "eyes": 180, "face": 180}
    assert len(a.oddities) == 1 and "it may not face +Z (arms at 0°, feet at 180°" in a.oddities[0].replace("-", "")


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_any_other_angle_is_reported_and_left(vrm: str) -> None:
    a = load_bytes(turned(plain(vrm), 30), "x.vrm")
    assert a.turn == USUAL[vrm] and not a.front_known
    assert yaws(a) == {"arms": 30, "feet": 30, "eyes": 30, "face": 30}
    assert a.oddities[0].startswith("it may not face +Z (arms at 30°, feet at 30°, eyes at 30°, face at 30°)")


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_the_front_is_found_without_toe_and_eye_bones(vrm: str) -> None:
    a = load_bytes(turned(without(plain(vrm), *PAIRS), 180), "x.vrm")
    assert a.turn == 180 - USUAL[vrm] and yaws(a) == {"arms": 0, "feet": 0, "face": 0}


def test_a_face_without_expressions_is_where_the_head_has_most_detail() -> None:
    bare = replace(built_in("1"), expressions={})
    assert front_signs(bare).face == pytest.approx(0, abs=10)
    assert front_signs(with_turn(bare, 90)).face == pytest.approx(90, abs=10)


def test_arms_alone_count_where_nothing_else_can_be_read() -> None:
    """A stick figure: its left is its left, whichever version."""

    def turn_away(doc: Doc) -> None:
        doc["nodes"][0]["rotation"] = [0, 1, 0, 0]

    for make, turn in ((vrm0, 0), (vrm1, 180)):
        a = load_bytes(changed(turn_away, make), "x.vrm")
        assert [name for name, _ in front_signs(a).measured()] == ["arms"]
        assert a.turn == turn and len(a.oddities) == 1 and a.front_known


def test_arms_at_one_position_have_no_sides() -> None:
    def change(doc: Doc) -> None:
        for node in doc["nodes"]:
            if "Arm" in node["name"] or "Hand" in node["name"]:
                node["translation"] = [0, 0, 0]

    a = load_bytes(changed(change), "x.vrm")
    assert front_signs(a) == FrontSigns(None, None, None, None) and a.turn == 0 and a.front_known


@pytest.mark.parametrize(
    ("signs", "quarter"),
    [
        (FrontSigns(0, 0, 0, 0), 0),
        (FrontSigns(180, -170, 150, None), 180),
        (FrontSigns(-88, -80, -110, -60), -90),
        (FrontSigns(92, None, None, None), 90),
        (FrontSigns(19, 0, 0, 0), 0),
        (FrontSigns(21, 20, 20, 20), None),  # the arms are too far from any quarter
        (FrontSigns(0, 36, 0, 0), None),  # the feet are
        (FrontSigns(180, 180, 180, 0), None),
        (FrontSigns(180, 0, 0, 0), None),
        (FrontSigns(None, 180, 180, 180), None),
    ],
)
def test_all_signs_have_to_agree(signs: FrontSigns, quarter: int | None) -> None:
    assert signs.common_quarter() == quarter


def test_angles_snap_to_the_nearest_quarter_turn() -> None:
    degrees = (0, 44, 46, 134, 136, 180, -180, -136, -134, -46, -44, 360, 450)
    assert [nearest_quarter(d) for d in degrees] == [0, 0, 90, 90, 180, 180, 180, 180, -90, -90, 0, 0, 90]


def test_gravity_turns_with_the_file() -> None:
    def gravity(a: Avatar) -> tuple[float, ...]:
        return a.springs[0].joints[0].gravity_dir

    def change(doc: Doc) -> None:
        doc["nodes"][0]["rotation"] = [0, 1, 0, 0]
        doc["extensions"].setdefault("VRMC_springBone", {}).get("springs", [{"joints": [{}]}])[0]["joints"][0][
            "gravityDir"
        ] = [0.1, -1, 0.2]

    # VRM 0.x: Unity's axes, z mirrored in the nodes; a half turn mirrors x and z
    assert gravity(load_bytes(changed(lambda doc: None, vrm0), "x.vrm")) == (-0.1, -1, 0.2)
    unturned = load_bytes(changed(change, vrm0), "x.vrm")
    assert gravity(unturned) == (0.1, -1, -0.2)
    assert gravity(as_three_vrm(unturned)) == (0.1, -1, 0.2)
    backward = load_bytes(changed(change), "x.vrm")
    assert backward.turn == 180 and gravity(backward) == (-0.1, -1, -0.2)
    assert gravity(with_turn(backward, 90)) == (0.2, -1, -0.1)
    assert gravity(as_three_vrm(backward)) == (0.1, -1, 0.2)


@pytest.mark.parametrize("vrm", ["0", "1"])
@pytest.mark.parametrize("by", [90, 180])
def test_three_vrm_turns_by_the_version_alone(vrm: str, by: float) -> None:
    theirs = as_three_vrm(load_bytes(turned(plain(vrm), by), "x.vrm"))
    assert theirs.turn == USUAL[vrm]
    assert yaws(theirs) == dict.fromkeys(("arms", "feet", "eyes", "face"), by)
    assert theirs.nodes[theirs.scene_nodes[0]].name == ("half turn to face +Z" if vrm == "0" else "above")


def test_turning_there_and_back_changes_nothing() -> None:
    a = built_in("1")
    b = with_turn(with_turn(with_turn(a, 90), 180), 0)
    assert b.nodes == a.nodes and b.scene_nodes == a.scene_nodes and b.springs == a.springs and b.turn == 0
    assert len(with_turn(with_turn(a, 90), -90).nodes) == len(a.nodes) + 1
    assert with_turn(a, 0) is a


def test_nodes_outside_the_scene_are_not_turned() -> None:
    def change(doc: Doc) -> None:
        doc["nodes"].append({"name": "outside"})

    a = load_bytes(changed(change, vrm0), "x.vrm")
    assert a.nodes[STRAND + 2].name == "outside" and a.nodes[STRAND + 2].parent == -1
    assert a.turn == 180 and a.scene_nodes[0] == STRAND + 3


@pytest.mark.parametrize(
    ("by", "words", "azimuth"), [(90, True, 0), (30, False, None), (0, True, 0)], ids=["quarter", "other", "none"]
)
def test_captions_state_the_front_only_if_it_is_known(by: float, words: bool, azimuth: float | None) -> None:
    a = load_bytes(turned(plain("1"), by), "x.vrm")
    r = Recipe.model_validate(
        {"avatars": ["demo"], "count": 1, "poses": "stand", "views": "full_front_level", "jitter": {"camera": 0}}
    )
    planned = plan_shot(r, 0, lambda _: a)
    facts = observe_drawn(planned)
    view = facts.view
    assert (view.azimuth is None, view.face_azimuth is None) == (azimuth is None, azimuth is None)
    assert azimuth is None or abs(view.azimuth or 0.0) < 1.0
    assert (view.body, "front" in caption(facts)) == ("front" if words else "", words), caption(facts)


def test_a_figure_scaled_beyond_numbers_is_read_without_a_complaint() -> None:
    data = plain("1")
    for _ in range(40):
        data = under_root(data, scale=[1e9, 1e9, 1e9])
    a = load_bytes(data, "x.vrm")
    assert a.turn == 0 and front_signs(a) == FrontSigns(None, None, None, None) and a.oddities == ()


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("path", avatar_files(), ids=lambda p: p.stem)
def test_shared_avatars_face_the_direction_of_their_version(path) -> None:
    """All were looked at from the front; armature_transform lies askew, and is reported."""
    assert CORPUS is not None
    a = load(path)
    askew = path.stem == "addon_armature_transform"
    assert a.turn == USUAL[a.vrm_version] and a.front_known != askew and not a.rest_corrections
    reported = [o for o in a.oddities if "+Z" in o or "T-pose" in o]
    assert len(reported) == (2 if askew else 0), reported


HUMAN = ("bizdude", "crimsom", "m_expressive", "robot", "v1_samplebot", "zombie")


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("name", HUMAN)
def test_turned_and_mirrored_shared_avatars_are_recognized(name: str) -> None:
    assert CORPUS is not None
    data = (CORPUS / "avatars" / f"{name}.vrm").read_bytes()
    a = load_bytes(data, "x.vrm")
    for by in (180, -90):
        b = load_bytes(turned(data, by), "x.vrm")
        assert b.turn == nearest_quarter(a.turn - by) and b.front_known
        np.testing.assert_allclose(positions(b), positions(a), atol=1e-5)
    for change in (sides_swapped, mirrored):
        b = load_bytes(change(data), "x.vrm")
        assert b.turn == a.turn and "its left bones are on its right side" in b.oddities[-1]
