"""The sizes of captions: which facts a short and a medium one have. What a shorter one says, a longer one says, too."""

from __future__ import annotations

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
    left, right = facts.pose.left_arm, facts.pose.right_arm
    if "down" in (left, right) and left != right:
        left, right = "" if left == "down" else left, "" if right == "down" else right
    together = facts.pose.legs == "together"
    return replace(
        facts,
        skin=SkinFacts(color=facts.skin.color) if facts.skin.tone in PLAIN_SKIN else facts.skin,
        left_hand="" if facts.left_hand == "open" else facts.left_hand,
        right_hand="" if facts.right_hand == "open" else facts.right_hand,
        face=replace(facts.face, mouth="") if facts.face.mouth == "closed" else facts.face,
        pose=replace(facts.pose, left_arm=left, right_arm=right, legs="" if together else facts.pose.legs),
        scene=SceneFacts(background=facts.scene.background),
    )


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
