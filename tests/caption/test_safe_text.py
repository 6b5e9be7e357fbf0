"""Strangers' strings: nothing of them but letters, digits and plain marks gets into a caption, and no half of one."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from vrm_synth.caption import STYLES, CaptionSettings, caption
from vrm_synth.caption.clip_tokens import count_tokens
from vrm_synth.caption.safe_text import description_text, japanese_text, name_text, tag_text
from vrm_synth.facts.facts import CharacterFacts, FaceFacts, Facts, HairFacts, Item, PhraseFact, PoseFacts, SceneFacts

HOSTILE = (
    "<script>alert(1)</script>", "a\nb\r\n# c", "[x](javascript:y)", "{{ 7 * 7 }}", "{name}", "%s%n", "${HOME}", "`rm`",
    "a, 1girl, nude", "(masterpiece:1.5)", "\\(x\\)", "x" * 300, "\u202egnp.exe", "A\u200bB", "\ud800", "\x00\x1b[31m",
    "'; DROP TABLE--", "🎀🎀", "…", "___", "<lora:evil:1>", "BREAK AND", "Ｆｕｌｌ　Ｗｉｄｔｈ", "ﷺ" * 30,
    "e\u0301" * 90, "Zoë O'Neill-Smith Jr.", "ミオ", "42", "", " ",
)  # fmt: skip


def hostile_facts(text: str) -> Facts:
    """Facts with the text in every field that can hold one."""
    return Facts(
        character=CharacterFacts(text, text, "", text),
        hair=HairFacts((text, "pink")),
        eye_colors=(text,),
        garments=(Item(text, (text,)), Item("skirt", (text, "red"))),
        accessories=(Item(text),),
        face=FaceFacts(expression=text),
        pose=PoseFacts(phrases=(PhraseFact(text, text, (text, text)),)),
        scene=SceneFacts(background=text),
    )


def random_strings() -> list[str]:
    r = random.Random(0)
    return ["".join(chr(r.randrange(0x250 if r.random() < 0.7 else 0x11000)) for _ in range(40)) for _ in range(300)]


@pytest.mark.parametrize("style", STYLES)
def test_no_markup_control_character_or_slot_gets_into_a_caption(style: str) -> None:
    for text in (*HOSTILE, *random_strings()):
        for limit in (75, None):
            found = caption(hostile_facts(text), CaptionSettings(style=style, max_tokens=limit), 5)
            assert found.isprintable() and found.encode() and "  " not in found, text
            assert not re.search(r"[<>{}\[\]`$%#*_=/|~^\"]", found), (text, found)
            assert limit is None or count_tokens(found) <= limit


def test_a_tag_has_no_comma_and_its_brackets_are_escaped() -> None:
    assert tag_text("a, b") == "a b"
    assert tag_text("bow_(weapon)") == r"bow \(weapon\)"
    facts = Facts(pose=PoseFacts(phrases=(PhraseFact("x", "", ("a, 1girl, b", "paw_pose")),)))
    assert caption(facts, CaptionSettings(style="tags")) == "solo, a 1girl b, paw pose"


def test_names_and_descriptions_are_kept_whole_or_left_out() -> None:
    assert name_text("Zoë O'Neill-Smith Jr.") == "Zoë O'Neill-Smith Jr"
    assert name_text("x" * 41) == name_text("42") == name_text("🎀") == ""
    assert description_text("A boy with red hair, tall") == "a boy with red hair, tall"
    assert description_text("word " * 41) == "" != description_text("word " * 39)
    assert japanese_text("右手を振っている") == "右手を振っている"
    for text in (*HOSTILE, *random_strings()):
        for clean in (name_text, description_text, japanese_text):
            once = clean(text)
            assert clean(once) == once and once == unicodedata.normalize("NFKC", once)
