"""Posture, torso and legs of one body by its joints, of whatever pose: each a name, or "" between two of them.

Heights are parts of the hips' height at rest, above the body's lowest point; angles are degrees. What of this a picture
shows is another question (pose_facts).
"""

from __future__ import annotations

from vrm_synth.core.transforms import Array
from vrm_synth.facts.facts import Legs, Posture, Torso
from vrm_synth.facts.limbs import Limbs, between, unit

LOW = 0.07  # up to this height, a foot or a knee stands on the ground
KNELT = 0.1  # up to this height, a knee that is knelt on, and the other foot, are on the ground
MAX_ERECT_THIGH, MAX_ERECT_KNEE = 41.0, 65.0  # of a leg that is stood on: thigh from straight down, knee
MIN_STANDING_HIPS = 0.82  # height of the hips of one who stands
MAX_SEAT, MIN_OFF_SEAT = 0.06, 0.16  # height of a seat that is on the ground, and of one that is not
MAX_BALANCED, MIN_UNBALANCED = 0.22, 0.25  # how far behind the feet the trunk is without a seat, and only with one
MIN_SEATED_THIGH = 62.0  # thigh from straight down of one who sits
MAX_UNSEATED_THIGH = 28.0  # thigh from straight down above the one knee that is knelt on
MAX_HEELS_KNEE = 0.15  # height of the knees of one who sits on the heels
MAX_CROUCHING_SHIN = 55.0  # shin from straight down
MIN_KNEELING_SHIN = 62.0  # shin from straight down
MIN_ALONG = 0.7  # cosine between a limb and the level direction that it goes along
MIN_CROUCHING_KNEE = 112.0
MIN_LYING, MAX_LYING_HIPS = 68.0, 0.38  # tilt of the torso, height of the hips
MIN_LIFTED, MAX_GROUNDED, MIN_MIDAIR_KNEE = 0.28, 0.1, 35.0  # height above the floor, and bend of the knees, in a jump

MAX_UPRIGHT = 9.0
MIN_LEANING = 17.0
MAX_LEANING_FORWARD, MIN_BENDING = 30.0, 36.0

MIN_LIFTED_FOOT = 0.2
MIN_APART = 30.0  # degrees between the legs, sideways
MAX_TOGETHER = 0.75  # distance between the ankles, and the knees, in that between the hip joints
MIN_OVER = 0.05  # how much higher a knee is that lies over the other
MAX_KNEE_GAP = 0.5  # of the distance between the hip joints: how far that knee may fall short of the other
MIN_CROSSED = 0.25  # of the distance between the hip joints: how far a crossed ankle or knee is on the other's side


def posture(limbs: Limbs) -> Posture:
    """How the body is held up."""
    if limbs.torso_angle >= MIN_LYING:
        return "lying" if limbs.height("hips") <= MAX_LYING_HIPS else ""
    if limbs.lifted >= MIN_LIFTED:
        return "midair" if min(_knees(limbs)) >= MIN_MIDAIR_KNEE and max(_thighs(limbs)) < 90 else ""
    if limbs.lifted > MAX_GROUNDED:
        return ""
    if _stands(limbs):
        return "standing"
    if _sits_on_heels(limbs):
        return "kneeling"
    if _sits(limbs):
        return "sitting"
    if _kneels(limbs):
        return "kneeling"
    return "crouching" if _crouches(limbs) else ""


def torso(limbs: Limbs) -> Torso:
    """How the trunk is held; "" where it lies."""
    forward, left = limbs.torso_tilt
    if limbs.torso_angle >= MIN_LYING and limbs.height("hips") <= MAX_LYING_HIPS:
        return ""
    if max(abs(forward), abs(left)) <= MAX_UPRIGHT:
        return "upright"
    if abs(left) >= MIN_LEANING and abs(left) > 1.5 * abs(forward):
        return "leaning_sideways"
    if abs(left) > MIN_LEANING:
        return ""
    if forward >= MIN_BENDING:
        return "bending_forward"
    if MIN_LEANING <= forward <= MAX_LEANING_FORWARD:
        return "leaning_forward"
    return "leaning_back" if forward <= -MIN_LEANING else ""


def legs(limbs: Limbs, held: Posture) -> Legs:
    """How the legs are held, in a posture."""
    if held == "standing":
        return _standing_legs(limbs)
    return "crossed" if held == "sitting" and _knee_is_over_knee(limbs) else ""


def _standing_legs(limbs: Limbs) -> Legs:
    left, right = (limbs.clearance(f"{side}Foot") for side in ("left", "right"))
    if abs(left - right) >= MIN_LIFTED_FOOT:
        return "left_lifted" if left > right else "right_lifted"
    if max(left, right) > LOW:
        return ""
    if _is_crossed(limbs, "Foot"):
        return "crossed"
    if _between_legs(limbs) >= MIN_APART:
        return "apart"
    hips = _distance(limbs, "UpperLeg")
    near = all(_distance(limbs, joint) <= MAX_TOGETHER * hips for joint in ("LowerLeg", "Foot"))
    return "together" if near and max(_knees(limbs)) <= MAX_ERECT_KNEE / 2 else ""


def _between_legs(limbs: Limbs) -> float:
    """Degrees between the legs as seen from the front of the hips; a stride has none."""
    ahead = limbs.hips[2]
    legs = [limbs.direction(f"{side}UpperLeg", f"{side}Foot") for side in ("left", "right")]
    return between(*(leg - (leg @ ahead) * ahead for leg in legs))


def _distance(limbs: Limbs, joint: str) -> float:
    gap = limbs.joints["left" + joint] - limbs.joints["right" + joint]
    return float((gap @ gap) ** 0.5)


def _knee_is_over_knee(limbs: Limbs) -> bool:
    """True where one knee lies over the other, and its foot beyond that."""
    unit_length, left = _distance(limbs, "UpperLeg"), limbs.hips[0]
    for over, under, toward in (("left", "right", -left), ("right", "left", left)):
        knee, other, foot = (limbs.joints[b] for b in (f"{over}LowerLeg", f"{under}LowerLeg", f"{over}Foot"))
        higher = float(knee[1] - other[1]) / limbs.view.parts.hips_height >= MIN_OVER
        near = float((other - knee) @ toward) <= MAX_KNEE_GAP * unit_length
        if higher and near and float((foot - other) @ toward) >= 0:
            return True
    return False


def _is_crossed(limbs: Limbs, joint: str) -> bool:
    across = limbs.joints["left" + joint] - limbs.joints["right" + joint]
    return float(across @ limbs.hips[0]) <= -MIN_CROSSED * _distance(limbs, "UpperLeg")


def _thighs(limbs: Limbs) -> tuple[float, float]:
    left, right = (limbs.from_down(f"{side}UpperLeg", f"{side}LowerLeg") for side in ("left", "right"))
    return left, right


def _shins(limbs: Limbs) -> tuple[float, float]:
    left, right = (limbs.from_down(f"{side}LowerLeg", f"{side}Foot") for side in ("left", "right"))
    return left, right


def _knees(limbs: Limbs) -> tuple[float, float]:
    return limbs.bend("leftLowerLeg"), limbs.bend("rightLowerLeg")


def _stands(limbs: Limbs) -> bool:
    if limbs.height("hips") < MIN_STANDING_HIPS:
        return False
    legs = zip(("left", "right"), _thighs(limbs), _knees(limbs), strict=True)
    return any(
        thigh <= MAX_ERECT_THIGH and knee <= MAX_ERECT_KNEE and limbs.clearance(f"{side}Foot") <= LOW
        for side, thigh, knee in legs
    )


def _sits(limbs: Limbs) -> bool:
    if min(_thighs(limbs)) < MIN_SEATED_THIGH:
        return False
    return limbs.seat_clearance <= MAX_SEAT or _behind_feet(limbs) >= MIN_UNBALANCED


def _behind_feet(limbs: Limbs) -> float:
    """How far the middle of the trunk is behind that of the feet: a body that only the feet carry would fall."""
    joints = limbs.joints
    trunk = joints["hips"] / 2 + (joints["leftUpperArm"] + joints["rightUpperArm"]) / 4
    feet = (joints["leftFoot"] + joints["rightFoot"]) / 2
    return float((feet - trunk) @ _ahead(limbs)) / limbs.view.parts.hips_height


def _sits_on_heels(limbs: Limbs) -> bool:
    """True where both knees are on the ground, in front of the hips, and both shins go back from them."""
    ahead = _ahead(limbs)
    for side in ("left", "right"):
        thigh = float(limbs.direction(f"{side}UpperLeg", f"{side}LowerLeg") @ ahead)
        shin = float(limbs.direction(f"{side}LowerLeg", f"{side}Foot") @ ahead)
        if thigh < MIN_ALONG or shin > -MIN_ALONG or limbs.clearance(f"{side}LowerLeg") > MAX_HEELS_KNEE:
            return False
    return True


def _ahead(limbs: Limbs) -> Array:
    """(3,) level direction that the hips face."""
    return unit(limbs.hips[2] * (1.0, 0.0, 1.0))


def _kneels(limbs: Limbs) -> bool:
    """True where a knee is on the ground, its shin going back from it, and the other knee or foot as well."""
    upright = max(limbs.from_down(f"{side}UpperLeg", f"{side}LowerLeg") for side in _knelt_on(limbs) or ("left",))
    if not _knelt_on(limbs) or upright > MAX_UNSEATED_THIGH or limbs.seat_clearance < MIN_OFF_SEAT:
        return False
    return all(limbs.clearance(f"{s}Foot") <= KNELT for s in ("left", "right") if s not in _knelt_on(limbs))


def _knelt_on(limbs: Limbs) -> list[str]:
    ahead = _ahead(limbs)
    return [
        side
        for side in ("left", "right")
        if limbs.clearance(f"{side}LowerLeg") <= KNELT
        and limbs.from_down(f"{side}LowerLeg", f"{side}Foot") >= MIN_KNEELING_SHIN
        and limbs.direction(f"{side}LowerLeg", f"{side}Foot") @ ahead <= -MIN_ALONG
    ]


def _crouches(limbs: Limbs) -> bool:
    feet = max(limbs.clearance("leftFoot"), limbs.clearance("rightFoot"))
    bent = min(_knees(limbs)) >= MIN_CROUCHING_KNEE and max(_shins(limbs)) <= MAX_CROUCHING_SHIN
    return feet <= LOW and bent and limbs.seat_clearance >= MIN_OFF_SEAT and _behind_feet(limbs) <= MAX_BALANCED
