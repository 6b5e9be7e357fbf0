"""The groups of facts that the phrases of a pose already state, by the words of their English text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from vrm_synth.caption.wording_files import english_wording
from vrm_synth.facts.facts import PhraseFact, PoseFacts

_WORD = re.compile(r"[A-Za-z]+(?:-[a-z]+)?")


def covered(phrases: Iterable[PhraseFact]) -> frozenset[str]:
    """The groups that the phrases cover: posture, torso, legs, gaze, left_arm, right_arm, left_hand, right_hand."""
    return frozenset(group for phrase in phrases for group in _covered(phrase.en))


@lru_cache(maxsize=1024)
def _covered(text: str) -> tuple[str, ...]:
    table, side = english_wording().covers, ""
    groups: list[str] = []
    limbs: list[tuple[str, str]] = []  # (arm or hand, side or "")
    for word in _WORD.findall(text):
        if word in ("left", "right"):
            side = word
            continue
        found = table.get(word, ())
        groups += [g for g in found if g not in ("arms", "hands")]
        limbs += [(g.removesuffix("s"), side) for g in found if g in ("arms", "hands")]
        side = side if word in ("index", "thumb") else ""
    # "saluting with the right hand": what has no side of its own is on the one that the phrase names.
    named = tuple(dict.fromkeys(s for _, s in limbs if s)) or ("left", "right")
    groups += [f"{s}_{limb}" for limb, own in limbs for s in ((own,) if own else named)]
    return tuple(dict.fromkeys(groups))


def without_doubles(pose: PoseFacts, groups: frozenset[str]) -> PoseFacts:
    """The pose without the groups that `covered` found in its phrases."""
    return PoseFacts(
        phrases=pose.phrases,
        posture="" if "posture" in groups else pose.posture,
        torso="" if "torso" in groups else pose.torso,
        legs="" if "legs" in groups else pose.legs,
        left_arm="" if "left_arm" in groups else pose.left_arm,
        right_arm="" if "right_arm" in groups else pose.right_arm,
        looking_back=pose.looking_back and "gaze" not in groups,
    )
