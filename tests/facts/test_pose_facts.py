"""Facts of poses: true by joints and by ray casts, in agreement with each other, silent between two names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from scipy.spatial import KDTree

import vrm_synth as vs
from tests.corpus import CORPUS, needs_corpus
from tests.facts.drawing import draw
from vrm_synth.appearance.surface_groups import region_name
from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import Array
from vrm_synth.facts.body_state import BodyState
from vrm_synth.facts.facts import HandShape, PoseFacts
from vrm_synth.facts.pose_facts import pose_facts
from vrm_synth.parts.surface import measure_surface
from vrm_synth.pose.pose_library import Pose, load_poses
from vrm_synth.render.base import Frame
from vrm_synth.shot.body_parts import bones_of_nodes
from vrm_synth.shot.body_view import BodyView
from vrm_synth.vrm.avatar import Avatar

SKINNED = ["bizdude", "boombox7", "boombox_export4", "cool_banana", "crimsom"]
SKINNED += ["m_expressive", "robot", "skinnie4", "v1_samplebot", "zombie"]
SIDES = ("left", "right")


@cache
def demo() -> Avatar:
    return vs.demo_avatar(0)


@cache
def shared(name: str) -> Avatar:
    assert CORPUS is not None
    return vs.load(CORPUS / "avatars" / f"{name}.vrm")


def seen(pose: Pose | str, view: str | Camera = "full_front_level", avatar: Avatar | None = None) -> PoseFacts:
    named = load_poses()[pose] if isinstance(pose, str) else pose
    return pose_facts(BodyState.of(draw(avatar or demo(), named, view)[0]), named)


def said(facts: PoseFacts) -> list[str]:
    return [p.en for p in facts.phrases]


# ---------------------------------------------------------------- by construction: what each pose's file describes

POSTURES = {
    "sitting": ["hug_knees", "sit_chair", "sit_cross_legged", "sit_crossed_legs", "sit_floor", "sit_sideways"],
    "kneeling": ["kneel", "seiza"],
    "crouching": ["crouch"],
    "midair": ["jump"],
    "": ["lunge", "run"],
}
ARMS = {
    "arms_behind_back": ("behind_back", "behind_back"),
    "arms_crossed": ("crossed", "crossed"),
    "arms_wide": ("out", "out"),
    "banzai": ("raised", "raised"),
    "cheer": ("raised", "raised"),
    "dance": ("raised", "out"),
    "heart_overhead": ("raised", "raised"),
    "jump": ("raised", "raised"),
    "point_forward": ("down", "forward"),
    "stand": ("down", "down"),
    "stretch": ("raised", "raised"),
    "t_pose": ("out", "out"),
    "wave_high": ("down", "raised"),
    **dict.fromkeys(("a_pose", "prayer", "hands_clasped", "hands_on_hips", "shy", "bow"), ("", "")),
}


@pytest.mark.parametrize("name", load_poses())
def test_the_posture_is_the_one_that_the_file_makes(name: str) -> None:
    expected = next((posture for posture, names in POSTURES.items() if name in names), "standing")
    views = ("full_front_level", "full_three_quarter_left_level", "full_three_quarter_right_level")
    found = [seen(name, view).posture for view in views]
    assert set(found) <= {expected, ""}
    assert expected in found


@pytest.mark.parametrize(("name", "arms"), ARMS.items())
def test_arms_go_where_the_file_sends_them(name: str, arms: tuple[str, str]) -> None:
    facts = seen(name)
    assert (facts.left_arm, facts.right_arm) == arms


def test_a_mirror_image_has_mirrored_facts() -> None:
    pose = load_poses()["wave_high"].mirror()
    facts = seen(pose)
    assert (facts.left_arm, facts.right_arm) == ("raised", "down")
    assert said(facts) == ["waving with the left hand raised high"]


@pytest.mark.parametrize(
    ("degrees", "name"),
    [(0, "upright"), (12, ""), (22, "leaning_forward"), (33, ""), (50, "bending_forward"), (-25, "leaning_back")],
)
def test_a_lean_has_its_name_and_dead_bands(degrees: float, name: str) -> None:
    pose = Pose.from_degrees(hips=(degrees, 0, 0), bothUpperLeg=(-degrees, 0, 0), bothUpperArm=(0, 0, -74))
    assert seen(pose, "full_side_left_level").torso == name


def test_a_lean_toward_the_camera_is_not_told() -> None:
    pose = Pose.from_degrees(hips=(22, 0, 0), bothUpperLeg=(-22, 0, 0), bothUpperArm=(0, 0, -74))
    assert seen(pose, "full_front_level").torso == ""


@pytest.mark.parametrize(("degrees", "name"), [(-10, "crossed"), (-4, "together"), (0, ""), (8, ""), (22, "apart")])
def test_legs_have_names_and_dead_bands(degrees: float, name: str) -> None:
    pose = Pose.from_degrees(
        leftUpperLeg=(-14 if degrees < -5 else 0, 0, degrees), rightUpperLeg=(0, 0, -degrees), bothUpperArm=(0, 0, -74)
    )
    assert seen(pose).legs == name


def test_a_lifted_leg_is_told_by_its_side() -> None:
    assert seen("one_leg_up", "full_side_left_level").legs == "left_lifted"
    assert seen(load_poses()["one_leg_up"].mirror(), "full_side_right_level").legs == "right_lifted"


def test_one_who_lies_is_lying() -> None:
    pose = Pose.from_degrees(hips=(-90, 0, 0), bothUpperArm=(0, 0, -74))
    facts = seen(pose, "full_side_left_high")
    assert (facts.posture, facts.torso, facts.left_arm) == ("lying", "", "")


def test_looking_back_needs_a_camera_behind() -> None:
    assert seen("looking_back", "full_back_level").looking_back
    assert said(seen("looking_back", "full_back_level")) == ["looking back over the left shoulder"]
    for view in ("full_front_level", "full_side_left_level"):
        assert not seen("looking_back", view).looking_back
        assert "looking back over the left shoulder" not in said(seen("looking_back", view))
    assert not seen("stand", "full_back_level").looking_back


def test_what_the_body_hides_is_not_told() -> None:
    for name in ("hand_on_chest", "hands_clasped", "arms_crossed", "thinking", "shy"):
        facts = seen(name, "full_back_level")
        assert not said(facts) and (facts.left_arm, facts.right_arm) != ("crossed", "crossed")
    assert seen("stand", "bust_front_level").posture == ""
    assert seen("sit_chair", "face_front_level") == PoseFacts()
    assert not [t for t in said(seen("hand_to_mouth", "bust_back_level")) if "mouth" in t]


def test_a_posture_is_told_where_the_legs_that_make_it_are_seen() -> None:
    for view in ("cowboy_front_level", "cowboy_three_quarter_right_level"):
        assert seen("jump", view).posture == ""
        assert seen("kick", view).posture == ""
        assert seen("kneel", view).posture in ("", "kneeling")
    assert seen("kneel", "bust_front_level").posture == ""


def test_a_fallback_is_said_where_hands_do_not_meet() -> None:
    heart = load_poses()["heart_overhead"]
    apart = Pose(heart.name, heart.phrases, bones={b: q for b, q in heart.bones.items() if "Hand" not in b})
    assert said(seen(heart)) == ["making a big heart with both arms overhead"]
    assert said(seen(apart)) == ["with both arms raised over the head"]


@needs_corpus
def test_stubs_of_legs_are_not_read() -> None:
    for name in ("sit_chair", "lunge", "kneel", "curtsy", "crouch", "kick"):
        facts = seen(name, "full_three_quarter_right_level", shared("boombox7"))
        assert facts.posture in ("", "standing") and not facts.legs
        assert not [t for t in said(facts) if re.search("sitting|lunge|kneel|curtsy|crouch|kick", t)]


# ---------------------------------------------------------------- by other code, on every avatar and pose


@cache
def pictures(avatar_name: str) -> list[tuple[str, str, PoseFacts, dict[str, HandShape], BodyView, Frame]]:
    avatar = demo() if avatar_name == "demo" else shared(avatar_name)
    out = []
    for k, (name, pose) in enumerate(load_poses().items()):
        view = ("full_front_level", "full_three_quarter_left_level", "full_three_quarter_right_level")[k % 3]
        drawn, frame = draw(avatar, pose, view, (256, 256), geometry=True)
        state = BodyState.of(drawn)
        hands: dict[str, HandShape] = {"left": state.left_hand, "right": state.right_hand}
        out.append((name, view, pose_facts(state, pose), hands, drawn.view, frame))
    return out


EVERYONE = ["demo", *(pytest.param(n, marks=needs_corpus) for n in SKINNED)]

# Words of phrases → what geometry may say beside them.
AGREES = {
    r"\bsitting\b": ("posture", {"sitting"}),
    r"\bkneeling\b": ("posture", {"kneeling"}),
    r"\bcrouching\b": ("posture", {"crouching"}),
    r"\bstanding\b|on one leg|\bwalking\b": ("posture", {"standing"}),
    r"\bjumping\b": ("posture", {"midair"}),
    r"\brunning\b": ("posture", {"midair"}),
    r"\b(bowing|leaning forward)\b": ("torso", {"bending_forward", "leaning_forward"}),
    r"\bleaning back\b": ("torso", {"leaning_back"}),
    r"\bupright\b": ("torso", {"upright"}),
    r"\blegs crossed\b": ("legs", {"crossed"}),
    r"\barms (overhead|in the air|raised|up)\b": ("left_arm", {"raised"}),
    r"\bcrossed arms\b": ("left_arm", {"crossed"}),
    r"\bhands behind the back\b": ("right_arm", {"behind_back"}),
    r"\barms at the sides\b": ("left_arm", {"down"}),
    r"\barms (straight out|spread)": ("right_arm", {"out"}),
}
SHAPES = {r"\bfists?\b": "fist", r"\bpeace sign": "peace", r"\bpointing\b": "point", r"\bthumbs up\b": "thumb_up"}


@pytest.mark.parametrize("avatar", EVERYONE)
def test_phrases_and_geometry_never_contradict(avatar: str) -> None:
    for name, view, facts, hands, _, _ in pictures(avatar):
        for text in said(facts):
            for words, (field, names) in AGREES.items():
                if re.search(words, text):
                    assert getattr(facts, field) in {*names, ""}, (name, view, text, field)
            for words, shape in SHAPES.items():
                if re.search(words, text):
                    sides = SIDES if "both" in text else [s for s in SIDES if s in text]
                    assert all(hands[s] == shape for s in sides), (name, view, text)
        assert len(set(said(facts))) == len(facts.phrases)


@pytest.mark.parametrize("avatar", EVERYONE)
def test_hands_that_are_told_are_seen_by_rays_and_touch_by_all_their_vertices(avatar: str) -> None:
    model = demo() if avatar == "demo" else shared(avatar)
    surface = measure_surface(model)
    bone = bones_of_nodes(model)[0][surface.lead]
    regions = np.array([region_name(int(b)) for b in bone])
    for name, view, facts, _, body, frame in pictures(avatar):
        assert frame.geometry is not None
        hits = frame.geometry.triangle[frame.geometry.triangle >= 0]
        for text in said(facts):
            for side in hands_of(text):
                if "behind the back" not in text and "behind the head" not in text:
                    end = f"{side}Hand" if f"{side}Hand" in regions else f"{side}LowerArm"  # of arms without hands
                    assert np.count_nonzero(regions[hits] == end) >= 12, (name, view, text)
            touch = re.search(r"clasped|pressed|joined|together|on the (hips?|chest|thighs)|in the lap|hugging", text)
            if touch:
                one, other = partners(touch[0], body)
                gap = float(KDTree(one).query(other)[0].min()) / body.parts.hips_height
                assert gap <= 0.045, (name, view, text, gap)


def hands_of(text: str) -> Iterator[str]:
    if re.search(r"\bboth (hands|fists|palms)", text):
        yield from SIDES
    elif found := re.search(r"\b(left|right) (hand|fist)", text):
        yield found[1]


def partners(touch: str, body: BodyView) -> tuple[Array, Array]:
    vertices = lambda *bones: body.vertices[body.parts.of_bones(*bones)]  # noqa: E731
    hands = [body.vertices[body.bone_vertices(f"{s}Hand")] for s in SIDES]
    legs = [f"{s}{b}" for s in SIDES for b in ("UpperLeg", "LowerLeg")]
    if re.search(r"hips?|chest", touch):
        return np.concatenate(hands), vertices("hips", "spine", "chest", "upperChest", *legs)
    return (np.concatenate(hands), vertices(*legs)) if re.search("lap|thigh|hug", touch) else (hands[0], hands[1])


@pytest.mark.parametrize("avatar", EVERYONE)
def test_heights_that_are_told_hold_for_the_joints(avatar: str) -> None:
    for name, view, facts, _, body, _ in pictures(avatar):
        joints = body.posed.bone_positions()
        top = {s: joints[f"{s}Hand"][1] for s in SIDES}
        for text in said(facts):
            if re.search(r"raised high|overhead|over the head|in the air", text) and hand_words(text):
                assert all(top[s] > joints["head"][1] - 0.02 for s in hand_words(text)), (name, view, text)
            if re.search(r"in front of the chest", text):
                neck = joints.get("neck", joints["head"])[1]
                assert all(top[s] < neck + 0.05 for s in hand_words(text)), (name, view, text)
        for side, arm in (("left", facts.left_arm), ("right", facts.right_arm)):
            shoulder = joints[f"{side}UpperArm"][1]
            if arm == "raised":
                assert top[side] > shoulder, (name, view)
            if arm == "down":
                assert top[side] < shoulder, (name, view)


def hand_words(text: str) -> list[str]:
    return list(SIDES) if "both" in text else [s for s in SIDES if re.search(rf"\b{s} (hand|arm|fist)", text)]


# ---------------------------------------------------------------- what the picture's edge cuts


def test_upper_arms_tell_arms_that_the_edge_cuts() -> None:
    facts = seen("t_pose", "bust_front_level")
    assert (facts.left_arm, facts.right_arm) == ("out", "out")
    assert said(facts) == ["in a T-pose with both arms straight out to the sides"]
    hanging = seen("stand", "face_front_level")
    assert (hanging.left_arm, hanging.right_arm) == ("", "")


def test_a_hidden_hand_behind_the_back_is_told_by_the_other_that_holds_it() -> None:
    facts = seen("arms_behind_back", "cowboy_side_right_level")
    assert said(facts) == ["with both hands behind the back"]
    assert (facts.left_arm, facts.right_arm) == ("behind_back", "behind_back")


@pytest.mark.parametrize(
    ("pose", "text"),
    [
        ("run", "running"),
        ("arabesque", "balancing on one leg with the other stretched out behind"),
        ("sit_floor", "sitting on the floor with the legs stretched out"),
        ("seiza", "kneeling on the floor"),
    ],
)
def test_thighs_tell_a_pose_whose_feet_the_edge_cuts(pose: str, text: str) -> None:
    views = [f"cowboy_{side}_level" for side in ("side_right", "three_quarter_left", "three_quarter_right")]
    found = [said(seen(pose, view)) for view in views]
    assert any(t.startswith(text) for texts in found for t in texts), found


def test_pointing_is_straight_ahead_for_a_camera_at_the_arm_s_height_alone() -> None:
    assert said(seen("point_forward", "full_side_right_low"))[:1] == ["pointing with the right hand"]
    assert seen("point_forward", "full_three_quarter_right_low").right_arm == ""
