"""Captions of mirrored pictures, compared with those that we write of such a picture."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from vrm_synth.caption.captioner import caption
from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.facts.facts import FaceFacts, Facts, PhraseFact, PoseFacts, SceneFacts, ViewFacts
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.training.data.captions import choose_text, mirror, possible_texts, shuffle_tags
from vrm_synth.training.data.source import CaptionText

PHRASES = [p for pose in load_poses().values() for p in pose.phrases]


def test_every_phrase_of_the_poses_is_mirrored_as_the_pose_is():
    for phrase in PHRASES:
        assert mirror(phrase.text) == phrase.mirror().text


def test_the_mirrored_caption_is_the_caption_of_the_mirror_image():
    """Of English captions; tags name the sides in words of their own."""
    winks, sides = {"wink_left": "wink_right", "open": "open"}, {"": "", "front": "front", "side_left": "side_right"}
    sides |= {"three_quarter_right": "three_quarter_left", "behind_left": "behind_right"}
    changed = 0
    for seed, side, phrase, eyes in itertools.product(range(12), sides, PHRASES[:8], winks):
        facts = Facts(
            framing="full_body",
            view=ViewFacts(body=side, height="high"),
            pose=PoseFacts(phrases=(PhraseFact(phrase.text),)),
            face=FaceFacts(expression="happy", eyes=eyes),
            scene=SceneFacts(background="red"),
        )
        image = replace(
            facts,
            view=ViewFacts(body=sides[side], height="high"),
            pose=PoseFacts(phrases=(PhraseFact(phrase.mirror().text),)),
            face=FaceFacts(expression="happy", eyes=winks[eyes]),
        )
        for style in ("en_short", "en", "en_long"):
            ours, theirs = (caption(f, CaptionSettings(style=style), seed) for f in (facts, image))
            assert mirror(ours) == theirs
            changed += ours != theirs
    assert changed > 100


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("Left hand raised, looking to the RIGHT", "Right hand raised, looking to the LEFT"),
        ("looking_to_the_left, right-handed", "looking_to_the_right, left-handed"),
        ("leftmost, rightwards", "rightmost, leftwards"),
        ("upright, a bright cleft copyright", "upright, a bright cleft copyright"),
        ("making a peace sign with the left hand", "making a peace sign with the right hand"),
        ("右手を上げて左を見る、左右対称", "左手を上げて右を見る、左右対称"),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_left_and_right_are_swapped(text, image):
    assert mirror(text) == image
    assert mirror(image) == text


@pytest.mark.parametrize(
    "text",
    [
        "a street sign on the left",
        "english text, 1girl",
        "a poster behind her",
        "signature, left arm up",
        "the bag she left behind",
        "right now she smiles",
        "all right",
        "a clock",
        "看板の前",
        "turning clockwise",
        "there is one left",
    ],
)
def test_captions_that_cannot_be_mirrored_truthfully_are_not(text):
    assert mirror(text) is None


def test_tags_are_shuffled_behind_those_that_are_kept():
    tags = "1girl, solo, a, b, c, d、e"
    several = {shuffle_tags(tags, 2, np.random.default_rng(i)) for i in range(30)}
    assert len(several) > 10
    for s in several:
        assert s.startswith("1girl, solo, ") and sorted(s.split(", ")) == ["1girl", "a", "b", "c", "d", "e", "solo"]
    assert shuffle_tags(tags, 99, np.random.default_rng(0)) == "1girl, solo, a, b, c, d, e"


def test_tags_replace_sentences_where_preferred_and_present():
    both, only = CaptionText("A girl.", "1girl"), CaptionText("", "1girl")
    assert choose_text(both, False) == ("A girl.", False) and choose_text(both, True) == ("1girl", True)
    assert choose_text(only, False) == choose_text(only, True) == ("1girl", True)
    assert choose_text(CaptionText("A girl."), True) == ("A girl.", False)
    assert possible_texts(both, 0.0) == ("A girl.",) and possible_texts(both, 0.5) == ("A girl.", "1girl")
    assert possible_texts(both, 1.0) == ("1girl",) and possible_texts(only, 0.0) == ("1girl",)
