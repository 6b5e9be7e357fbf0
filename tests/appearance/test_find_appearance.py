"""Appearance: of the family by construction, of the shared avatars by looking, of overrides that name too much."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from tests.corpus import CORPUS, needs_corpus
from tests.parts.answer_sheet import OVERRIDES
from vrm_synth.appearance.appearance import Appearance
from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.builtin_avatar.params import DemoParams, variant
from vrm_synth.core.errors import RecipeError
from vrm_synth.dataset.sample_facts import with_words
from vrm_synth.parts.overrides import HairOverrides, PartOverrides, combined
from vrm_synth.shot.recipe import CharacterWords
from vrm_synth.vrm.avatar_loader import load

OUTFITS = {
    "sailor": ("sailor_uniform", "pleated_skirt", "kneehighs"),
    "dress": ("dress", "socks"),
    "hoodie": ("hoodie", "shorts", "thighhighs"),
}
STYLES = {"bob": "bob", "twintails": "twintails", "ponytail": "ponytail", "long": "", "short": ""}
LENGTHS = {"bob": "short", "short": "short", "long": "long", "twintails": "long", "ponytail": "long"}


def kinds(a: Appearance) -> list[str]:
    return [i.kind for i in a.items]


@pytest.mark.parametrize("i", range(8))
def test_the_family_looks_as_its_parameters_say(i: int) -> None:
    p, a = variant(i), find_appearance(open_avatar(f"demo:{i}"), f"demo:{i}")
    assert (a.name, a.kind, a.style, a.skin_tone, a.skin_color) == (p.name, "girl", "anime", p.skin, "")
    assert (a.hair_colors, a.eye_colors) == ((p.hair_color,), (p.eye_color,))
    assert (a.hair_length, a.hair_style) == (LENGTHS[p.hair_style], STYLES[p.hair_style])
    assert set(OUTFITS[p.outfit]) <= set(kinds(a)) and "shoes" in kinds(a)
    assert ("glasses" in kinds(a)) == (p.accessory == "glasses")
    assert ("hairclip" in kinds(a)) == (p.accessory == "hairclip")
    assert any(k.startswith("hair_ribbon") for k in kinds(a)) == (p.accessory == "ribbon")
    cloth = {"sailor_uniform", "dress", "hoodie", "pleated_skirt"}
    assert all(p.outfit_color in i.colors for i in a.items if i.kind in cloth)


def test_colors_that_are_no_names_are_named() -> None:
    a = find_appearance(
        open_avatar("demo:hair_color=#2040e0,outfit_color=#9a9080,outfit=dress"),
        "demo:hair_color=#2040e0,outfit_color=#9a9080,outfit=dress",
    )
    assert a.hair_colors == ("blue",)
    assert next(i for i in a.items if i.kind == "dress").colors == ()  # between gray and khaki


@pytest.mark.parametrize("i", [3, 4])
def test_a_member_that_comes_as_a_file_is_read_by_names_and_shape(i: int) -> None:
    p, a = variant(i), find_appearance(open_avatar(f"demo:{i}"), "somebody.vrm")
    assert a.hair_colors == (p.hair_color,) and a.eye_colors == (p.eye_color,)
    assert (a.hair_length, a.skin_tone, a.style) == (LENGTHS[p.hair_style], p.skin, "anime")
    assert a.hair_style == {"twintails": "twintails"}.get(p.hair_style, "")
    expected = {"hoodie": {"top", "shorts", "thighhighs", "shoes"}, "dress": {"skirt", "socks", "shoes", "glasses"}}
    assert set(kinds(a)) == expected[p.outfit]


# Looked at: (kind, hair colors, hair length, eye colors, skin tone, skin color, items). "" and () are what has no
# name, or two that one could give it.
LOOKS: dict[str, tuple[object, ...]] = {
    "bizdude": ("man", ("brown",), "short", ("black",), "light", "",
        {"suit_jacket navy", "shirt white", "trousers navy", "shoes black", "necktie red", "beard brown"}),
    "boombox7": ("boombox_head", (), "", (), "", "pink",
        {"antenna", "camera_eye black", "teeth white"}),
    "boombox_export4": ("graffiti_boombox_head", (), "", (), "", "", {"sword", "big_eyes white"}),
    "cool_banana": ("banana", (), "", (), "", "yellow", {"sunglasses black", "stem brown"}),
    "crimsom": ("man", ("red",), "short", ("black",), "fair", "",
        {"sweater dark_teal", "trousers black", "shoes dark_pink black", "thick_eyebrows red"}),
    "m_expressive": ("girl", ("green",), "short", (), "tan", "",
        {"shirt cream navy", "leggings purple", "boots", "glasses navy", "headphones_at_neck", "backpack orange"}),
    "robot": ("robot", (), "", ("black",), "", "gray", {"emblem"}),
    "skinnie4": ("anatomical_figure", (), "bald", (), "", "", set()),
    "v1_samplebot": ("mannequin", (), "short", (), "", "", {"shirt blue_green", "trousers gray", "shoes dark"}),
    "zombie": ("zombie", (), "", (), "", "green",
        {"torn_shirt salmon", "torn_trousers red", "shoes red", "brain pink", "bulging_eyes yellow"}),
}  # fmt: skip


def overrides_of_file(name: str) -> PartOverrides:
    return PartOverrides.model_validate(yaml.safe_load(OVERRIDES.read_text())[f"{name}.vrm"])


@needs_corpus
@pytest.mark.parametrize("name", LOOKS)
def test_the_shared_avatars_look_as_they_do(name: str) -> None:
    assert CORPUS is not None
    a = find_appearance(load(CORPUS / "avatars" / f"{name}.vrm"), f"{name}.vrm", overrides_of_file(name))
    items = {" ".join((i.kind, *i.colors)) for i in a.items}
    assert (a.kind, a.hair_colors, a.hair_length, a.eye_colors, a.skin_tone, a.skin_color, items) == LOOKS[name]
    assert a.style == ("anime" if name == "m_expressive" else "")


@needs_corpus
@pytest.mark.parametrize("name", ["bizdude", "boombox7", "crimsom", "m_expressive", "zombie"])
def test_without_overrides_less_is_said_and_nothing_else(name: str) -> None:
    assert CORPUS is not None
    a = find_appearance(load(CORPUS / "avatars" / f"{name}.vrm"), f"{name}.vrm")
    _, hair, _, eyes, tone, color, items = LOOKS[name]
    assert a.kind == "" and a.style == ("anime" if name == "m_expressive" else "")
    assert a.hair_colors in ((), hair) and a.eye_colors in ((), eyes)
    assert a.skin_tone in ("", tone) and a.skin_color in ("", color, "pink")  # of boombox7, but for its head
    wider = {
        "leggings": "trousers",
        "boots": "shoes",
        "torn_shirt": "top",
        "torn_trousers": "trousers",
        "headphones_at_neck": "headphones",
        "backpack": "bag",
        "shirt": "top",
        "sweater": "top",
        "suit_jacket": "jacket",
        "sunglasses": "glasses",
    }
    true = {wider.get(str(i).split()[0], str(i).split()[0]) for i in items}  # type: ignore[attr-defined]
    assert set(kinds(a)) - {"shirt"} <= true


def test_overrides_that_name_nothing_are_refused() -> None:
    avatar = open_avatar("demo:1")
    for own, word in (
        (PartOverrides(kinds={"upper_garment": "hoodi"}), "did you mean hoodie"),
        (PartOverrides(kinds={"uper_garment": "hoodie"}), "did you mean upper_garment"),
        (PartOverrides(kind="grl"), "no such kind of figure"),
    ):
        with pytest.raises(RecipeError, match=word):
            find_appearance(avatar, "demo:1", own)


def test_overrides_join_the_recipes_before_the_manifests() -> None:
    first = PartOverrides(kinds={"shoes": "boots"}, hair=HairOverrides(length="long"))
    then = PartOverrides(kinds={"shoes": "sandals", "hat": "cap"}, hair=HairOverrides(style="braid"), kind="girl")
    both = combined(first, then)
    assert both is not None
    assert (both.kinds, both.kind) == ({"shoes": "boots", "hat": "cap"}, "girl")
    assert (both.hair.length, both.hair.style) == ("long", "braid")


def test_the_users_words_replace_what_was_found() -> None:
    a = find_appearance(open_avatar("demo:1"), "demo:1")
    named = with_words(a, CharacterWords(name="Aki", description="a boy with red hair"))
    assert (named.name, named.description, named.kind) == ("Aki", "a boy with red hair", a.kind)
    assert with_words(a, None) is a


def test_found_once_and_the_same_in_every_process() -> None:
    avatar = open_avatar("demo:2")
    a = find_appearance(avatar, "demo:2")
    assert find_appearance(avatar, "demo:2") is a
    again = find_appearance(open_avatar("demo:2"), "demo:2")
    assert again.items == a.items and again.groups.features == a.groups.features
    assert np.array_equal(again.groups.labels.values, a.groups.labels.values)


def test_parameters_decide_and_not_the_avatars_name() -> None:
    source = "demo:name=Nintendo,hair_style=bob"
    a = find_appearance(open_avatar(source), source)
    assert a.name == "" and a.hair_style == DemoParams(hair_style="bob").hair_style


@needs_corpus
def test_a_debug_figure_of_colored_boxes_has_neither_hair_nor_clothes() -> None:
    assert CORPUS is not None
    a = find_appearance(load(CORPUS / "avatars" / "v1_debug_robot.vrm"), "v1_debug_robot.vrm")
    assert (a.hair_colors, a.hair_length, a.skin_color, a.items) == ((), "", "", ())


def test_an_avatar_too_large_to_be_measured_still_is_what_its_overrides_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrm_synth.appearance.find_appearance.MOST_TRIANGLES", 10)
    own = PartOverrides(kind="boy", style="anime", hair=HairOverrides(length="short", style="none"), expression="sad")
    a = find_appearance(open_avatar("demo:3"), "somebody.vrm", own)
    assert (a.kind, a.style, a.hair_length, a.hair_style, a.resting_expression) == ("boy", "anime", "short", "", "sad")
    assert a.items == ()
