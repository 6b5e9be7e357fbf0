"""Captions: every statement follows from a choice or an observation, and agrees with the picture's geometry."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest

from tests.observe_drawn import observe_drawn
from vrm_synth.builtin_avatar import facts as demo_facts
from vrm_synth.builtin_avatar import variant
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.views import load_azimuths, load_elevations
from vrm_synth.caption import english, facts
from vrm_synth.caption.english import wording
from vrm_synth.caption.facts import azimuth_name, elevation_name
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.observations import Observations
from vrm_synth.stage.backgrounds import NAMES

opened = cache(open_avatar)
CHOICES = Choices(
    character="Mio", noun="a girl", outfit="navy hoodie and shorts", background="light blue", wording=1,
)  # fmt: skip
OBSERVATIONS = Observations(
    framing="bust", face_in_sight=True, hair="long pink hair", eyes="blue eyes",
    phrases=("waving with the right hand",), expression="happy", gaze="viewer", azimuth=0.0, elevation=0.0,
    face_azimuth=0.0, face_elevation=0.0,
)  # fmt: skip


def changed(**changes: Any) -> tuple[Choices, Observations]:
    """CHOICES and OBSERVATIONS with other values."""
    of_choices = {f.name for f in fields(Choices)} - {"expression", "gaze"}
    chosen = {name: value for name, value in changes.items() if name in of_choices}
    observed = {name: value for name, value in changes.items() if name not in of_choices}
    return replace(CHOICES, **chosen), replace(OBSERVATIONS, **observed)


def every_wording(**changes: Any) -> list[str]:
    return [english(*changed(**changes, wording=n)) for n in range(60)]


def test_a_complete_caption() -> None:
    captions = {english(*changed(wording=n)) for n in range(3000)}
    assert (
        "An upper-body picture of Mio, a girl with long pink hair and blue eyes in a navy hoodie, waving with the "
        "right hand, looking happy, looking at the viewer, front view, light blue background."
    ) in captions
    for s in captions:
        assert re.fullmatch(r"[A-Z][^{}\"\n]*[^ ,]\.", s) and "  " not in s and ",," not in s and " ," not in s
        for fact in (
            "Mio",
            "girl",
            "long pink hair and blue eyes",
            "hoodie",
            "waving with the right hand",
            "light blue",
        ):
            assert s.count(fact) == 1
        assert "shorts" not in s  # below the picture's edge


def test_the_wording_varies_and_depends_on_the_shot_alone() -> None:
    assert len(set(every_wording())) > 30
    assert english(CHOICES, OBSERVATIONS) == english(replace(CHOICES), replace(OBSERVATIONS))


def test_a_caption_without_facts_states_none() -> None:
    for s in (english(Choices(), Observations()), english(Choices(wording=5), Observations())):
        assert re.fullmatch(r"(A picture|An image) of a character, (on a plain|simple) background\.", s), s


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        ({"phrases": ()}, "waving"),
        ({"expression": ""}, "happ"),
        ({"expression": "NotInTheWords"}, "happ"),
        ({"gaze": ""}, "viewer"),
        ({"face_in_sight": False}, "eyes,"),
        ({"framing": "full"}, "blue eyes"),  # too small to see
        ({"framing": "face"}, "hoodie"),
        ({"framing": ""}, "upper-body"),
        ({"framing": ""}, "hair"),
        ({"character": ""}, "Mio"),
        ({"background": "#123456"}, "#"),
    ],
)
def test_each_fact_needs_its_choice_or_observation(change: dict[str, Any], absent: str) -> None:
    assert not any(absent in s for s in every_wording(**change))


@pytest.mark.parametrize("name", load_azimuths())
def test_sides_in_captions_are_the_avatars(name: str) -> None:
    a = load_azimuths()[name]
    for degrees in (a.degrees - a.spread, a.degrees, a.degrees + a.spread):
        assert azimuth_name(degrees) == name
        for s in every_wording(azimuth=degrees, phrases=()):
            assert ("left" in s, "right" in s) == (20 < degrees < 160, -160 < degrees < -20), s
            assert ("behind" in s or "back view" in s) == (abs(degrees) > 160)
            assert ("front" in s) == (abs(degrees) < 15)


@pytest.mark.parametrize("name", load_elevations())
def test_each_elevation_is_worded_by_its_height(name: str) -> None:
    e = load_elevations()[name]
    for degrees in (e.degrees - e.spread, e.degrees, e.degrees + e.spread):
        assert elevation_name(degrees) == name
        for s in every_wording(elevation=degrees):
            assert ("above" in s or "high angle" in s) == (name == "high")
            assert ("below" in s or "low angle" in s) == (name == "low")


def test_azimuths_wrap_around() -> None:
    assert [azimuth_name(d) for d in (0, 360, -360, 90, 450, -90, 270, 180, -180, 130, -130)] == [
        "front", "front", "front", "side_left", "side_left", "side_right", "side_right", "back", "back",
        "behind_left", "behind_right",
    ]  # fmt: skip


def test_a_close_up_has_the_angles_of_the_face() -> None:
    """A head turned to the camera at its side is a face seen from the front."""
    turned = {"azimuth": 90.0, "face_azimuth": 5.0}
    assert facts(*changed(**turned, framing="face")).azimuth == "front"
    assert facts(*changed(**turned, framing="bust")).azimuth == "side_left"
    bent = {"elevation": 0.0, "face_elevation": 40.0}
    assert facts(*changed(**bent, framing="face")).elevation == "high"
    assert facts(*changed(**bent, framing="bust")).elevation == "level"
    assert all("above" in s or "high angle" in s for s in every_wording(**bent, framing="face"))


def test_every_azimuth_elevation_framing_and_expression_has_a_wording() -> None:
    w = wording()
    names = {azimuth_name(d) for d in range(-180, 180)}
    assert names == w.azimuth.keys()
    assert {elevation_name(d) for d in range(-60, 60)} - {"level"} == w.elevation.keys()
    assert w.framing.keys() == {"face", "bust", "cowboy", "full", "part"}
    assert set(Recipe.model_fields["expressions"].default) - {"neutral"} <= w.expression.keys()
    for background in (*NAMES, "transparent"):
        assert all(background in s for s in every_wording(background=background))


def test_left_and_right_in_real_captions_agree_with_the_bones() -> None:
    """Over many shots of a one-handed pose: the hand that is named is the hand that is up."""
    r = Recipe.model_validate({
        "avatars": ["demo"], "count": 400, "poses": ["wave", "peace", "thumbs_up"], "azimuths": "front",
        "crops": ["full", "cowboy"], "settle_seconds": None,
    })  # fmt: skip
    from vrm_synth.pose.evaluate import evaluate

    sides = set()
    for i in range(16):
        planned = plan_shot(r, i, opened)
        s, caption = planned.shot, english(planned.shot.choices, observe_drawn(planned))
        where = evaluate(opened("demo"), bones=s.figure.bones, hips_offset=s.figure.hips_offset).bone_positions()
        up = "left" if where["leftHand"][1] > where["rightHand"][1] else "right"
        assert re.search(rf"with the {up} hand", caption), caption
        sides.add(up)
    assert sides == {"left", "right"}


def test_captions_of_the_built_in_family_match_its_parameters() -> None:
    r = Recipe.model_validate({
        "avatars": ["demo:0..7"], "count": 8, "crops": "full", "settle_seconds": None, "poses": "stand",
    })  # fmt: skip
    known = {f"demo:{i}": demo_facts(variant(i)) for i in range(8)}
    # Only the words are looked at, so one member stands in for all.
    for i in range(8):
        planned = plan_shot(r, i, lambda source: opened("demo"))
        s, caption = planned.shot, english(planned.shot.choices, observe_drawn(planned))
        for key in ("name", "outfit"):
            assert known[s.figure.avatar][key] in caption
        tied = known[s.figure.avatar]["hair_style"] in (
            "ponytail",
            "twintails",
        )
        hair = f"{known[s.figure.avatar]['hair'].split()[0]} hair" if tied else known[s.figure.avatar]["hair"]
        assert f" {hair} " in caption


def test_articles_are_right() -> None:
    for hair, outfit in itertools.product(("a pink ponytail", "long hair"), ("orange dress", "navy dress")):
        for s in every_wording(hair=hair, outfit=outfit):
            assert not re.search(r"\ba [aeiou]", s) and not re.search(r"\ban [^aeiou]", s.lower()), s


@pytest.mark.parametrize("background", NAMES)
def test_backgrounds_have_the_right_article(background: str) -> None:
    captions = every_wording(background=background)
    assert any(f"against {'an' if background[0] in 'aeiou' else 'a'} {background} background" in s for s in captions)
    assert not any(re.search(r"\b(a [aeiou]|an [^aeiou])", s) for s in captions)
