"""Wording files and the vocabulary of facts agree, both ways: every value has words, and no words are for nothing."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest

from tests.caption.facts import EMOTIONS, values
from vrm_synth.appearance.words import all_items, all_kinds
from vrm_synth.caption.groups import GROUPS, WITHOUT
from vrm_synth.caption.phrase_cover import covered
from vrm_synth.caption.wording_files import english_wording, japanese_wording, tag_wording
from vrm_synth.facts import facts as f
from vrm_synth.parts import PART_NAMES
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.stage.backgrounds import NAMES

WORDINGS = {"en": english_wording, "ja": japanese_wording, "tags": tag_wording}
WINKS = ("wink_left", "wink_right")
TURNS = ("front", "three_quarter", "side", "behind")


def without(names: tuple[str, ...], *silent: str) -> set[str]:
    """The values that are said; `silent` ones are what pictures mostly have."""
    return set(names) - set(silent)


# Of each key of the files: the values of facts that have words.
KEYS: dict[str, set[str]] = {
    "style": set(values(f.Style)),
    "hair_length": without(values(f.HairLength), "bald"),  # said by `bald`
    "hair_style": set(values(f.HairStyle)),
    "skin": set(values(f.SkinTone)),
    "posture": set(values(f.Posture)),
    "torso": without(values(f.Torso), "upright"),
    "legs": set(values(f.Legs)),
    "both_arms": set(values(f.Arm)),
    "one_arm": without(values(f.Arm), "crossed"),  # takes both
    "both_hands": set(values(f.HandShape)),
    "one_hand": set(values(f.HandShape)),
    "expression": set(EMOTIONS),
    "eyelids": without(values(f.Eyes), "open", *WINKS),
    "mouth": set(values(f.Mouth)),
    "gaze": set(values(f.Gaze)),
    "looking_back": {*values(f.Gaze), "unknown"},
    "view": set(values(f.Azimuth)),
    "face_view": set(values(f.Azimuth)),
    "head_turned": set(TURNS),
    "height": without(values(f.Elevation), "level"),
    "roll": without(values(f.Roll), "upright"),
    "framing": {*values(f.Framing), "unknown"},
    "light": without(values(f.LightDirection), "front", "flat"),  # as most pictures are lit
    "background": {"named", "transparent"},
    "background_colors": set(NAMES),
}
OF_ENGLISH = {"long", "covers", "her"}
OF_JAPANESE = {
    "styled_length": without(values(f.HairLength), "bald"), "verbs": None, "sides": {"left", "right"},
    "seen": set(values(f.Elevation)), "seen_alone": without(values(f.Elevation), "level"),
    "still": set(values(f.Posture)), "stems": None, "at": None, "seen_in_front": set(values(f.Elevation)),
    "body": None, "grown": None, "before_noun": None, "reach": {"out", "forward"},
}  # fmt: skip
# Tags list the silent values, too, as [].
OF_TAGS = {
    "hair_length": set(values(f.HairLength)), "torso": set(values(f.Torso)), "eyelids": set(values(f.Eyes)),
    "face_view": set(TURNS), "height": set(values(f.Elevation)), "roll": set(values(f.Roll)),
    "framing": set(values(f.Framing)), "light": set(values(f.LightDirection)), "several": {"1girl", "1boy"},
    "dark_skin": {"1girl", "1boy"},
}  # fmt: skip


@pytest.mark.parametrize("language", WORDINGS)
def test_every_value_of_facts_has_words_and_no_words_are_for_nothing(language: str) -> None:
    wording = WORDINGS[language]().model_dump()
    own: dict[str, Any] = {"en": dict.fromkeys(OF_ENGLISH), "ja": OF_JAPANESE, "tags": OF_TAGS}[language]
    tables = {key: set(table) for key, table in wording.items() if isinstance(table, dict)}
    expected = {key: names for key, names in (KEYS | own).items() if key in tables}
    assert expected.keys() == tables.keys()
    for key, names in expected.items():
        assert names is None or tables[key] == names, key


def test_each_group_is_dropped_at_some_time_and_changes_the_facts() -> None:
    for read in WORDINGS.values():
        assert sorted(read().drop_first) == sorted(GROUPS)
    assert set(WITHOUT) == set(GROUPS)


def test_the_fields_of_facts_are_in_the_groups() -> None:
    """Without all groups nothing is left but the number of figures."""
    full = f.Facts(
        character=f.CharacterFacts("A", "girl", "anime", "a girl"), framing="portrait", left_hand="open",
        right_hand="open", view=f.ViewFacts("front", "front", "low", "tilted", 1.0, 1.0, 1.0, 1.0), eye_colors=("red",),
        pose=f.PoseFacts((f.PhraseFact("running"),), "standing", "upright", "apart", "down", "down", True),
        face=f.FaceFacts("sad", "open", "open", "away"), hair=f.HairFacts(("red",), "long", "bob"),
        skin=f.SkinFacts("fair", "red"), garments=(f.Item("shirt"),), accessories=(f.Item("hat"),),
        scene=f.SceneFacts("front", "white"),
    )  # fmt: skip
    for group in GROUPS:
        assert WITHOUT[group](full) != full, group
    bare = full
    for group in GROUPS:
        bare = WITHOUT[group](bare)
    assert bare == f.Facts()


@pytest.mark.parametrize("language", WORDINGS)
def test_slots_in_braces_are_those_that_are_filled(language: str) -> None:
    known = {
        "name",
        "subject",
        "hair",
        "side",
        "whose",
        "her",
        "thing",
        "kind",
        "color",
        "a_color",
        "The_kind",
        "She",
        "things",
    }
    text = "".join(_strings(WORDINGS[language]().model_dump()))
    assert set(re.findall(r"{(\w*)}", text)) <= known and text.count("{") == text.count("}")


def test_japanese_actions_end_so_that_others_can_follow() -> None:
    w = japanese_wording()
    tables = (w.posture, w.torso, w.legs, w.both_arms, w.one_arm, w.both_hands, w.one_hand, w.eyelids, w.mouth, w.gaze)
    tables += (w.looking_back, w.face_view, w.head_turned)
    actions = [*chain.from_iterable(chain.from_iterable(t.values()) for t in tables), *w.wink]
    assert all(a.endswith(("ている", "でいる")) for a in actions)
    phrases = [phrase for pose in load_poses().values() for phrase in pose.phrases]
    assert all(p.ja.endswith(("ている", "でいる")) for p in phrases if p.ja)
    for verb in w.verbs.values():
        assert verb.last == f"{verb.joined}いる"
        assert set(verb.parts) <= set(PART_NAMES) and set(verb.items) <= set(all_items())
    assert set(w.body) | set(w.pupils) <= set(all_kinds())
    assert all(a.endswith("いる") for a in (*w.moves, *w.before_noun)) and set(w.grown) <= set(all_items())
    assert set(w.at) | set(english_wording().not_worn) <= set(all_items())
    assert all(te.endswith(("て", "で")) for te in w.stems)


def test_every_pronoun_has_its_possessive() -> None:
    assert set(english_wording().her) == {kind.pronoun for kind in all_kinds().values()} - {""}


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("waving with the right hand", {"right_arm", "right_hand"}),
        ("making peace signs with both hands", {"left_arm", "right_arm", "left_hand", "right_hand"}),
        ("pointing up with the left index finger", {"left_arm", "left_hand"}),
        ("saluting with the right hand", {"right_arm", "right_hand"}),
        ("with one arm raised and the other out to the side", {"left_arm", "right_arm"}),
        ("kicking high with the right leg", {"posture", "legs", "torso"}),
        ("looking back over the left shoulder", {"gaze"}),
        ("in a T-pose with both arms straight out to the sides", {"left_arm", "right_arm"}),
        ("bowing politely", {"torso"}),
        ("juggling", set()),
    ],
)
def test_a_phrase_covers_groups_by_its_words(text: str, groups: set[str]) -> None:
    assert covered([f.PhraseFact(text)]) - {"torso" if "torso" not in groups else ""} == groups


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for v in value.values() for s in _strings(v)]
    return [s for v in value for s in _strings(v)]
