"""The sizes of captions: which facts a short and a medium one have. What a shorter one says, a longer one says, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vrm_synth.facts.facts import (
    CharacterFacts,
    FaceFacts,
    Facts,
    HairFacts,
    PoseFacts,
    SceneFacts,
    SkinFacts,
    ViewFacts,
)

PLAIN_SKIN = ("fair", "light")
TELLING_HANDS = ("peace", "point", "thumb_up")


def medium(facts: Facts) -> Facts:
    """The facts without what pictures mostly have: light, plain skin, open hands, closed mouth, one arm that hangs."""
    return [facts, *plainer(facts)][-1]


def plainer(facts: Facts) -> Iterator[Facts]:
    """The facts with ever less of what pictures mostly have, down to the medium size."""
    for without in (_light, _open_hands, _closed_mouth, _hanging_arm, _legs_together, _plain_skin):
        if (less := without(facts)) != facts:
            facts = less
            yield facts


def _light(f: Facts) -> Facts:
    return replace(f, scene=SceneFacts(background=f.scene.background))


def _open_hands(f: Facts) -> Facts:
    left, right = ("" if hand == "open" else hand for hand in (f.left_hand, f.right_hand))
    return replace(f, left_hand=left, right_hand=right)


def _closed_mouth(f: Facts) -> Facts:
    return replace(f, face=replace(f.face, mouth="")) if f.face.mouth == "closed" else f


def _hanging_arm(f: Facts) -> Facts:
    arms = (f.pose.left_arm, f.pose.right_arm)
    if "down" not in arms or arms[0] == arms[1]:
        return f
    left, right = ("" if arm == "down" else arm for arm in arms)
    return replace(f, pose=replace(f.pose, left_arm=left, right_arm=right))


def _legs_together(f: Facts) -> Facts:
    return replace(f, pose=replace(f.pose, legs="")) if f.pose.legs == "together" else f


def _plain_skin(f: Facts) -> Facts:
    return replace(f, skin=SkinFacts(color=f.skin.color)) if f.skin.tone in PLAIN_SKIN else f


def short(facts: Facts) -> Facts:
    """Framing, who it is, one thing of the looks and one of what it does."""
    return _one_of_the_looks(facts, _one_of_the_doing(facts))


def _one_of_the_looks(facts: Facts, to: Facts) -> Facts:
    if facts.character.description:
        return to
    if facts.hair.colors or facts.hair.style:
        return replace(to, hair=facts.hair)
    if facts.garments:
        return replace(to, garments=facts.garments[:1])
    if facts.accessories:
        return replace(to, accessories=facts.accessories[:1])
    return replace(to, hair=facts.hair)


def _one_of_the_doing(facts: Facts) -> Facts:
    who, pose, view = facts.character, facts.pose, facts.view
    bare = Facts(
        count=facts.count,
        character=CharacterFacts(name=who.name, kind=who.kind, description=who.description),
        framing=facts.framing,
        hair=HairFacts(),
    )
    if facts.count < 1:
        return replace(bare, scene=facts.scene)
    if pose.phrases:
        return replace(bare, pose=PoseFacts(phrases=pose.phrases[:1]))
    hands = [h if h in TELLING_HANDS else "" for h in (facts.left_hand, facts.right_hand)]
    if any(hands):
        return replace(bare, left_hand=hands[0], right_hand=hands[1])
    if pose.posture not in ("", "standing"):
        return replace(bare, pose=PoseFacts(posture=pose.posture))
    if view.body.startswith(("behind", "back", "side")):
        return replace(bare, view=ViewFacts(body=view.body))
    if facts.face.expression:
        return replace(bare, face=FaceFacts(expression=facts.face.expression))
    if pose.posture:
        return replace(bare, pose=PoseFacts(posture=pose.posture))
    return replace(bare, view=ViewFacts(body=view.body, face="" if view.body else view.face))
