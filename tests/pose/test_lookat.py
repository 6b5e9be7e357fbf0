"""The gaze: range maps, eye bones, expressions, world points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.pose.builders import avatar, node, random_humanoid, random_rotation
from vrm_synth.core.errors import ShotError
from vrm_synth.pose.evaluate import LookAtAngles, evaluate, gaze_of
from vrm_synth.pose.lookat import map_range
from vrm_synth.vrm.avatar import Avatar, Expression, LookAt, RangeMap

INNER, OUTER, DOWN, UP = RangeMap(50, 10), RangeMap(60, 24), RangeMap(40, 8), RangeMap(80, 32)
LOOK_NAMES = ("lookUp", "lookDown", "lookLeft", "lookRight")


def eyed(kind: str = "bone", offset: tuple[float, float, float] = (0.0, 0.0, 0.0), **more: object) -> Avatar:
    nodes = [node("hips", -1, (0, 1, 0)), node("head", 0, (0, 0.5, 0)), node("l", 1, (0.1, 0, 0)), node("r", 1)]
    humanoid = {"hips": 0, "head": 1, "leftEye": 2, "rightEye": 3}
    look_at = LookAt(kind, offset, INNER, OUTER, DOWN, UP)  # type: ignore[arg-type]
    return avatar(nodes, humanoid, **{"look_at": look_at, **more})  # type: ignore[arg-type]


def angles_of(world: np.ndarray) -> tuple[float, float]:
    """Yaw and pitch in degrees of a node's +Z."""
    x, y, z = world[:3, 2]
    return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(-y, math.hypot(x, z)))


@pytest.mark.parametrize(
    ("yaw", "pitch", "left", "right"),
    [
        (30, 20, (12, 4), (6, 4)),  # to the left: the left eye turns outward; down by the down map
        (-30, -20, (-6, -8), (-12, -8)),  # to the right: the left eye turns inward; up by the up map
        (170, 90, (24, 8), (10, 8)),  # beyond the input's maximum
        (0, 0, (0, 0), (0, 0)),
    ],
)
def test_eye_bones_follow_the_range_maps(yaw: float, pitch: float, left: tuple, right: tuple) -> None:
    posed = evaluate(eyed(), look_at=LookAtAngles(yaw, pitch))
    np.testing.assert_allclose(angles_of(posed.world_from_node[2]), left, atol=1e-12)
    np.testing.assert_allclose(angles_of(posed.world_from_node[3]), right, atol=1e-12)
    assert posed.look_at is not None
    assert (posed.look_at.type, posed.look_at.yaw, posed.look_at.pitch) == ("bone", yaw, pitch)


def test_the_reference_swaps_up_and_down_for_eye_bones() -> None:
    posed = evaluate(eyed(), look_at=LookAtAngles(0, 20), reference_quirks=True)
    np.testing.assert_allclose(angles_of(posed.world_from_node[2]), (0, 8), atol=1e-12)


def test_the_gaze_replaces_a_posed_eye_and_no_gaze_leaves_it() -> None:
    q = (0.0, math.sin(0.2), 0.0, math.cos(0.2))
    without_gaze = evaluate(eyed(), bones={"leftEye": q})
    np.testing.assert_allclose(angles_of(without_gaze.world_from_node[2]), (math.degrees(0.4), 0), atol=1e-12)
    assert without_gaze.look_at is not None and (without_gaze.look_at.yaw, without_gaze.look_at.pitch) == (0, 0)
    replaced = evaluate(eyed(), bones={"leftEye": q}, look_at=LookAtAngles(0, 0))
    np.testing.assert_allclose(angles_of(replaced.world_from_node[2]), (0, 0), atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_eyes_turn_about_the_worlds_axes_whatever_their_rest_rotation(seed: int) -> None:
    r = np.random.default_rng(seed)
    a = random_humanoid(r, keep=1.0, turned=seed % 2 == 1)
    full = RangeMap(90, 90)
    with_gaze = avatar(a.nodes, a.humanoid, look_at=LookAt("bone", (0, 0, 0), full, full, full, full))
    yaw, pitch = r.uniform(-80, 80, 2)
    eye = a.humanoid["leftEye"]
    turned = evaluate(with_gaze, look_at=LookAtAngles(yaw, pitch)).world_from_node[eye][:3, :3]
    rest = evaluate(with_gaze).world_from_node[eye][:3, :3]
    expected = Rotation.from_euler("YX", [yaw, pitch], degrees=True).as_matrix()
    np.testing.assert_allclose(turned @ np.linalg.inv(rest), expected, atol=1e-12)


def look_expressions(**named: Expression) -> dict[str, Expression]:
    return {name: Expression(name, True) for name in LOOK_NAMES} | named


def test_expressions_follow_the_outer_and_the_vertical_maps() -> None:
    look_at = LookAt("expression", (0, 0, 0), RangeMap(1, 1), RangeMap(60, 1), RangeMap(40, 0.5), RangeMap(80, 3))
    a = eyed(look_at=look_at, expressions=look_expressions())
    assert evaluate(a, look_at=LookAtAngles(15, 20)).expressions == {
        "lookUp": 0, "lookDown": 0.25, "lookLeft": 0.25, "lookRight": 0
    }  # fmt: skip
    assert evaluate(a, look_at=LookAtAngles(-90, -60)).expressions == {
        "lookUp": 1, "lookDown": 0, "lookLeft": 0, "lookRight": 1
    }  # fmt: skip


def test_a_requested_weight_wins_over_the_gaze() -> None:
    a = eyed("expression", expressions=look_expressions())
    posed = evaluate(a, look_at=LookAtAngles(60, 0), expressions={"lookLeft": 0.125})
    assert posed.expressions["lookLeft"] == 0.125


@pytest.mark.parametrize("seed", range(6))
def test_a_point_is_converted_in_look_at_space(seed: int) -> None:
    """Put the target at known angles from the (moved, turned) head's look-at origin and get them back."""
    r = np.random.default_rng(seed)
    a = random_humanoid(r, keep=1.0, turned=seed % 2 == 1)
    offset = tuple(r.normal(size=3) * 0.1)
    m = RangeMap(90, 10)
    a = avatar(a.nodes, a.humanoid, look_at=LookAt("bone", offset, m, m, m, m))  # type: ignore[arg-type]
    pose = {"head": random_rotation(r), "hips": random_rotation(r)}
    head = a.humanoid["head"]
    rest, world = evaluate(a).world_from_node[head], evaluate(a, bones=pose).world_from_node[head]
    yaw, pitch = r.uniform(-170, 170), r.uniform(-80, 80)
    ahead = Rotation.from_euler("YX", [yaw, pitch], degrees=True).apply([0, 0, 1])
    since_rest = world[:3, :3] @ np.linalg.inv(rest[:3, :3])
    point = (world @ [*offset, 1])[:3] + 2.5 * since_rest @ ahead
    state = evaluate(a, bones=pose, look_at=tuple(point)).look_at
    assert state is not None and (state.yaw, state.pitch) == pytest.approx((yaw, pitch), abs=1e-6)


def test_the_default_curve_is_linear_and_others_are_followed() -> None:
    linear = RangeMap(60, 10, (0, 0, 0, 1, 1, 1, 1, 0))
    ease = RangeMap(60, 10, (0, 0, 0, 0, 1, 1, 0, 0))
    three = RangeMap(100, 1, (0.25, 0.2, 0, 0, 0.5, 0.6, 0, 2, 1, 0.9, -1, 0))
    for degrees in (0, 7, 30, 59, 60, 90):
        assert map_range(linear, degrees) == pytest.approx(min(degrees, 60) / 6, abs=1e-12)
    assert map_range(ease, 15) == pytest.approx(10 * (3 * 0.25**2 - 2 * 0.25**3))  # smoothstep
    assert map_range(ease, 15, reference_quirks=True) == pytest.approx(2.5)
    assert map_range(three, 10) == 0.2 and map_range(three, 25) == 0.2 and map_range(three, 100) == 0.9
    # Hermite between the last two keys at a half: (v0 + v1) / 2 + dt (out0 − in1) / 8
    assert map_range(three, 75) == pytest.approx((0.6 + 0.9) / 2 + 0.5 * (2 + 1) / 8)


def test_an_input_maximum_of_zero_is_a_step() -> None:
    assert map_range(RangeMap(0, 10), 0) == 0
    assert map_range(RangeMap(0, 10), 1) == 10


def test_a_gaze_without_effect_is_a_warning() -> None:
    bare = avatar([node("hips", -1)], {"hips": 0})
    posed = evaluate(bare, look_at=LookAtAngles(10, 0))
    assert posed.look_at is None and len(posed.warnings) == 1 and "no lookAt" in posed.warnings[0]
    assert evaluate(bare).warnings == ()
    blind = avatar([node("hips", -1), node("head", 0)], {"hips": 0, "head": 1}, look_at=eyed().look_at)
    posed = evaluate(blind, look_at=LookAtAngles(10, 0))
    assert posed.look_at is not None and posed.look_at.yaw == 10 and "no eye bones" in posed.warnings[0]


@pytest.mark.parametrize(
    "target", [LookAtAngles(math.nan, 0), LookAtAngles(0, math.inf), (0, 0), (0, math.nan, 0), ("a", 0, 0)]
)
def test_malformed_targets_are_refused(target: object) -> None:
    with pytest.raises(ShotError, match="look_at"):
        evaluate(eyed(), look_at=target)  # type: ignore[arg-type]


def test_a_target_at_the_eyes_gives_finite_angles() -> None:
    posed = evaluate(eyed(), look_at=(0.0, 1.5, 0.0))
    assert posed.look_at is not None and math.isfinite(posed.look_at.yaw) and math.isfinite(posed.look_at.pitch)


@pytest.mark.parametrize("kind", ["bone", "expression"])
@pytest.mark.parametrize("target", [None, (0.4, 1.9, 3.0), (-2.0, -1.0, -0.5), LookAtAngles(12.5, -7.0)])
def test_gaze_of_equals_the_gaze_of_a_full_evaluation(kind: str, target: object) -> None:
    a = eyed(kind, (0.01, 0.06, 0.02))
    arguments = {"bones": {"head": (0.1, 0.2, 0.0, 0.974679)}, "hips_offset": (0.1, -0.3, 0.2), "look_at": target}
    assert gaze_of(a, **arguments) == evaluate(a, **arguments).look_at  # type: ignore[arg-type]
    assert gaze_of(eyed(look_at=None), look_at=(0, 0, 1)) is None
