"""The facts that captions can state: known words, safe strings, no contradictions."""

from __future__ import annotations

from dataclasses import replace

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption.phrase_cover import covered
from vrm_synth.caption.safe_text import description_text, name_text
from vrm_synth.facts.facts import (
    CharacterFacts,
    Facts,
    HairFacts,
    HandShape,
    Item,
    PhraseFact,
    PoseFacts,
    SceneFacts,
    SkinFacts,
    ViewFacts,
)

BENT = ("bending_forward", "leaning_forward")
GLAD = ("cheering", "for joy")  # words of phrases
UNTURNED = ("front", "three_quarter_left", "three_quarter_right")


def sayable(facts: Facts) -> Facts:
    """The facts in words that the vocabulary has; anything else, from a stranger's dataset for example, is left out.

    Shut eyes look nowhere and have no color, a bald head has no hair, who is seen from the front looks not back, and
    one arm that hangs or one open hand is not what a picture is of.
    """
    if facts.count < 1:
        return Facts(count=0, scene=SceneFacts(background=facts.scene.background))
    who, hair, face = facts.character, facts.hair, facts.face
    shut = face.eyes == "closed"
    return replace(
        facts,
        character=CharacterFacts(
            _proper_name(who),
            who.kind if who.kind in all_kinds() else "",
            who.style,
            description_text(who.description),
        ),
        face=replace(face, gaze="") if shut else face,
        view=_view(facts) if facts.count == 1 else ViewFacts(height=facts.view.height, roll=facts.view.roll),
        pose=_pose(facts),
        left_hand=_telling(facts.left_hand, facts.right_hand),
        right_hand=_telling(facts.right_hand, facts.left_hand),
        hair=HairFacts(length="bald") if hair.length == "bald" else replace(hair, colors=_colors(hair.colors)),
        eye_colors=() if shut else _colors(facts.eye_colors),
        skin=SkinFacts(facts.skin.tone, *_colors((facts.skin.color,))[:1]) if facts.skin.color else facts.skin,
        garments=_suit(_items(facts.garments)),
        accessories=_items(facts.accessories),
    )


def _view(facts: Facts) -> ViewFacts:
    """The view; who bends or bows turns the face down, not away."""
    view, pose = facts.view, facts.pose
    bends = pose.torso in BENT or "torso" in covered(pose.phrases)
    return replace(view, face="") if bends and view.face.startswith(("behind", "back")) else view


def _pose(facts: Facts) -> PoseFacts:
    """The pose; an arm that hangs says nothing of a figure of whose other arm nothing is known."""
    pose = replace(facts.pose, phrases=tuple(p for p in facts.pose.phrases if not _denied(p, facts.face.expression)))
    if facts.view.body in UNTURNED:
        pose = replace(pose, looking_back=False)
    if {pose.left_arm, pose.right_arm} == {"", "down"}:
        pose = replace(pose, left_arm="", right_arm="")
    return pose


def _denied(phrase: PhraseFact, expression: str) -> bool:
    """True where the face denies the mood that a phrase tells."""
    glad = any(word in phrase.en for word in GLAD)
    return glad and expression in ("angry", "sad")


def _telling(hand: HandShape, other: HandShape) -> HandShape:
    """A hand's shape; one open hand says nothing of a figure of whose other hand nothing is known."""
    return "" if hand == "open" and other == "" else hand


def _proper_name(who: CharacterFacts) -> str:
    """The name; "" where it only says what the figure is ("Robot, a robot")."""
    name, kind = name_text(who.name), who.kind
    same = {kind.replace("_", " "), all_kinds()[kind].en} if kind in all_kinds() else set()
    return "" if name.lower() in same else name


def without_looks(facts: Facts) -> Facts:
    """The facts of a figure whose looks the user's own description tells."""
    return replace(facts, hair=HairFacts(), eye_colors=(), skin=SkinFacts(), garments=(), accessories=())


def _colors(colors: tuple[str, ...]) -> tuple[str, ...]:
    known = all_colors()
    return tuple(dict.fromkeys(c for c in colors if c in known))[:2]


def _suit(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """A suit's jacket and trousers of one color as what they are together, a suit."""
    by_kind = {item.kind: item for item in items}
    jacket, trousers = by_kind.get("suit_jacket"), by_kind.get("trousers")
    if not jacket or not trousers or not jacket.colors or jacket.colors != trousers.colors:
        return items
    return tuple(replace(i, kind="suit") if i is jacket else i for i in items if i is not trousers)


def _items(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Known items, each kind once."""
    known = all_items()
    first = {item.kind: item for item in reversed(items) if item.kind in known}
    return tuple(replace(first.pop(item.kind), colors=_colors(item.colors)) for item in items if item.kind in first)
