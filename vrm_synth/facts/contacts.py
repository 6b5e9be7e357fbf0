"""Contacts of one posed body: which parts touch, on the vertices of this avatar."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from vrm_synth.core.transforms import Array
from vrm_synth.facts.limbs import Limbs, between
from vrm_synth.pose.phrases import PLACES
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES, BodyParts

MAX_GAP = 0.036  # of the hips' height: as near as cloth lies to skin
MAX_HAND_GAP = 0.028  # the same between two hands
MAX_PLACE_GAP = 0.075  # the same to a single point of the head
MAX_HAND_DISTANCE = 0.7  # of a hand's length: distance between the middles of two hands that hold each other
MAX_PALM_ANGLE = 40.0  # degrees by which palms may miss facing each other
HANDS = {"leftHand", "rightHand"}
PALMS = {"leftPalm", "rightPalm"}
NEAR = 96  # vertices of each of two parts, those that lie near the other, that are compared
MOUTH_HEIGHT = 0.4  # of the way from the head's joint up to the eyes, without which the mouth is not known
EYE_HEIGHT = 0.42  # of the way from the head's joint to its top, where there are no eyes

_PLACES: WeakKeyDictionary[BodyParts, dict[str, Array]] = WeakKeyDictionary()


def touching(limbs: Limbs, a: str, b: str) -> bool:
    """True where two bones, or a bone and a region or place of the head, come as near as cloth lies to skin.

    Two hands touch when they could hold each other, not with their fingertips or with crossed wrists; two palms when
    they also face each other.
    """
    if a in PLACES or b in PLACES:
        bone, place = (b, a) if a in PLACES else (a, b)
        points, at = limbs.points(bone), head_place(limbs, place)
        return at is not None and len(points) >= MIN_BONE_VERTICES and _reach(limbs, points - at) <= MAX_PLACE_GAP
    one, other = (limbs.view.vertices[limbs.view.bone_vertices(n)] for n in (a, b))
    gap = (MAX_HAND_GAP if {a, b} in (HANDS, PALMS) else MAX_GAP) * limbs.view.parts.hips_height
    if min(len(one), len(other)) < MIN_BONE_VERTICES or not _meet(one, other, gap):
        return False
    if {a, b} == PALMS:
        return _palms_face_each_other(limbs)
    return {a, b} != HANDS or (_hand_distance(limbs) <= MAX_HAND_DISTANCE and _wrists_are_uncrossed(limbs))


def head_place(limbs: Limbs, place: str) -> Array | None:
    """(3,) a place of the posed head, world metres; None where it is not known."""
    parts = limbs.view.parts
    if parts not in _PLACES:
        _PLACES[parts] = _places_at_rest(parts)
    at = _PLACES[parts].get(place)
    return None if at is None else np.asarray(limbs.joints["head"] + at @ limbs.head)


def _places_at_rest(parts: BodyParts) -> dict[str, Array]:
    """Places of the head at rest, from its joint, metres: left, up, forward."""
    joint = parts.landmarks["head"]
    points = parts.rest[parts.direct & ~parts.spring_driven & parts.of_bones("head", "jaw")] - joint
    if len(points) < MIN_BONE_VERTICES:
        return {}
    eyes = [parts.landmarks[b][1] - joint[1] for b in ("leftEye", "rightEye") if b in parts.landmarks]
    eye = float(np.mean(eyes)) if eyes else EYE_HEIGHT * float(points[:, 1].max())
    mouth, width = MOUTH_HEIGHT * eye, float(np.percentile(np.abs(points[:, 0]), 90))
    near = points[(np.abs(points[:, 1] - mouth) < 0.3 * abs(eye)) & (np.abs(points[:, 0]) < width / 3)]
    front = float((near if len(near) else points)[:, 2].max())
    return ({"mouth": np.array([0.0, mouth, front])} if eyes else {}) | {
        "chin": np.array([0.0, min(0.0, float(near[:, 1].min()) if len(near) else 0.0), 0.85 * front]),
        "leftEar": np.array([width, 0.85 * eye, 0.0]),
        "rightEar": np.array([-width, 0.85 * eye, 0.0]),
    }


def _reach(limbs: Limbs, offsets: Array) -> float:
    return float(np.sqrt((offsets**2).sum(1).min())) / limbs.view.parts.hips_height


def _meet(one: Array, other: Array, gap: float) -> bool:
    """True where a vertex of one (N, 3) comes within `gap` metres of one of the other (M, 3)."""
    low, high = np.maximum(one.min(0), other.min(0)) - gap, np.minimum(one.max(0), other.max(0)) + gap
    one, other = (p[((p >= low) & (p <= high)).all(1)] for p in (one, other))
    if not len(one) or not len(other):
        return False
    one, other = (p[np.linspace(0, len(p) - 1, min(NEAR, len(p))).astype(np.intp)] for p in (one, other))
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return bool(square.min() <= gap * gap)


def _hand_distance(limbs: Limbs) -> float:
    """Distance between the middles of the hands, in lengths of a hand."""
    parts = limbs.view.parts
    rest = parts.rest[limbs.view.bone_vertices("leftHand")]
    length = np.linalg.norm(rest - parts.landmarks["leftHand"], axis=1).max()
    return float(np.linalg.norm(limbs.middle("leftHand") - limbs.middle("rightHand")) / length)


def _wrists_are_uncrossed(limbs: Limbs) -> bool:
    across = limbs.joints["leftUpperArm"] - limbs.joints["rightUpperArm"]
    return float((limbs.joints["leftHand"] - limbs.joints["rightHand"]) @ across) > 0


def _palms_face_each_other(limbs: Limbs) -> bool:
    # Palms face down in the T-pose.
    left, right = (-limbs.frame(hand)[1] for hand in ("leftHand", "rightHand"))
    apart = limbs.points("rightPalm").mean(0) - limbs.points("leftPalm").mean(0)
    return between(left, -right) <= MAX_PALM_ANGLE and between(left, apart) < 90
