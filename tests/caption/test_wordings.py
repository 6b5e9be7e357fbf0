"""Wordings of single facts in English, Japanese and tags, as native readers asked for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vrm_synth.caption import STYLES, CaptionSettings, caption
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.tags import tags
from vrm_synth.facts.facts import (
    CharacterFacts,
    FaceFacts,
    Facts,
    HairFacts,
    Item,
    PhraseFact,
    PoseFacts,
    SkinFacts,
    ViewFacts,
)

ENGLISH = ("en_short", "en", "en_long")
WHOLE = {style: CaptionSettings(style=style, max_tokens=None) for style in STYLES}
DEFAULT = {style: CaptionSettings(style=style) for style in STYLES}


def test_what_has_no_color_never_stands_after_a_color_that_would_be_read_into_it() -> None:
    clothes = (Item("sweater"), Item("trousers", ("black",)), Item("shoes"))
    facts = Facts(character=CharacterFacts(kind="man"), garments=clothes)
    assert "wearing a sweater, shoes and black trousers" in caption(facts, WHOLE["en"])
    assert "黒いズボンに靴をはいた男性" in caption(facts, WHOLE["ja"])


def test_jacket_and_trousers_of_a_suit_are_a_suit_where_they_have_one_color() -> None:
    navy = (Item("suit_jacket", ("navy",)), Item("shirt", ("white",)), Item("trousers", ("navy",)))
    facts = Facts(character=CharacterFacts(kind="man"), garments=navy)
    assert "wearing a navy blue suit and a white shirt" in caption(facts, WHOLE["en"])
    assert "紺色のスーツに白いシャツを着た男性" in caption(facts, WHOLE["ja"])
    assert "blue suit, suit, formal clothes, white shirt, shirt" in caption(facts, WHOLE["tags"])
    other = replace(facts, garments=(*navy[:2], Item("trousers", ("black",))))
    assert "a navy blue suit jacket, a white shirt and black trousers" in caption(other, WHOLE["en"])


@pytest.mark.parametrize(
    ("kind", "english", "japanese", "tag"),
    [
        ("zombie", "a zombie with gray skin", "グレーの肌のゾンビ", True),
        ("robot", "a robot with a gray body", "グレーのロボット", False),
        ("banana", "a gray banana character", "グレーのバナナのキャラクター", False),
    ],
)
def test_a_color_is_said_of_skin_only_where_there_is_skin(kind: str, english: str, japanese: str, tag: bool) -> None:
    facts = Facts(character=CharacterFacts(kind=kind), skin=SkinFacts(color="gray"))
    assert english in caption(facts, WHOLE["en"]) and japanese in caption(facts, WHOLE["ja"])
    assert ("colored skin" in caption(facts, WHOLE["tags"])) == tag


def test_what_is_held_is_carried_and_not_a_part_of_the_looks() -> None:
    facts = Facts(character=CharacterFacts(kind="girl"), hair=HairFacts(("green",)), accessories=(Item("backpack"),))
    assert "a girl with green hair, carrying a backpack" in caption(facts, WHOLE["en"])
    assert "リュックを背負っている" in caption(facts, WHOLE["ja"])


def test_a_view_from_above_in_japanese_is_not_the_figures_own_look() -> None:
    for height, expected in (("high", "上から見下ろした全身"), ("low", "下から見上げた全身")):
        facts = Facts(framing="full_body", view=ViewFacts(height=height))  # type: ignore[arg-type]
        assert expected in caption(facts, WHOLE["ja"])


@pytest.mark.parametrize(
    ("phrases", "rest", "expected"),
    [
        (("走っている", "running"), {"left_hand": "fist", "right_hand": "fist"}, "両手を握りしめて走っている"),
        (("片足で立っている", "standing on one leg"), {"left_hand": "fist"}, "片足で立って左手を握りしめている"),
        (
            ("両腕を上げて喜んでいる", "cheering with both arms up"),
            {"pose": "standing"},
            "両腕を上げて喜んでいる",
        ),
    ],
)
def test_japanese_actions_end_in_the_most_important_one(
    phrases: tuple[str, str], rest: dict[str, Any], expected: str
) -> None:
    pose = PoseFacts((PhraseFact(phrases[1], phrases[0]),), rest.pop("pose", ""))
    assert expected in caption(Facts(pose=pose, **rest), WHOLE["ja"])


def test_a_color_of_several_things_is_said_once_in_japanese() -> None:
    things = (Item("hair_tie", ("red",)), Item("hairclip", ("red",)), Item("bow", ("red",)))
    assert "赤いゴムで髪を結んで、髪に赤いヘアピン、胸元に赤いリボンを" in caption(
        Facts(accessories=things), WHOLE["ja"]
    )
    assert "髪と胸元に赤いリボンを" in caption(
        Facts(accessories=(Item("hair_ribbon", ("red",)), things[2])), WHOLE["ja"]
    )
    assert "胸元に赤いリボンを" in caption(Facts(accessories=things[2:]), WHOLE["ja"])


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(character=CharacterFacts(kind="boombox_head"), skin=SkinFacts(color="pink")),
         "頭がラジカセの、ピンクの体のキャラクター。"),
        (Facts(character=CharacterFacts(kind="robot"), skin=SkinFacts(color="gray"), eye_colors=("black",)),
         "黒い目をしたグレーのロボット。"),
        (Facts(character=CharacterFacts(kind="zombie"), skin=SkinFacts(color="green"),
               accessories=(Item("brain", ("pink",)),)), "ピンクの脳がむき出しの、緑色の肌のゾンビ。"),
        (Facts(character=CharacterFacts(kind="man"), accessories=(Item("beard", ("brown",)),)),
         "茶色いひげを生やした男性。"),
        (Facts(character=CharacterFacts(kind="zombie"), garments=(Item("shirt", ("red",)),)),
         "赤いシャツを着たゾンビ。"),
        (Facts(character=CharacterFacts(kind="zombie"), view=ViewFacts(face="side_left")), "横顔を見せているゾンビ。"),
        (Facts(character=CharacterFacts("Nao", "girl"), hair=HairFacts(("black",)),
               accessories=(Item("glasses"), Item("headphones_at_neck"), Item("backpack"))),
         "黒髪の女の子「Nao」。眼鏡をかけて、首にヘッドホンをかけている。リュックを背負っている。"),
        (Facts(hair=HairFacts(("black",)), pose=PoseFacts(left_arm="out", right_arm="forward", posture="standing")),
         "黒髪のキャラクター。左腕を横に、右腕を前に伸ばして立っている。"),
        (Facts(hair=HairFacts(("black",)), face=FaceFacts("happy", "closed", "open")),
         "黒髪のキャラクター。目を閉じて口を開けて笑っている。"),
        (Facts(hair=HairFacts(("black",)), framing="cowboy", view=ViewFacts("front", "front", "high")),
         "黒髪のキャラクター。正面の斜め上から見た、太ももから上の姿。"),
    ],
)  # fmt: skip
def test_japanese_reads_naturally(facts: Facts, expected: str) -> None:
    assert caption(facts, WHOLE["ja"]) == expected


def test_who_bows_turns_the_face_down_and_not_away() -> None:
    bowing = PoseFacts((PhraseFact("bowing politely", "丁寧にお辞儀をしている", ("bowing",)),))
    for pose in (bowing, PoseFacts(torso="bending_forward")):
        facts = Facts(pose=pose, view=ViewFacts(face="back"))
        assert "facing away" not in caption(facts, WHOLE["tags"]) and "向こう" not in caption(facts, WHOLE["ja"])
    assert "facing away" in caption(Facts(view=ViewFacts(face="back")), WHOLE["tags"])


def test_tags_of_both_sides_are_plural_and_implied_ones_go_first() -> None:
    punching = PoseFacts((PhraseFact("punching with the right hand", "", ("punching", "clenched hand")),))
    found = caption(Facts(pose=punching, left_hand="fist", right_hand="fist"), WHOLE["tags"]).split(", ")
    assert "clenched hands" in found and "clenched hand" not in found
    reaching = Facts(pose=PoseFacts(left_arm="out", right_arm="forward"))
    assert "outstretched arms" in caption(reaching, WHOLE["tags"])
    dressed = Facts(garments=(Item("pleated_skirt", ("red",)), Item("shirt", ("white",))))
    assert caption(dressed, WHOLE["tags"]) == "solo, red skirt, pleated skirt, skirt, white shirt, shirt"
    assert tags(dressed, Choice(0, brief=True)) == "solo, red skirt, pleated skirt, white shirt"


@pytest.mark.parametrize(
    ("garments", "accessories", "expected"),
    [
        (("dress",), ("shirt_collar",), "a dress with a collar"),
        (("star_print",), (), "a star print"),
        (("beard",), ("shirt_collar",), "a collar"),
    ],
)
def test_a_detail_follows_the_first_garment_that_is_worn(garments: Any, accessories: Any, expected: str) -> None:
    facts = Facts(garments=tuple(map(Item, garments)), accessories=tuple(map(Item, accessories)))
    for style in ENGLISH[1:]:
        assert expected in caption(facts, WHOLE[style])
