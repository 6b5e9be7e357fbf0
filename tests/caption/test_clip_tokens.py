"""The shipped counts of CLIP's tokens: never too few, and exact for our own words, by CLIP's tokenizer where it is."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tests.caption.facts import random_facts
from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption import STYLES, CaptionSettings, caption
from vrm_synth.caption.clip_tokens import BUDGET, RUN, count_tokens
from vrm_synth.caption.wording_files import english_wording, tag_wording
from vrm_synth.pose.pose_library import load_poses

VARIABLE = "VRM_SYNTH_CLIP_TOKENIZER"  # a folder with vocab.json and merges.txt
VOCABULARY = 49408
NAMES = ("openai/clip-vit-large-patch14", "openai/clip-vit-base-patch32")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    for name in filter(None, (os.environ.get(VARIABLE), *NAMES)):
        try:
            found = transformers.CLIPTokenizer.from_pretrained(name, local_files_only=True)
        except (OSError, ValueError):
            continue
        if len(found) == VOCABULARY:  # without its files it may come with an empty one
            return found
    pytest.skip(f"no CLIP tokenizer: set {VARIABLE} to a folder with vocab.json and merges.txt")


@pytest.mark.parametrize("style", STYLES)
def test_no_caption_has_more_tokens_than_counted(tokenizer: Any, style: str) -> None:
    for limit in (BUDGET, None):
        settings = CaptionSettings(style=style, max_tokens=limit)
        for seed in range(250):
            text = caption(random_facts(seed), settings, seed)
            tokens = len(tokenizer(text)["input_ids"]) - 2
            assert tokens <= count_tokens(text), text
            if style != "ja":
                assert tokens >= 0.97 * count_tokens(text) - 8, text
            assert limit is None or tokens <= BUDGET


def test_no_text_at_all_has_more_tokens_than_counted(tokenizer: Any) -> None:
    r = random.Random(0)
    letters = (
        "abcdefgh ABC 0123 .,;:!?-'()<>&#@ éüßñ ひらがなカタカナー漢字髪瞳服 кириллица 한국어 ไทย عربي 😀👩‍👩‍👧 ½²Ⅷ İ"
    )
    for _ in range(20_000):
        text = "".join(r.choice(letters) for _ in range(r.randint(1, 16)))
        assert len(tokenizer(text)["input_ids"]) - 2 <= count_tokens(text), text


def test_all_words_of_the_wording_are_known() -> None:
    """A word that is not has as many tokens as letters, and costs captions facts: run scripts/clip_counts.py."""
    texts = [
        w.model_dump_json(exclude={"drop_first", "covers"}).replace('"', " ")
        for w in (english_wording(), tag_wording())
    ]
    phrases = [phrase.text for pose in load_poses().values() for phrase in pose.phrases]
    things = [w.en for w in (*all_items().values(), *all_kinds().values(), *all_colors().values())]
    for text in (*texts, *phrases, *things):
        for run in RUN.findall(text.lower()):
            if run.isalpha() and run.isascii() and len(run) > 4 and "_" not in run:
                assert count_tokens(run) < len(run), run


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a girl", 2), ("A girl, standing.", 5), ("the girl's left", 4), ("1girl", 2), ("qzxvk", 5), ("é", 2)],
)
def test_counts_of_known_texts(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens
