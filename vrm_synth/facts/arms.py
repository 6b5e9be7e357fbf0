"""Where the arms of one body go, by their joints, of whatever pose: each a name, or "" between two of them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vrm_synth.core.transforms import Array
from vrm_synth.facts.facts import Arm
from vrm_synth.facts.limbs import DOWN, Limbs, between, unit

MAX_TORSO_TILT = 45.0  # degrees: of a body bent farther, down and up are not the torso's
MAX_DOWN_UPPER, MAX_DOWN_LOWER = 30.0, 45.0  # degrees of the parts of an arm that hangs, from the torso's down
MIN_RAISED_UPPER = 82.0  # degrees of a raised upper arm from the torso's down
MIN_RAISED_HAND = 0.5  # of the arm's length: height of a raised hand above its shoulder
MAX_STRETCHED_ELBOW = 45.0  # degrees of an arm that is out or forward
MIN_FREE_HIPS = 0.5  # height of the hips below which arms rest on knees or ground, in hips' heights
MAX_ASIDE = 27.0  # degrees of the line from shoulder to hand from straight out or straight forward
MAX_UNLEVEL = 20.0  # degrees of an arm that goes straight forward from the world's level
MIN_CROSSED_ELBOW = 60.0  # degrees
MAX_CROSSED_GAP = 0.07  # of the hips' height: distance between crossed forearms
MAX_CROSSED_ALONG = 0.8  # how far along the forearms they cross; hands that are held together cross at the wrists
MIN_ACROSS = 0.3  # of the shoulders' width: how far each wrist is on the other's side
MAX_HAND_TO_ELBOW = 0.62  # of a forearm's length: distance of each hand from the other arm's elbow
MAX_BEHIND_UPPER = 75.0  # degrees of the upper arm from the torso's down where the hand is behind the back
MIN_BEHIND = 0.05  # of the hips' height: how far behind the shoulders and hips a hand is
OTHER = {"left": "right", "right": "left"}


def arm(limbs: Limbs, side: Literal["left", "right"]) -> Arm:
    """Where one arm goes; "" where it lies between two names."""
    if limbs.torso_angle > MAX_TORSO_TILT:
        return ""
    shoulder, elbow, hand = (f"{side}{b}" for b in ("UpperArm", "LowerArm", "Hand"))
    upper, lower = limbs.direction(shoulder, elbow), limbs.direction(elbow, hand)
    reach = limbs.joints[hand] - limbs.joints[shoulder]
    length = float(np.linalg.norm(limbs.joints[elbow] - limbs.joints[shoulder])) + float(
        np.linalg.norm(limbs.joints[hand] - limbs.joints[elbow])
    )
    down = -limbs.chest[1]
    if between(upper, down) >= MIN_RAISED_UPPER and -reach @ DOWN >= MIN_RAISED_HAND * length:
        return "raised"
    if between(upper, down) <= MAX_BEHIND_UPPER and _is_behind(limbs, side):
        return "behind_back"
    if _is_crossed(limbs):
        return "crossed"
    if between(upper, down) <= MAX_DOWN_UPPER and between(lower, down) <= MAX_DOWN_LOWER:
        return "down"
    if limbs.bend(elbow) <= MAX_STRETCHED_ELBOW and limbs.height("hips") >= MIN_FREE_HIPS:
        aside = limbs.chest[0] if side == "left" else -limbs.chest[0]
        if between(unit(reach), aside) <= MAX_ASIDE:
            return "out"
        if between(unit(reach), limbs.chest[2]) <= MAX_ASIDE:
            return "forward" if abs(between(reach, DOWN) - 90.0) <= MAX_UNLEVEL else ""
    return ""


def _is_behind(limbs: Limbs, side: str) -> bool:
    """True where a hand is behind the back: behind the trunk, between its sides, below the shoulders."""
    left, up, forward = limbs.chest
    hand = limbs.middle(f"{side}Hand")
    shoulder, hips = limbs.joints[f"{side}UpperArm"], limbs.joints["hips"]
    unit_length = limbs.view.parts.hips_height
    behind = all(float((hand - p) @ forward) <= -MIN_BEHIND * unit_length for p in (shoulder, hips))
    middle = (limbs.joints["leftUpperArm"] + limbs.joints["rightUpperArm"]) / 2
    between_sides = abs(float((hand - middle) @ left)) <= 0.5 * limbs.shoulder_width
    below = float((hand - shoulder) @ up) <= -0.5 * limbs.shoulder_width
    return behind and between_sides and below


def _is_crossed(limbs: Limbs) -> bool:
    """True where the forearms cross before the trunk, or each hand lies at the other's elbow."""
    left, _, forward = limbs.chest
    joints = limbs.joints
    if any(limbs.bend(f"{s}LowerArm") < MIN_CROSSED_ELBOW for s in OTHER):
        return False
    if any((joints[f"{s}Hand"] - joints[f"{s}UpperArm"]) @ forward <= 0 for s in OTHER):
        return False
    across = float((joints["leftHand"] - joints["rightHand"]) @ left) / limbs.shoulder_width
    forearm = max(float(np.linalg.norm(joints[f"{s}Hand"] - joints[f"{s}LowerArm"])) for s in OTHER)
    to_elbow = max(float(np.linalg.norm(limbs.middle(f"{s}Hand") - joints[f"{o}LowerArm"])) for s, o in OTHER.items())
    if across < 0 and to_elbow <= MAX_HAND_TO_ELBOW * forearm:
        return True
    gap, along = _crossing([(joints[f"{s}LowerArm"], joints[f"{s}Hand"]) for s in OTHER])
    near = gap <= MAX_CROSSED_GAP * limbs.view.parts.hips_height
    return across <= -MIN_ACROSS and near and along <= MAX_CROSSED_ALONG


def _crossing(segments: list[tuple[Array, Array]]) -> tuple[float, float]:
    """Least distance between nine points of each of two segments, and how far along them it is, at most."""
    steps = np.linspace(0.0, 1.0, 9)
    one, other = (p + steps[:, None] * (q - p) for p, q in segments)
    apart = np.linalg.norm(one[:, None] - other[None], axis=2)
    i, j = divmod(int(apart.argmin()), len(steps))
    return float(apart[i, j]), float(max(steps[i], steps[j]))
