"""The vocabulary: every word is there in each language, and every part has what it may be called."""

from __future__ import annotations

import pytest

from vrm_synth.appearance.item_names import item_in_name
from vrm_synth.appearance.words import all_colors as colors
from vrm_synth.appearance.words import all_items, all_kinds


def test_colors_have_words_for_things_hair_eyes_and_skin() -> None:
    for name, w in colors().items():
        assert w.en and w.ja and w.ja_noun, name
        assert all(x.en and x.ja for x in (w.hair, w.eyes, w.skin)), name
    assert colors()["blonde"].hair.model_dump() == {"en": "blonde", "ja": "金髪", "tag": "blonde hair"}
    assert colors()["blue"].eyes.ja == "青い瞳"


def test_nouns_have_their_article() -> None:
    assert all_items()["skirt"].noun == "a skirt"
    assert all_items()["umbrella"].noun == "an umbrella"
    assert all_items()["glasses"].noun == "glasses"
    assert all_kinds()["alien"].noun == "an alien"
    for kind, w in (*all_items().items(), *all_kinds().items()):
        assert w.en and w.ja, kind


def test_tags_with_a_color_are_of_the_item() -> None:
    assert all_items()["hoodie"].color_tag.format(color="brown") == "brown hoodie"
    assert all_items()["loafers"].color_tag.format(color="brown") == "brown footwear"
    assert all("{color}" in w.color_tag for w in all_items().values() if w.color_tag)


@pytest.mark.parametrize(
    ("name", "part", "kind"),
    [
        ("Pleated_Skirt.001", "lower_garment", "pleated_skirt"),
        ("CatEar_L", "animal_ears", "cat_ears"),
        ("heddohon", "ornament", "headphones"),
        ("セーラー服_上", "upper_garment", "sailor_uniform"),
        ("shortHair", "upper_garment", ""),
        ("shirt_or_hoodie", "upper_garment", ""),
        ("Knee Socks", "legwear", "kneehighs"),
    ],
)
def test_names_of_files_tell_the_kind(name: str, part: str, kind: str) -> None:
    assert item_in_name(name, part) == kind


def test_no_two_items_have_one_word_for_one_part() -> None:
    for attribute in ("names", "ja_names"):
        seen: dict[tuple[str, str], str] = {}
        for kind, w in all_items().items():
            for word in getattr(w, attribute):
                for part in w.parts:
                    assert seen.setdefault((word, part), kind) == kind, word
