"""The structure of facts: every value is checked, and comes back from JSON as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vrm_synth.core.errors import ShotError
from vrm_synth.facts.facts import (
    CharacterFacts,
    FaceFacts,
    Facts,
    HairFacts,
    Item,
    PhraseFact,
    PoseFacts,
    SceneFacts,
    SkinFacts,
    ViewFacts,
    facts_structure,
)
from vrm_synth.facts.structure import LONGEST_LIST, LONGEST_TEXT, ListOf, Node, Struct

FULL = Facts(
    2,
    CharacterFacts("秋", "girl", "anime", "a girl"),
    "cowboy",
    ViewFacts("side_left", "front", "high", "tilted", 1 / 3, -2e-9, 179.99, None),
    PoseFacts(
        (PhraseFact("waving", "手を振る", ("waving", "arm up")), PhraseFact("x")),
        "sitting",
        "upright",
        "apart",
        "raised",
        "down",
        True,
    ),
    "open",
    "fist",
    FaceFacts("happy", "wink_left", "open", "viewer"),
    HairFacts(("pink", "white"), "long", "braid"),
    ("blue", "red"),
    SkinFacts("tan", "green"),
    (Item("skirt", ("red", "black")), Item("socks")),
    (Item("glasses"),),
    SceneFacts("side", "white"),
)


def keys(value: Any) -> Any:
    return {k: keys(v) for k, v in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize("facts", [Facts(), FULL])
def test_facts_are_the_same_after_json(facts):
    entry = json.loads(json.dumps(facts.to_json()))
    assert entry == facts.to_json() and Facts.from_json(entry) == facts
    assert keys(entry) == keys(Facts().to_json()), "every field is always there"


def test_what_lacks_is_at_its_default():
    assert Facts.from_json({}) == Facts() and Facts.from_json({"view": {"azimuth": 3}}).view == ViewFacts(azimuth=3.0)


def changed(path: str, value: Any) -> dict[str, Any]:
    entry = json.loads(json.dumps(FULL.to_json()))
    *before, last = path.split(".")
    at: Any = entry
    for step in before:
        at = at[int(step)] if step.isdecimal() else at[step]
    at[int(last) if last.isdecimal() else last] = value
    return entry


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("count", True), ("count", 1.5), ("count", -1), ("count", "1"), ("count", 2**31), ("framing", "bust"),
        ("framing", None), ("framing", ["cowboy"]), ("view", []), ("view.azimuth", "3"), ("view.azimuth", True),
        ("view.azimuth", float("nan")), ("view.azimuth", float("inf")), ("pose.looking_back", 1),
        ("pose.phrases", "waving"), ("pose.phrases.0.en", "two\nlines"),
        ("pose.phrases.0.en", "x" * (LONGEST_TEXT + 1)),
        ("pose.phrases.0.tags", [1]), ("hair.colors", "pink"), ("hair.colors", ["x"] * (LONGEST_LIST + 1)),
        ("garments.0", "skirt"), ("garments.0.colors.0", None), ("character.style", "real"),
        ("character.name", "\x1b[1m"),
        ("scene", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_word_or_size_is_refused_with_its_path(path, value):
    with pytest.raises(ShotError) as e:
        Facts.from_json(changed(path, value))
    assert f"facts.{path}" in str(e.value) and "\n" not in str(e.value)


@pytest.mark.parametrize("path", ["mood", "view.mood", "pose.phrases.0.mood", "hair.mood", "garments.0.mood"])
def test_an_unknown_key_is_refused_at_every_level(path):
    with pytest.raises(ShotError, match="no such key; got mood"):
        Facts.from_json(changed(path, ""))


@pytest.mark.parametrize("entry", [None, [], "x", 3])
def test_what_is_no_object_is_refused(entry):
    with pytest.raises(ShotError, match="facts: not an object"):
        Facts.from_json(entry)


def test_a_key_without_a_default_is_asked_for():
    with pytest.raises(ShotError, match=r"facts\.garments\.0: a key lacks"):
        Facts.from_json({"garments": [{"colors": []}]})


def test_the_example_above_fills_every_field():
    def empty(node: Node, value: Any, path: str) -> list[str]:
        if isinstance(node, Struct):
            return [p for k, m in node.members.items() for p in empty(m, getattr(value, k), f"{path}.{k}")]
        if isinstance(node, ListOf) and value:
            return empty(node.item, value[0], f"{path}.0")
        return [path] if value in ("", (), None, False) else []

    assert empty(facts_structure(), FULL, "facts") == ["facts.view.face_elevation", "facts.accessories.0.colors"]
