"""The tests of a pose's phrases, on this body in this picture."""

from __future__ import annotations

import numpy as np

from vrm_synth.facts.body_state import BodyState
from vrm_synth.facts.contacts import head_place, touching
from vrm_synth.facts.facts import PhraseFact
from vrm_synth.facts.limbs import Limbs, unit
from vrm_synth.pose.phrases import PLACES, Pair, Phrase

MIN_ABOVE = 0.02  # of the hips' height: how much higher, farther forward or farther back one thing is than another
MIN_BENT, MAX_STRAIGHT = 45.0, 38.0  # degrees of an elbow or a knee
MIN_FACING = -0.2  # cosine between the outward direction of a place of the head and that to the camera
MIN_TURN = 30.0  # degrees of the head from the hips


def true_phrases(state: BodyState, phrases: tuple[Phrase, ...]) -> tuple[PhraseFact, ...]:
    """The phrases that are true of the picture, most telling first; at most one about each bone, none twice."""
    facts: list[PhraseFact] = []
    described: set[str] = set()
    texts: set[str] = set()
    for phrase in phrases:
        if phrase.text in texts or not described.isdisjoint(phrase.shows) or not holds(state, phrase):
            continue
        facts.append(PhraseFact(phrase.text, phrase.ja, phrase.tags))
        described.update(phrase.shows)
        texts.add(phrase.text)
    return tuple(facts)


def holds(state: BodyState, phrase: Phrase) -> bool:
    """True where all of a phrase's tests hold and the picture shows its bones; the cheap ones are tried first."""
    limbs, p = state.limbs, phrase
    needed = {*p.bent, *p.straight, *(b for pair in (*p.above, *p.front, *p.behind, *p.apart) for b in pair)}
    if not limbs.legs_are_long and any(b.endswith(("LowerLeg", "Foot", "Toes")) for b in p.shows):
        return False
    if not needed <= limbs.joints.keys() or not all(map(limbs.visible.shows, p.shows)):
        return False
    up, ahead = np.array([0.0, 1.0, 0.0]), limbs.ahead
    return (
        (not p.posture or state.posture == p.posture)
        and (not p.torso or state.torso == p.torso)
        and (not p.legs or state.legs == p.legs)
        and all(state.arm(side) == name for side, name in p.arms)
        and (not p.turned or (limbs.head_turn if p.turned == "left" else -limbs.head_turn) >= MIN_TURN)
        and (not p.looking_back or state.looks_back)
        and all(limbs.bend(b) >= MIN_BENT for b in p.bent)
        and all(limbs.bend(b) <= MAX_STRAIGHT for b in p.straight)
        and all(_is_beyond(limbs, pair, up) for pair in p.above)
        and all(_is_beyond(limbs, pair, ahead) for pair in p.front)
        and all(_is_beyond(limbs, pair, -ahead) for pair in p.behind)
        and all(_are_apart(limbs, *pair) for pair in p.apart)
        and all(state.hand(side) == name for side, name in p.hands)
        and all(_is_turned_to_camera(limbs, place) for pair in p.touch for place in pair if place in PLACES)
        and all(touching(limbs, *pair) for pair in p.touch)
    )


def _is_beyond(limbs: Limbs, pair: Pair, axis: np.ndarray) -> bool:
    """True where the first of two is farther along an axis."""
    one, other = map(limbs.middle, pair)
    return float((one - other) @ axis) >= MIN_ABOVE * limbs.view.parts.hips_height


def _is_turned_to_camera(limbs: Limbs, place: str) -> bool:
    """True where a place of the head is on the side that the camera sees."""
    at = head_place(limbs, place)
    if at is None:
        return False
    level = limbs.head[1]
    out = at - limbs.joints["head"]
    return float(unit(out - (out @ level) * level) @ limbs.to_camera(at)) >= MIN_FACING


def _are_apart(limbs: Limbs, a: str, b: str) -> bool:
    return float(np.linalg.norm(limbs.middle(a) - limbs.middle(b))) >= limbs.shoulder_width
