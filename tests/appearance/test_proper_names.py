"""Names: a title is one only where it reads as one."""

from __future__ import annotations

import pytest

from vrm_synth.appearance.proper_names import clean_name

NAMES = ["Aki", "Cool Banana", "Crimsom", "Jean-Luc O'Neil", "ニコニ立体ちゃん", "千駄ヶ谷 篠", "Zoë", "Alicia Solid"]
NO_NAMES = [
    *("", "undefined", "NULL", "untitled", "New Avatar", "my avatar", "test", "a", "m", "無題"),
    *("Mio v1.2", "Kenny_final", "export4", "Boomboxhead #8", "Skinnie 4", "102_Bizdude", "Aki 0.9", "2B"),
    *("VRoid Sample", "UnityChan", "Ready Player Me", "readyplayerme", "Nintendo girl", "Hatsune Miku", "mixamo"),
    *("<b>Eve</b>", "Eve & co", "name;drop table", "{{name}}", "[Eve](http://x.y)", "Eve\nsecond line of it | x"),
    *("x" * 300, "one two three four five", "…", "🎉", "AvatarSample_A", "free download Eve"),
    *("sphere", "mtoon default", "EmissionTest", "SampleBot", "isBinary overridden"),
]


@pytest.mark.parametrize("title", NAMES)
def test_names_stay(title: str) -> None:
    assert clean_name(title) == title


@pytest.mark.parametrize("title", NO_NAMES)
def test_what_reads_as_no_name_is_none(title: str) -> None:
    assert clean_name(title) == ""


def test_underscores_and_the_files_ending_go() -> None:
    assert clean_name(" Mary_Ann.VRM ") == "Mary Ann"


@pytest.mark.parametrize("title", [*NAMES, *NO_NAMES])
def test_a_name_is_its_own_name(title: str) -> None:
    assert clean_name(clean_name(title)) == clean_name(title)
