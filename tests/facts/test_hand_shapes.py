"""Shapes of hands: those of the hand files' angles, where a picture lets a viewer read them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import vrm_synth as vs
from tests.corpus import CORPUS, needs_corpus
from tests.facts.drawing import draw
from vrm_synth.camera.camera import Camera
from vrm_synth.facts.body_state import BodyState
from vrm_synth.pose.pose_library import Pose, load_hands
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.vrm.avatar import Avatar


@cache
def demo() -> Avatar:
    return vs.demo_avatar(1)


def by_degrees(hand: str) -> str:
    """The shape by the file's angles alone."""
    files = load_hands()[hand]
    bend = {f: -files[f"{f}Proximal"][2] - files[f"{f}Intermediate"][2] for f in ("Index", "Middle", "Ring", "Little")}
    shut = "".join("x" if b > 150 else "-" if b < 15 else "?" for b in bend.values())
    thumb_across = sum(files[f"Thumb{j}"][1] for j in ("Metacarpal", "Proximal", "Distal")) > 40
    return {"----": "open", "-xxx": "point", "--xx": "peace", "xxxx": "fist" if thumb_across else "thumb_up"}.get(
        shut, ""
    )


def raised(hand: str) -> Pose:
    """Both hands held forward, the thumb's side up, palms to the middle."""
    return Pose.from_degrees(hands=hand, bothUpperArm=(0, 0, -70), bothLowerArm=(0, -80, 0))


def shapes(hand: str, avatar: Avatar, azimuth: float = 0.0, distance: float = 1.2) -> set[str]:
    """What is said of the left hand, from an azimuth around it; 0 is in front."""
    body = pose_body(avatar, raised(hand))
    at = body.posed.bone_positions()["leftMiddleProximal"]
    a = np.radians(azimuth)
    camera = Camera(tuple(at + distance * np.array([np.sin(a), 0.0, np.cos(a)])), tuple(at), fov_y=25.0)
    return {BodyState.of(draw(avatar, body, camera)[0]).left_hand}


@pytest.mark.parametrize("hand", load_hands())
def test_a_hand_has_the_shape_of_its_angles(hand: str) -> None:
    found = set().union(*(shapes(hand, demo(), azimuth) for azimuth in (45.0, 70.0, 90.0)))
    assert by_degrees(hand) in found and found <= {by_degrees(hand), ""}


@needs_corpus
@pytest.mark.parametrize("name", ["bizdude", "crimsom", "zombie", "cool_banana", "m_expressive"])
def test_hands_of_strangers_have_the_shapes_of_their_angles(name: str) -> None:
    assert CORPUS is not None
    avatar = vs.load(CORPUS / "avatars" / f"{name}.vrm")
    for hand in ("fist", "peace", "point", "spread", "cup", "grip"):
        found = set().union(*(shapes(hand, avatar, azimuth) for azimuth in (45.0, 70.0, 90.0)))
        assert found <= {by_degrees(hand), ""}, hand


def test_a_small_hand_is_not_read() -> None:
    assert shapes("fist", demo(), 45.0, 1.2) == {"fist"}
    assert shapes("fist", demo(), 45.0, 12.0) == {""}


def test_a_mitten_has_no_shape() -> None:
    avatar = vs.demo_avatar(2)
    drawn = draw(avatar, raised("fist"), "full_side_left_level")[0]
    index = drawn.view.parts.of_bones("leftIndexProximal", "leftIndexIntermediate", "leftIndexDistal")
    drawn.view.parts.direct[index] = False
    assert BodyState.of(drawn).left_hand == ""
    assert BodyState.of(draw(demo(), raised("fist"), "full_side_left_level")[0]).left_hand == "fist"


def test_a_peace_sign_seen_edge_on_or_end_on_is_not_read() -> None:
    assert shapes("peace", demo(), 80.0) == {"peace"}
    assert shapes("peace", demo(), 0.0) == {""}
    assert shapes("fist", demo(), 0.0) == {"fist"}
