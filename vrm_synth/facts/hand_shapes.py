"""Shapes of the hands of one picture, by the joints of their fingers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vrm_synth.camera.depth_test import DepthTest, inside
from vrm_synth.core.transforms import Array
from vrm_synth.facts.facts import HandShape
from vrm_synth.facts.limbs import Limbs
from vrm_synth.facts.visible_regions import vertex_counts
from vrm_synth.pose.phrases import Side

MIN_HAND_PIXELS = {"open": 130, "fist": 110, "peace": 180, "point": 150, "thumb_up": 170}  # of a picture of 512 × 512
MIN_HAND_SHARE = 0.45  # of the hand's pixels, unhidden
MIN_FINGER_VERTICES = 6  # of each finger that is measured
MAX_STRAIGHT = 32.0  # degrees that a straight finger bends at its two lower joints together
MIN_CLOSED = 115.0  # degrees that a closed finger bends there
MIN_SPREAD = 12.0  # degrees between index and middle finger of a peace sign
MIN_THUMB_OUT = 50.0  # degrees between a thumb that is up and the fingers' direction, toward the thumb's side
MAX_THUMB_IN = 30.0  # the same of a thumb that lies across a fist
MAX_THUMB_FROM_UP = 40.0  # degrees of a thumb that is up from straight up in the world
MAX_END_ON = 0.85  # cosine between a finger and the line of sight from which its shape cannot be seen
MAX_EDGE_ON = 0.87  # cosine between the palm's breadth and the line of sight, from which fingers hide each other
FINGER_DEPTH = 0.25  # of the hand's length: what is no farther in front of a fingertip is the hand itself

FINGERS = ("Index", "Middle", "Ring", "Little")
EXTENDED: dict[HandShape, tuple[str, ...]] = {
    "open": FINGERS,
    "fist": (),
    "peace": ("Index", "Middle"),
    "point": ("Index",),
    "thumb_up": ("Thumb",),
}


@dataclass(frozen=True, eq=False)
class _Hand:
    """One hand's fingers.

    forward, across, palm: (3,) world directions of the fingers at rest, of the breadth toward the thumb, and out of
    the palm. bends: finger → degrees, both lower joints together. fingers: finger → (3,) its direction. tips: finger →
    (3,) its last joint, world metres.
    """

    forward: Array
    across: Array
    palm: Array
    bends: dict[str, float]
    fingers: dict[str, Array]
    tips: dict[str, Array]


def hand_shape(limbs: Limbs, side: Side) -> HandShape:
    """The shape of one hand; "" where it does not show or is none of the known ones, or the body is not a person's."""
    if not limbs.view.parts.is_person:  # whose hands may rest in any way
        return ""
    region, drawn = side + "Hand", limbs.visible.drawn
    pixels = limbs.visible.pixels(region) / drawn.scale
    if pixels < min(MIN_HAND_PIXELS.values()) or limbs.visible.share(region) < MIN_HAND_SHARE:
        return ""
    shape = formed_shape(limbs, side)
    return shape if shape and pixels >= MIN_HAND_PIXELS[shape] and _is_readable(limbs, side, shape) else ""


def formed_shape(limbs: Limbs, side: str) -> HandShape:
    """The shape that a hand's joints form, seen or not; "" where it is none, or where its fingers have no surface."""
    hand = _hand(limbs, side)
    if hand is None:
        return ""
    measured = [f for f in FINGERS if f in hand.bends]
    straight = tuple(f for f in measured if hand.bends[f] <= MAX_STRAIGHT)
    closed = tuple(f for f in measured if hand.bends[f] >= MIN_CLOSED)
    if len(straight) + len(closed) < len(measured):
        return ""
    if not closed:
        return "open"
    if straight == ("Index",):
        return "point"
    if straight == ("Index", "Middle"):
        cosine = float(hand.fingers["Index"] @ hand.fingers["Middle"])
        return "peace" if np.degrees(np.arccos(min(1.0, cosine))) >= MIN_SPREAD else ""
    if straight or "Thumb" not in hand.fingers:
        return ""
    out = np.degrees(np.arcsin(np.clip(hand.fingers["Thumb"] @ hand.across, -1.0, 1.0)))
    if out <= MAX_THUMB_IN:
        return "fist"
    is_up = hand.fingers["Thumb"][1] >= np.cos(np.radians(MAX_THUMB_FROM_UP))
    return "thumb_up" if out >= MIN_THUMB_OUT and is_up else ""


def _is_readable(limbs: Limbs, side: str, shape: HandShape) -> bool:
    """True where a hand is seen from a side that shows the shape."""
    hand = _hand(limbs, side)
    if hand is None:
        return False
    extended = [f for f in EXTENDED[shape] if f in hand.fingers]
    to_camera = limbs.to_camera(limbs.joints[side + "Hand"])
    if any(abs(float(hand.fingers[f] @ to_camera)) > MAX_END_ON for f in extended):
        return False
    if len(extended) > 1 and abs(float(hand.across @ to_camera)) > MAX_EDGE_ON:
        return False
    return not extended or _in_sight(limbs, np.stack([hand.tips[f] for f in extended]), side)


def _in_sight(limbs: Limbs, tips: Array, side: str) -> bool:
    view, drawn = limbs.view, limbs.visible.drawn
    length = float(np.linalg.norm(limbs.points(side + "Hand") - limbs.joints[side + "Hand"], axis=1).max())
    hidden = DepthTest(view.camera, drawn.depth).hidden(tips, FINGER_DEPTH * length)
    return bool((inside(view.camera, view.aspect, tips) & ~hidden).all())


def _hand(limbs: Limbs, side: str) -> _Hand | None:
    """A hand's fingers, those with joints and a surface that shows them; None where too few of them tell a shape."""
    x, y, z = limbs.frame(side + "Hand")
    forward, palm, across = (x if side == "left" else -x), -y, z  # as in the T-pose
    bends, fingers, tips = {}, {}, {}
    for finger in (*FINGERS, "Thumb"):
        bones = finger_bones(side, finger)
        if not all(b in limbs.joints for b in bones) or _vertex_count(limbs, bones) < MIN_FINGER_VERTICES:
            continue
        first, second = limbs.direction(bones[0], bones[1]), limbs.direction(bones[1], bones[2])
        bends[finger] = _flexion(forward, palm, second, first)
        fingers[finger], tips[finger] = (second if finger == "Thumb" else first), limbs.joints[bones[2]]
    if not {"Index", "Middle"} <= bends.keys() or bends.keys().isdisjoint(("Ring", "Little")):
        return None
    return _Hand(forward, across, palm, bends, fingers, tips)


def finger_bones(side: str, finger: str) -> tuple[str, str, str]:
    """The bones of a finger, from the palm to the tip."""
    joints = ("Metacarpal", "Proximal", "Distal") if finger == "Thumb" else ("Proximal", "Intermediate", "Distal")
    a, b, c = (f"{side}{finger}{joint}" for joint in joints)
    return a, b, c


def _flexion(forward: Array, palm: Array, second: Array, first: Array) -> float:
    """Degrees that the second of two finger bones is bent toward the palm, from the hand's direction."""
    one = np.degrees(np.arctan2(first @ palm, first @ forward))
    both = np.degrees(np.arctan2(second @ palm, second @ forward))
    step = (both - one + 90.0) % 360.0 - 90.0  # no joint bends backward by more than a quarter turn
    return round(abs(float(one + step)), 3)


def _vertex_count(limbs: Limbs, bones: tuple[str, ...]) -> int:
    counts = vertex_counts(limbs.view.parts)
    return sum(counts[b] for b in bones)
