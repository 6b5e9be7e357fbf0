"""The gaze (VRMC_vrm lookAt): angles or a world point become eye bone rotations or expression weights.

Where three-vrm differs from the specification the specification is followed; `reference_quirks` draws
its way: it uses the *down* range for looking up and the reverse (bone type only), and ignores the
curves of VRM 0.x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array, decompose, quat_axis_angle, quat_inverse, quat_mul, quat_rotate
from vrm_synth.pose.node_tree import LocalTransforms, NodeTree
from vrm_synth.pose.normalized_pose import HumanoidRig, numbers, raw_rotation
from vrm_synth.pose.posed_avatar import LookAtState
from vrm_synth.vrm.avatar import LookAt, RangeMap

SMALLEST_INPUT_MAX = 1e-3  # degrees; the specification's own advice where inputMaxValue is 0


@dataclass(frozen=True)
class LookAtAngles:
    """Degrees: yaw + toward the avatar's left, pitch + down."""

    yaw: float
    pitch: float


Target = LookAtAngles | Sequence[float]


@dataclass(frozen=True, eq=False)
class GazeResult:
    """The effect of a gaze.

    local: local transforms with the eyes turned.
    weights: expression weights that a gaze by expressions requests.
    state: the gaze in angles; None where the avatar has no lookAt.
    warnings: one line each.
    """

    local: LocalTransforms
    weights: Mapping[str, float]
    state: LookAtState | None
    warnings: tuple[str, ...] = ()


def apply_look_at(
    look_at: LookAt | None,
    tree: NodeTree,
    humanoid: HumanoidRig,
    local: LocalTransforms,
    target: Target | None,
    *,
    reference_quirks: bool = False,
) -> GazeResult:
    """Turn the gaze to `target` (angles, or a world point in metres). None leaves the eyes as posed.

    Raises ShotError where the target is not made of finite numbers.
    """
    if target is not None:
        _check(target)
    if look_at is None:
        return GazeResult(
            local, {}, None, () if target is None else ("look_at has no effect: this avatar has no lookAt",)
        )
    if target is None:
        return GazeResult(local, {}, LookAtState(look_at.type, 0.0, 0.0))
    angles = target if isinstance(target, LookAtAngles) else _toward(look_at, tree, humanoid, local, target)
    state = LookAtState(look_at.type, float(angles.yaw), float(angles.pitch))
    if look_at.type == "expression":
        return GazeResult(local, expression_weights(look_at, angles, reference_quirks), state)
    eyes = [e for e in ("leftEye", "rightEye") if e in humanoid.row]
    if not eyes:
        return GazeResult(local, {}, state, ("look_at has no effect: this avatar has no eye bones",))
    rows = np.array([humanoid.row[e] for e in eyes], np.intp)
    turns = np.array([eye_rotation(look_at, e, angles, reference_quirks) for e in eyes])
    return GazeResult(local.turned(humanoid.node[rows], raw_rotation(humanoid, rows, turns)), {}, state)


def eye_rotation(look_at: LookAt, eye: str, angles: LookAtAngles, reference_quirks: bool = False) -> Array:
    """Normalised rotation (4,) of "leftEye" or "rightEye": about Y by the mapped yaw, then X by the pitch."""
    outward = (angles.yaw > 0) == (eye == "leftEye")
    downward = (angles.pitch > 0) != reference_quirks
    yaw_map = look_at.horizontal_outer if outward else look_at.horizontal_inner
    pitch_map = look_at.vertical_down if downward else look_at.vertical_up
    yaw = math.copysign(map_range(yaw_map, abs(angles.yaw), reference_quirks), angles.yaw)
    pitch = math.copysign(map_range(pitch_map, abs(angles.pitch), reference_quirks), angles.pitch)
    about_y = quat_axis_angle([0.0, 1.0, 0.0], math.radians(yaw))
    return quat_mul(about_y, quat_axis_angle([1.0, 0.0, 0.0], math.radians(pitch)))


def expression_weights(look_at: LookAt, angles: LookAtAngles, reference_quirks: bool = False) -> dict[str, float]:
    """Weights 0..1 of lookUp, lookDown, lookLeft and lookRight; both eyes use the outer horizontal range."""
    yaw = map_range(look_at.horizontal_outer, abs(angles.yaw), reference_quirks)
    vertical = look_at.vertical_down if angles.pitch > 0 else look_at.vertical_up
    pitch = map_range(vertical, abs(angles.pitch), reference_quirks)
    weights = {
        "lookLeft": yaw if angles.yaw > 0 else 0.0,
        "lookRight": yaw if angles.yaw < 0 else 0.0,
        "lookDown": pitch if angles.pitch > 0 else 0.0,
        "lookUp": pitch if angles.pitch < 0 else 0.0,
    }
    # An expression's weight lies in 0..1 by definition, whatever the map's scale (VRMC_vrm, expressions).
    return {name: min(max(w, 0.0), 1.0) for name, w in weights.items()}


def map_range(m: RangeMap, degrees: float, reference_quirks: bool = False) -> float:
    """The output of a range map at an angle ≥ 0 (VRMC_vrm lookAt; VRM 0.x DegreeMap with its curve)."""
    x = min(degrees / max(m.input_max_value, SMALLEST_INPUT_MAX), 1.0)
    return m.output_scale * (_hermite(m.curve, x) if m.curve and not reference_quirks else x)


def _hermite(curve: Sequence[float], x: float) -> float:
    """A Unity AnimationCurve of (time, value, in-tangent, out-tangent) keys, held constant outside them."""
    keys = [curve[i : i + 4] for i in range(0, len(curve) - 3, 4)]
    if x <= keys[0][0]:
        return keys[0][1]
    for (t0, v0, _, out0), (t1, v1, in1, _) in pairwise(keys):
        if x <= t1:
            dt = t1 - t0
            u = (x - t0) / dt
            a, b = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u
            return a * v0 + b * dt * out0 + (1 - a) * v1 + (u**3 - u**2) * dt * in1
    return keys[-1][1]


def _toward(
    look_at: LookAt, tree: NodeTree, humanoid: HumanoidRig, local: LocalTransforms, point: Sequence[float]
) -> LookAtAngles:
    """Angles from the look-at space (head's place plus its offset, head's turn since rest) to a world point."""
    head = int(humanoid.node[humanoid.row["head"]])
    world = tree.world_of(head, local)
    origin = world @ np.array([*look_at.offset_from_head_bone, 1.0])
    turn = quat_mul(decompose(tree.rest_world[head])[1], quat_inverse(decompose(world)[1]))
    x, y, z = quat_rotate(turn, np.asarray(point, np.float64) - origin[:3])
    return LookAtAngles(math.degrees(math.atan2(x, z)), math.degrees(math.atan2(-y, math.hypot(x, z))))


def _check(target: Target) -> None:
    given = numbers((target.yaw, target.pitch), 2) if isinstance(target, LookAtAngles) else numbers(target, 3)
    if given is None:
        raise ShotError("bad look_at", got=target, allowed="yaw and pitch in degrees, or a world point [x, y, z]")
