"""Names and descriptions of avatars in captions: cleaned titles, and the user's words first."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from vrm_synth.builtin_avatar import DemoParams, facts
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.shot.character import LONGEST_NAME, Character, character, clean_name
from vrm_synth.shot.recipe import CharacterWords

opened = cache(open_avatar)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Crimsom", "Crimsom"),
        ("  Alicia   Solid ", "Alicia Solid"),
        ("ニコニ立体ちゃん", "ニコニ立体ちゃん"),
        ("my_avatar_v2.vrm", "my avatar v2"),
        ("Mary-Jane O'Hara", "Mary-Jane O'Hara"),
        ('Bob"; drop\ntable {0} <b>', "Bob drop table 0 b"),
        ("\x1b[31mRed\x00", "31mRed"),
        ("\u202eevil\u202c", "evil"),
        ("undefined", ""),
        ("Undefined undefined", ""),
        ("null", ""),
        ("untitled avatar", ""),
        ("", ""),
        ("---", ""),
        ("12345", ""),
        ("x" * (LONGEST_NAME + 1), ""),
        ("A" * 100_000, ""),
    ],
)
def test_captions_use_cleaned_titles(raw: str, clean: str) -> None:
    assert clean_name(raw) == clean
    assert clean_name(clean) == clean


def test_the_built_in_avatar_is_known() -> None:
    a = opened("demo")
    known = facts(DemoParams())
    assert character(a, "demo", {}) == Character(known["name"], "a girl", known["hair"], known["eyes"], known["outfit"])
    tied = character(a, "demo:hair_color=green,hair_style=ponytail", {})
    assert (tied.hair, tied.tied_hair) == ("green hair", "a green ponytail")
    tied = character(a, "demo:hair_color=black,hair_style=twintails", {})
    assert (tied.hair, tied.tied_hair) == ("black hair", "black twintails")


def test_the_users_description_wins() -> None:
    a = opened("demo")
    words = {
        "demo": CharacterWords(name="Aki", description="a boy with red hair"),
        "x.vrm": CharacterWords(name="Xen"),
    }
    assert character(a, "demo", words) == Character("Aki", "a boy with red hair")
    named = replace(a, meta=replace(a.meta, name="undefined"))
    assert character(named, "/some/where/x.vrm", words).name == "Xen"
    assert character(named, "/some/where/y.vrm", words).name == ""
