"""How much of the figure one picture shows: where the picture's edge cuts the body's own line from head to toes."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from vrm_synth.camera.depth_test import inside
from vrm_synth.camera.framing import project
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import Framing
from vrm_synth.shot.body_parts import HEAD, BodyParts
from vrm_synth.shot.body_view import BodyView

MIN_HEAD_PIXELS = 150.0  # of a picture of 512²: a head in sight
WHOLE = 0.995  # least share of a part's vertices inside the picture for the part to be in it whole
HEAD_IN = 0.75  # the same for a head, whose crown and chin a close-up may cut
HANDS_IN = 0.9  # the same for the whole figure, of which fingers or loose hair may be cut
# The line runs 0 at the neck, 1 at the hips, 2 at the knees, 3 at the ankles. Between two spans nothing is said.
CLOSE_UP = ((0.0, 0.34, 0.52), (0.0, 0.56, 0.69))  # least and most of the line, least height of the head
# The same, least and most height of the head: seen from above, a bust shows much of the line and little of the breast.
PORTRAIT = ((0.12, 0.7, 0.0, 0.5), (0.38, 0.7, 0.5, 0.66), (0.58, 0.75, 0.66, 0.76), (0.7, 0.92, 0.46, 0.64))
UPPER_BODY_CUT = (0.78, 1.16)
MOST_HEAD = 0.56  # of the picture's height, below the breast; a larger head is seen from above, or is half a body
HALF_A_BODY = 0.42  # of the body's height at rest: a head of which there are no portraits
COWBOY_CUT = (1.26, 1.99)
LAP_CUT = 1.5  # of a sitting or kneeling figure: up to here the picture is of the upper body, with its lap
KNEES_CUT = (1.56, 2.05)  # the same figure's, where it is shown with its thighs
MAX_SEATED_FEET = 1000.0  # pixels of the feet behind such thighs, of a picture of 512²
MIN_KNEES_BELOW = 0.15  # of half the picture's height: how much lower than the hips the knees at its edge are
KNEES_UP = 0.64  # least height of a head in a close-up in which drawn up knees show
LEVEL_THIGH = 0.65  # most part of a thigh's length that is up or down, for a sitting figure
LOWER_BODY = ("UpperLeg", "LowerLeg", "Foot", "Toes")
WHOLE_BODY = ("hips", *(side + bone for side in ("left", "right") for bone in LOWER_BODY))
MIN_AGAIN_PIXELS = 60.0  # of a picture of 512²: legs in sight below a cut
MAX_LEG_PIXELS = 250.0  # the same of a close-up or a portrait, which shows no lap
STEPS = 20  # points on each stretch of the line


def framing(drawn: DrawnBody) -> Framing:
    """The framing by what is in sight, whatever crop was chosen."""
    view = drawn.view
    if not view.parts.is_person:
        return "full_body" if bool(view.inside_picture.all()) else ""
    head = view.inside_share(*HEAD)
    if head < HEAD_IN or drawn.pixels.by_region.get("head", 0.0) < MIN_HEAD_PIXELS * drawn.scale:
        return ""
    if head >= WHOLE and all(view.inside_share(bone) >= WHOLE for bone in WHOLE_BODY):
        return "full_body" if view.inside_share(*BONE_NAMES) >= HANDS_IN else ""
    return "" if _is_mostly_head(view.parts) else _cut_framing(view, _cuts(drawn), head)


_MOSTLY_HEAD: WeakKeyDictionary[BodyParts, bool] = WeakKeyDictionary()


def _is_mostly_head(parts: BodyParts) -> bool:
    if parts not in _MOSTLY_HEAD:
        body, head = parts.rest[parts.direct, 1], parts.rest[parts.direct & parts.of_bones("head"), 1]
        _MOSTLY_HEAD[parts] = len(head) > 0 and float(np.ptp(head)) > HALF_A_BODY * float(np.ptp(body))
    return _MOSTLY_HEAD[parts]


@dataclass(frozen=True)
class Cuts:
    """Where the picture's edge cuts the line from the neck to the ankles.

    first, last: of the two legs, along the line; 3 where a leg is not cut. again: something below a cut is in the
    picture again, as knees are that are drawn up. below: the first cut, of those by the lower edge; 3 where there is
    none. legs, feet, all_feet: pixels of the legs, with the feet, of a foot whose leg the lower edge does not cut, and
    of both feet, of a picture of 512².
    """

    first: float
    last: float
    again: bool
    below: float
    legs: float
    feet: float
    all_feet: float


def _cut_framing(view: BodyView, cuts: Cuts, head: float) -> Framing:
    first, last, share = cuts.first, cuts.last, view.head_share
    bare = cuts.legs <= MAX_LEG_PIXELS or share >= KNEES_UP
    if bare and any(least <= first and last <= most and share >= size for least, most, size in CLOSE_UP):
        return "close_up"
    if head < WHOLE:
        return ""
    bare = cuts.legs <= MAX_LEG_PIXELS and not cuts.again
    if bare and any(least <= first and last <= most and low <= share <= high for least, most, low, high in PORTRAIT):
        return "portrait"
    return "" if share > MOST_HEAD else _lower_framing(view, cuts)


def _lower_framing(view: BodyView, cuts: Cuts) -> Framing:
    """The framing of a picture with more than the bust."""
    if UPPER_BODY_CUT[0] <= cuts.first and cuts.last <= UPPER_BODY_CUT[1]:
        return "" if cuts.again else "upper_body"
    if cuts.feet >= MIN_AGAIN_PIXELS:  # a whole leg in sight: that the other is cut is no framing
        return ""
    if _sits(view):
        if cuts.first >= UPPER_BODY_CUT[0] and cuts.last <= LAP_CUT and not cuts.again:
            return "upper_body"
        return "cowboy" if cuts.all_feet <= MAX_SEATED_FEET and KNEES_CUT[0] <= cuts.below <= KNEES_CUT[1] else ""
    return "cowboy" if COWBOY_CUT[0] <= cuts.below <= COWBOY_CUT[1] and cuts.first >= COWBOY_CUT[0] else ""


def _sits(view: BodyView) -> bool:
    """True where both thighs are nearly level."""
    at = view.posed.bone_positions()
    for side in ("left", "right"):
        thigh = at[side + "LowerLeg"] - at[side + "UpperLeg"]
        if abs(float(thigh[1])) > LEVEL_THIGH * float(np.linalg.norm(thigh)):
            return False
    return True


def _cuts(drawn: DrawnBody) -> Cuts:
    view = drawn.view
    at = view.posed.bone_positions()
    top = at.get("neck", at["head"])
    lines = [
        _between(np.array([top, at["hips"], at[f"{side}LowerLeg"], at[f"{side}Foot"]]), 3) for side in ("left", "right")
    ]
    ends, again, below, feet, all_feet = [], False, 3.0, 0.0, 0.0
    points = np.concatenate(lines)
    height = project(view.camera, view.aspect, points)[:, 1]
    low = height < -1.0
    seen_low = zip(np.split(inside(view.camera, view.aspect, points), 2), np.split(low, 2), strict=True)
    for side, (seen, under) in zip(("left", "right"), seen_low, strict=True):
        out = np.flatnonzero(~seen)
        first = int(out[0]) if len(out) else len(seen)
        ends.append(max(first - 0.5, 0.0) / STEPS if len(out) else 3.0)
        again |= bool(seen[first:].any())
        if len(out) and under[first]:
            below = min(below, ends[-1])
        else:
            feet += drawn.pixels.by_region.get(f"{side}Foot", 0.0)
        all_feet += drawn.pixels.by_region.get(f"{side}Foot", 0.0)
    legs = sum(drawn.pixels.by_region.get(side + bone, 0.0) for side in ("left", "right") for bone in LOWER_BODY)
    if min(ends) >= 3.0 and np.isfinite(drawn.depth[-1]).any() and _knees_are_lowest(height):
        below = 2.0  # knees or a skirt at the edge, before shins that are folded under
    legs, feet, all_feet = (round(v / drawn.scale, 3) for v in (legs, feet, all_feet))
    return Cuts(min(ends), max(ends), again and legs >= MIN_AGAIN_PIXELS, below, legs, feet, all_feet)


def _knees_are_lowest(height: Array) -> bool:
    """True where both knees are lower in the picture than the hips, by heights of the points of both lines."""
    return all(line[2 * STEPS] <= line[STEPS] - MIN_KNEES_BELOW for line in np.split(height, 2))


def _between(line: Array, stretches: int) -> Array:
    """(stretches · STEPS + 1, 3) points of a broken line (stretches + 1, 3)."""
    t = np.arange(stretches * STEPS + 1) / STEPS
    k = np.minimum(t.astype(np.intp), stretches - 1)
    share = (t - k)[:, None]
    return np.asarray(line[k] * (1 - share) + line[k + 1] * share)
