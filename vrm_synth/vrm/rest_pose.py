"""Measure how far a file's rest pose deviates from the T-pose, and correct arms that rest in an A-pose.

VRM requires the T-pose at rest, and poses are rotations from it. In a file that rests with its arms 45° down every
pose would bend the arms 45° too far. The rest pose is measured bone by bone, deviations are reported, and arms are
corrected where it is certain what pose they rest in: an A-pose (or a Y-pose) of a figure that stands upright, both
arms alike, in the frontal plane, and straight. The correction changes what a normalized rotation starts from
(pose/normalized_pose.py); the file's nodes, and with them skins, springs and node constraints, stay as they are.

An arm is raised along the shortest arc, without twist; a forearm is then straightened along it, and hand and fingers
go with the forearm. Legs are reported and never corrected: raising a leg would tilt a foot that stands flat, or flatten
one that does not, and the file does not say which it needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vrm_synth.core.transforms import Array, quat_between, quat_mul, quat_rotate
from vrm_synth.gltf.model import Vec3, Vec4
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.humanoid import bone_rest_positions

# Degrees from the T-pose above which a bone is reported. Real avatars in a T-pose: arms up to 4°, hands 9°, legs 15°.
REPORTED_FROM: Mapping[str, float] = {
    "UpperArm": 10.0,
    "LowerArm": 10.0,
    "Hand": 25.0,
    "UpperLeg": 25.0,
    "LowerLeg": 25.0,
}
UPRIGHT_WITHIN = 20.0  # degrees of hips to head from the vertical
CORRECTED_FROM, CORRECTED_TO = 15.0, 80.0  # degrees of an upper arm from the T-pose between which it is corrected
ALIKE_WITHIN = 10.0  # degrees between a bone of the left arm and the mirrored one of the right
FRONTAL_WITHIN = 25.0  # degrees of an upper arm before or behind the frontal plane
STRAIGHT_WITHIN = 25.0  # degrees of a forearm from its upper arm
_NAMES = {
    "UpperArm": "upper arms",
    "LowerArm": "lower arms",
    "Hand": "hands",
    "UpperLeg": "upper legs",
    "LowerLeg": "lower legs",
}
_ENDS = {
    "UpperArm": "LowerArm",
    "LowerArm": "Hand",
    "Hand": "MiddleProximal",
    "UpperLeg": "LowerLeg",
    "LowerLeg": "Foot",
}
_SIDES = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class RestPose:
    """Directions of torso, arms and legs at rest, world axes.

    Attributes:
        torso: unit vector from hips to head; None where the two are in one place.
        limbs: bone → unit vector to the next bone of the arm or leg; absent where the two are in one place or one is
            missing.
    """

    torso: Vec3 | None
    limbs: Mapping[str, Vec3]

    def deviation(self, bone: str) -> float | None:
        """Return the degrees of an arm's or a leg's bone from the T-pose; None where it has no direction."""
        direction = self.limbs.get(bone)
        return None if direction is None else _angle(direction, t_pose_direction(bone))


def t_pose_direction(bone: str) -> Vec3:
    """Return the direction of a bone of an arm or a leg in the T-pose."""
    if bone.endswith("Leg"):
        return 0.0, -1.0, 0.0
    return (1.0, 0.0, 0.0) if bone.startswith("left") else (-1.0, 0.0, 0.0)


def correct_rest_pose(avatar: Avatar) -> Avatar:
    """Return the avatar with `rest_corrections` set; it must already face +Z.

    A rest pose that is not a T-pose is added to the oddities, corrected or not.
    """
    rest = rest_pose(avatar)
    deviations = _deviations(rest)
    if not deviations:
        return avatar
    reason_not_corrected = _reason_not_corrected(rest)
    outcome = f"not corrected, because {reason_not_corrected}" if reason_not_corrected else "the arms are corrected"
    oddity = f"its rest pose is no T-pose ({', '.join(deviations)} away from it); {outcome}"
    return replace(
        avatar, oddities=(*avatar.oddities, oddity), rest_corrections={} if reason_not_corrected else corrections(rest)
    )


def rest_pose(avatar: Avatar) -> RestPose:
    """Measure the directions of torso, arms and legs at rest."""
    with np.errstate(over="ignore", invalid="ignore"):  # scales may overflow: such a bone has no direction
        positions = bone_rest_positions(avatar.nodes, avatar.humanoid)
        pairs = [(side + start, side + end) for side in _SIDES for start, end in _ENDS.items()]
        found = {start: _direction(positions[end] - positions[start]) for start, end in pairs if end in positions}
        torso = _direction(positions["head"] - positions["hips"])
    return RestPose(torso, {bone: direction for bone, direction in found.items() if direction is not None})


def corrections(rest: RestPose) -> dict[str, Vec4]:
    """Return bone → world rotation from the rest pose to the T-pose, for the four bones of the arms."""
    out: dict[str, Vec4] = {}
    for side in _SIDES:
        upper, lower = f"{side}UpperArm", f"{side}LowerArm"
        goal = t_pose_direction(upper)
        raised = quat_between(rest.limbs[upper], goal)
        straight = quat_between(quat_rotate(raised, rest.limbs[lower]), goal)
        out[upper] = _vec4(raised)
        out[lower] = _vec4(quat_mul(straight, raised))
    return out


def _deviations(rest: RestPose) -> list[str]:
    """Describe each pair of bones that deviates from the T-pose, "upper arms 45° and 44°"."""
    described = []
    arms = [rest.deviation(f"{side}UpperArm") for side in _SIDES]
    swapped = all(angle is not None and angle > 135 for angle in arms)  # facing.py reports that
    for part, limit in REPORTED_FROM.items():
        if swapped and not part.endswith("Leg"):
            continue
        left, right = (rest.deviation(side + part) for side in _SIDES)
        if any(angle is not None and angle > limit for angle in (left, right)):
            described.append(f"{_NAMES[part]} {_degrees(left)} and {_degrees(right)}")
    return described


def _reason_not_corrected(rest: RestPose) -> str:
    """Return the reason why the arms are not corrected; "" where they are."""
    bones = [side + part for part in ("UpperArm", "LowerArm") for side in _SIDES]
    if rest.torso is None or any(bone not in rest.limbs for bone in bones):
        return "some of its bones lie in one place"
    upper_left, upper_right, lower_left, lower_right = (rest.limbs[bone] for bone in bones)
    raised = [_angle(rest.limbs[bone], t_pose_direction(bone)) for bone in bones[:2]]
    frontal = math.sin(math.radians(FRONTAL_WITHIN))
    checks = (
        (_angle(rest.torso, (0.0, 1.0, 0.0)) <= UPRIGHT_WITHIN, "it does not stand upright"),
        (all(angle >= CORRECTED_FROM for angle in raised), "its upper arms are nearly level"),
        (all(angle <= CORRECTED_TO for angle in raised), "its upper arms point elsewhere than to their own sides"),
        (max(abs(upper_left[2]), abs(upper_right[2])) <= frontal, "its upper arms point forwards or backwards"),
        (_angle(upper_left, _mirrored(upper_right)) <= ALIKE_WITHIN, "its upper arms are not alike"),
        (_angle(lower_left, _mirrored(lower_right)) <= ALIKE_WITHIN, "its lower arms are not alike"),
        (_angle(upper_left, lower_left) <= STRAIGHT_WITHIN, "its elbows are bent"),
        (_angle(upper_right, lower_right) <= STRAIGHT_WITHIN, "its elbows are bent"),
    )
    return next((why for passed, why in checks if not passed), "")


def _direction(v: Array) -> Vec3 | None:
    length = float(np.linalg.norm(v))
    if not 1e-9 < length < math.inf:
        return None
    x, y, z = (v / length).tolist()
    return x, y, z


def _angle(a: Vec3, b: Vec3) -> float:
    # atan2 keeps small angles exact, where the arc cosine loses half of their digits.
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(np.dot(a, b))))


def _mirrored(v: Vec3) -> Vec3:
    return -v[0], v[1], v[2]


def _degrees(angle: float | None) -> str:
    return "unknown" if angle is None else f"{angle:.0f}°"


def _vec4(q: Array) -> Vec4:
    x, y, z, w = q.tolist()
    return x, y, z, w
