"""Laws of captions over random facts: length, grammar, no repetition, nothing lost, determinism, sizes, settings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.caption.facts import PHRASES, random_facts
from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption import GROUPS, STYLES, Captioner, CaptionSettings, caption, captioner_of, captions
from vrm_synth.caption.clip_tokens import count_tokens
from vrm_synth.caption.groups import WITHOUT, shortened
from vrm_synth.caption.japanese import DETAILS
from vrm_synth.caption.sayable import sayable
from vrm_synth.caption.sizes import medium, short
from vrm_synth.caption.wording_files import japanese_wording
from vrm_synth.facts.facts import (
    CharacterFacts,
    FaceFacts,
    Facts,
    HairFacts,
    Item,
    PoseFacts,
    SceneFacts,
    ViewFacts,
)

MANY = 500
ENGLISH = ("en_short", "en", "en_long")
WHOLE = {style: CaptionSettings(style=style, max_tokens=None) for style in STYLES}
DEFAULT = {style: CaptionSettings(style=style) for style in STYLES}


@pytest.mark.parametrize("style", STYLES)
def test_every_caption_is_within_the_budget_and_some_are_full(style: str) -> None:
    longest = 0
    for seed in range(MANY):
        longest = max(longest, count_tokens(caption(random_facts(seed), DEFAULT[style], seed)))
    assert longest <= 75 and (longest > 70 or style == "en_short")


@pytest.mark.parametrize("budget", [24, 40])
@pytest.mark.parametrize("style", STYLES)
def test_any_budget_is_kept_by_leaving_facts_out_and_never_by_cutting(style: str, budget: int) -> None:
    settings = CaptionSettings(style=style, max_tokens=budget)
    for seed in range(300):
        facts = random_facts(seed, 0.9)
        text = caption(facts, settings, seed)
        assert count_tokens(text) <= budget, text
        words = _words(caption(facts, WHOLE[style], seed))
        if style in ENGLISH:
            assert text.endswith(".")
            # Dropping a fact can bring out one that it stood for, and changes a list's commas, but invents no thing.
            assert {w for w in _words(text) if w in _things()} <= words | _words(_kind(facts)), text


@pytest.mark.parametrize("style", ENGLISH)
def test_english_is_clean(style: str) -> None:
    for settings in (WHOLE[style], DEFAULT[style]):
        for seed in range(MANY):
            text = caption(random_facts(seed), settings, seed)
            assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,.'-]*[a-z]\.", text), text
            assert not re.search(r"  | [,.]|,,|\.\.|, \.|,(?! )|\bNone\b", text), text
            assert not re.search(r"\b(\w+) \1\b", text), text
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text.lower().replace("a u", "")), text
            clauses = re.split(r"[,.] ", text[:-1])
            assert len(clauses) == len(set(clauses)), text


def test_japanese_is_clean() -> None:
    for settings in (WHOLE["ja"], DEFAULT["ja"]):
        for seed in range(MANY):
            text = caption(random_facts(seed), settings, seed)
            assert text.endswith("。") and " " not in text.replace("Aki Sato", "") and "{" not in text, text
            assert not re.search("。。|、、|、。|。、|のの|をを|にに|とと|ていて、|^[のをにで]", text), text
            sentences = text.removesuffix("。").split("。")
            assert len(sentences) == len(set(sentences)), text
            for at, sentence in enumerate(sentences):  # only at the end, or before the noun of the first
                assert len(re.findall("(?:ている|でいる)(?!$)", sentence)) <= (at == 0), text


def test_tags_are_clean_and_each_is_there_once() -> None:
    for seed in range(MANY):
        found = caption(random_facts(seed), WHOLE["tags"], seed).split(", ")
        assert len(found) == len(set(found)), found
        for tag in found:
            assert re.fullmatch(r"[a-z0-9][a-z0-9 '-]*", tag), tag


def test_the_order_of_tags_is_one() -> None:
    """Count, hair, eyes, garments, face, pose, view, framing, background."""
    facts = Facts(
        character=CharacterFacts(kind="girl"),
        framing="cowboy",
        view=ViewFacts(body="back", height="high"),
        pose=PoseFacts(posture="standing", left_arm="raised", right_arm="raised"),
        hair=HairFacts(("pink",), "long", "twintails"),
        eye_colors=("blue",),
        garments=(Item("skirt", ("red",)),),
        accessories=(Item("glasses"),),
        face=replace(Facts().face, expression="happy", gaze="viewer"),
        scene=SceneFacts(background="white"),
    )
    assert caption(facts, DEFAULT["tags"]) == (
        "1girl, solo, long hair, pink hair, twintails, blue eyes, red skirt, skirt, glasses, smile, looking at viewer, "
        "standing, arms up, from behind, from above, cowboy shot, simple background, white background"
    )


@pytest.mark.parametrize("style", ["en_long", "ja", "tags"])
def test_every_thing_and_color_of_the_facts_is_said(style: str) -> None:
    colors, items, kinds = all_colors(), all_items(), all_kinds()
    for seed in range(400):
        facts = sayable(random_facts(seed))
        if facts.count < 1:
            continue
        text = caption(facts, WHOLE[style], seed)
        for item in (*facts.garments, *facts.accessories):
            words = items[item.kind]
            if style == "ja" and item.kind in DETAILS:
                continue
            if style == "tags":
                expected = list(words.tags)
            else:
                ja = japanese_wording().at[item.kind].noun if item.kind in japanese_wording().at else words.ja
                apart = words.en_color and item.colors  # "thick red eyebrows"
                expected = words.en.split() if apart else [words.en] if style == "en_long" else [ja]
                expected = expected if style == "en_long" else [ja]
                expected += [colors[c].en if style == "en_long" else colors[c].ja_noun[:1] for c in item.colors]
            assert all(e in text for e in expected), (item, text)
        own_body = facts.skin.color and facts.character.kind in japanese_wording().body and style == "ja"
        if facts.character.kind and style != "tags" and not own_body:
            assert (kinds[facts.character.kind].en if style == "en_long" else kinds[facts.character.kind].ja) in text
        for color in facts.hair.colors:
            hair = colors[color].hair
            assert {"en_long": hair.en, "ja": colors[color].ja_noun[:1], "tags": hair.tag}[style] in text, text


def test_nothing_is_said_without_its_fact() -> None:
    for style in ENGLISH:
        assert {caption(Facts(), DEFAULT[style], seed) for seed in range(20)} == {
            "A picture of a character.", "An image of a character."
        }  # fmt: skip
    assert caption(Facts(), DEFAULT["ja"]) == "キャラクター。"
    assert caption(Facts(), DEFAULT["tags"]) == "solo"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_that_is_dropped_is_said_in_no_style(group: str) -> None:
    for style in STYLES:
        always = CaptionSettings(style=style, drop={group: 1.0}, max_tokens=None)
        for seed in range(60):
            facts = random_facts(seed)
            assert caption(facts, always, seed) == caption(WITHOUT[group](facts), WHOLE[style], seed)


def test_drop_out_has_its_probability_and_is_the_same_for_all_columns() -> None:
    facts = Facts(hair=HairFacts(("pink",)), scene=SceneFacts(background="white"))
    columns = {
        "caption": CaptionSettings(drop={"hair": 0.3}),
        "caption_ja": CaptionSettings(style="ja", drop={"hair": 0.3}),
        "tags": CaptionSettings(style="tags", drop={"background": 0.1}),
    }
    texts = [captions(facts, columns, seed) for seed in range(2000)]
    without = [t["caption"] for t in texts if "pink" not in t["caption"]]
    assert 0.26 < len(without) / len(texts) < 0.34
    assert all(("pink" in t["caption"]) == ("ピンク" in t["caption_ja"]) for t in texts)
    assert 0.08 < sum("white" not in t["tags"] for t in texts) / len(texts) < 0.12


def test_captions_depend_on_facts_and_seed_alone_and_the_wording_varies() -> None:
    facts = Facts(framing="cowboy", face=FaceFacts("happy"), hair=HairFacts(("pink",)), scene=SceneFacts("", "white"))
    for style in STYLES:
        one, other = captioner_of(DEFAULT[style]), captioner_of(CaptionSettings(style=style))
        forth = [one(facts, seed) for seed in range(200)]
        assert [other(facts, seed) for seed in reversed(range(200))] == forth[::-1]
        assert style == "tags" or len(set(forth)) > 1


def test_a_shorter_size_has_part_of_the_facts_of_a_longer_one() -> None:
    for seed in range(400):
        facts = sayable(random_facts(seed))
        little, some = _stated(short(facts)), _stated(medium(facts))
        assert little <= some <= _stated(facts) or little <= _stated(facts), seed
        assert len(little) < 16


def test_facts_are_dropped_until_none_is_left() -> None:
    from vrm_synth.caption.wording_files import english_wording

    for seed in range(50):
        facts = random_facts(seed, 1.0)
        *_, last = shortened(facts, english_wording().drop_first)
        assert last == Facts(count=facts.count)


def test_styles_that_are_mixed_have_their_shares() -> None:
    settings = CaptionSettings(style={"tags": 1, "en": 3})
    facts = random_facts(3)
    english = sum(caption(facts, settings, seed).endswith(".") for seed in range(2000))
    assert 0.70 < english / 2000 < 0.80
    turned = CaptionSettings(style={"en": 3, "tags": 1})
    assert all(caption(facts, turned, s) == caption(facts, settings, s) for s in range(50))


def test_trigger_prefix_and_suffix_stand_around_the_caption() -> None:
    facts = Facts(character=CharacterFacts(kind="girl"))

    def text(style: str, **settings: Any) -> str:
        return caption(facts, CaptionSettings(style=style, **settings), 1).replace("An image", "A picture")

    assert text("en", trigger="ohwx") == "ohwx, a picture of a girl."
    assert text("en", prefix="3D render of a doll.") == "3D render of a doll. A picture of a girl."
    assert (
        text("en", prefix="In this dataset,", suffix=", 3D render") == "In this dataset, a picture of a girl, 3D render"
    )
    assert text("en", prefix="Mine.", trigger="ohwx", suffix="By me.") == "Mine. ohwx, a picture of a girl. By me."
    assert text("ja", trigger="ohwx", suffix="3Dレンダリング。") == "ohwx、女の子。3Dレンダリング。"
    assert text("tags", prefix="masterpiece, ", trigger="ohwx", suffix="3d") == "masterpiece, ohwx, 1girl, solo, 3d"


def test_left_and_right_are_those_of_the_facts() -> None:
    mirrored = {"left": "right", "right": "left"}
    for side, other in mirrored.items():
        facts = Facts(
            view=ViewFacts(body=f"three_quarter_{side}"),  # type: ignore[arg-type]
            pose=PoseFacts(left_arm="raised" if side == "left" else "", right_arm="raised" if side == "right" else ""),
            left_hand="peace" if side == "left" else "",
            right_hand="peace" if side == "right" else "",
        )
        for seed in range(30):
            text = caption(facts, DEFAULT["en"], seed)
            assert text.count(side) == 3 and other not in text, text


def test_a_phrase_is_not_followed_by_what_it_says_already() -> None:
    sitting = Facts(pose=PoseFacts(phrases=PHRASES[1:2], posture="sitting", legs="crossed"))
    assert caption(sitting, DEFAULT["en"]).count("sitting") == 1
    assert "crossed legs" not in caption(sitting, DEFAULT["en"])
    assert caption(sitting, DEFAULT["ja"]).count("座って") == 1
    waving = Facts(pose=PoseFacts(phrases=PHRASES[:1], left_arm="raised", right_arm="raised"), right_hand="open")
    text = caption(waving, DEFAULT["en"])
    assert "left arm" in text and "right arm" not in text and "right hand open" not in text
    # Japanese has no words for this phrase, and tells the geometry instead.
    fighting = Facts(pose=PoseFacts(phrases=PHRASES[4:], posture="standing", left_arm="forward"))
    assert "立って" in caption(fighting, DEFAULT["ja"]) and "standing" not in caption(fighting, DEFAULT["en"])


def test_who_is_seen_from_behind_and_looks_at_the_viewer_looks_back() -> None:
    facts = Facts(view=ViewFacts(body="back", face="front"), pose=PoseFacts(looking_back=True))
    facts = replace(facts, face=replace(facts.face, gaze="viewer"))
    for seed in range(20):
        text = caption(facts, DEFAULT["en"], seed)
        assert re.search("(seen from behind|in back view), looking back at the viewer", text)
        assert text.count("looking") == 1
    assert "looking at viewer, looking back, from behind" in caption(facts, DEFAULT["tags"])
    assert "振り返ってこちらを見ている" in caption(facts, DEFAULT["ja"])


def test_a_captioner_of_the_users_own_fits_the_protocol() -> None:
    def own(facts: Facts, seed: int) -> str:
        return f"{facts.character.kind or 'figure'} {seed}"

    of_the_protocol: Captioner = own
    assert of_the_protocol(Facts(), 3) == "figure 3"


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z-]+", text.lower()))


def _kind(facts: Facts) -> str:
    return all_kinds()[facts.character.kind].en if facts.character.kind else ""


def _things() -> set[str]:
    """Words of things and colors."""
    names = [w.en for w in (*all_items().values(), *all_colors().values())]
    return {w.lower() for name in names for w in name.split()} - {
        "a",
        "around",
        "in",
        "the",
        "light",
        "neck",
        "top",
        "hair",
    }


def _stated(facts: Facts) -> set[object]:
    """The facts as a set of paths with values."""
    stated: set[object] = set()

    def walk(path: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{path}.{key}", inner)
        elif isinstance(value, tuple | list):
            for inner in value:
                stated.add((path, repr(inner)))
        elif value not in ("", None, False):
            stated.add((path, value))

    walk("", facts.to_json())
    return stated
