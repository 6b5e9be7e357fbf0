"""The update order: each stage of evaluate() reads what the one before it wrote."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pose.builders import avatar, node
from vrm_synth.core.errors import ShotError, VrmSynthError
from vrm_synth.gltf.model import Material
from vrm_synth.pose.evaluate import LookAtAngles, evaluate
from vrm_synth.vrm.avatar import Constraint, Expression, LookAt, MaterialColorBind, RangeMap, Spring, SpringJoint

Q90 = (0.0, 0.0, float(np.sqrt(0.5)), float(np.sqrt(0.5)))
FULL = RangeMap(90, 90)


def test_look_at_comes_after_the_pose() -> None:
    """The head is turned first; from there the target lies straight ahead."""
    nodes = [node("hips", -1), node("head", 0)]
    a = avatar(nodes, {"hips": 0, "head": 1}, look_at=LookAt("bone", (0, 0, 0), FULL, FULL, FULL, FULL))
    left = (0.0, float(np.sqrt(0.5)), 0.0, float(np.sqrt(0.5)))
    state = evaluate(a, bones={"head": left}, look_at=(5.0, 0.0, 0.0)).look_at
    assert state is not None and (state.yaw, state.pitch) == pytest.approx((0, 0), abs=1e-9)


def test_expressions_come_after_look_at() -> None:
    """A gaze by expression is dimmed by an override, and shows in the material."""
    unit = RangeMap(90, 1)
    red = MaterialColorBind(0, "color", (1.0, 0.0, 0.0, 1.0))
    e = {
        "lookLeft": Expression("lookLeft", True, material_color_binds=(red,)),
        "happy": Expression("happy", True, override_look_at="blend"),
    }
    a = avatar(
        [node("hips", -1), node("head", 0)],
        {"hips": 0, "head": 1},
        expressions=e,
        materials=(Material("m", base_color_factor=(0.0, 0.0, 0.0, 1.0)),),
        look_at=LookAt("expression", (0, 0, 0), unit, unit, unit, unit),
    )
    posed = evaluate(a, look_at=LookAtAngles(90, 0), expressions={"happy": 0.25})
    assert posed.expressions == {"lookLeft": 0.75, "happy": 0.25}
    assert posed.materials[0].base_color_factor == pytest.approx((0.75, 0, 0, 1))


def test_constraints_come_after_look_at() -> None:
    nodes = [node("hips", -1), node("head", 0), node("eye", 1), node("glint", 1)]
    a = avatar(
        nodes,
        {"hips": 0, "head": 1, "leftEye": 2},
        look_at=LookAt("bone", (0, 0, 0), FULL, FULL, FULL, FULL),
        constraints=(Constraint(3, "rotation", 2),),
    )
    world = evaluate(a, look_at=LookAtAngles(30, 10)).world_from_node
    assert np.abs(world[2] - np.eye(4)).max() > 0.1
    np.testing.assert_allclose(world[3], world[2], atol=1e-15)


def test_springs_come_after_constraints() -> None:
    """A spring that hangs on a constrained node starts, at rest, from where the constraint put it."""
    nodes = [
        node("hips", -1),
        node("spine", 0),
        node("arm", 0),
        node("hair", 2, (0.1, 0, 0)),
        node("end", 3, (0.1, 0, 0)),
    ]
    a = avatar(
        nodes,
        {"hips": 0, "spine": 1},
        constraints=(Constraint(2, "rotation", 1),),
        springs=(Spring("", (SpringJoint(3, 4, stiffness=1.0),)),),
    )
    for seconds in (None, 1.0):
        world = evaluate(a, bones={"spine": Q90}, settle_seconds=seconds).world_from_node
        np.testing.assert_allclose(world[4][:3, 3], (0, 0.2, 0), atol=1e-12)


def test_evaluation_has_no_state() -> None:
    nodes = [node("hips", -1), node("hair", 0, (0.1, 0, 0)), node("end", 1, (0.1, 0, 0))]
    a = avatar(nodes, {"hips": 0}, springs=(Spring("", (SpringJoint(1, 2, gravity_power=1.0),)),))
    before = evaluate(a).world_from_node
    evaluate(a, bones={"hips": Q90}, hips_offset=(1, 2, 3), settle_seconds=1.0).world_from_node[:] = 7
    np.testing.assert_array_equal(evaluate(a).world_from_node, before)


def test_warnings_name_bones_first_then_expressions_then_the_gaze() -> None:
    a = avatar([node("hips", -1)], {"hips": 0})
    posed = evaluate(a, expressions={"happy": 1.0}, bones={"jaw": (0, 0, 0, 1)}, look_at=LookAtAngles(0, 0))
    assert posed.warnings[:2] == ("not in this avatar: jaw", "not in this avatar: expression:happy")
    assert len(posed.warnings) == 3


def test_malformed_shots_raise_one_family_of_one_line_errors() -> None:
    a = avatar([node("hips", -1)], {"hips": 0})
    for bad in (
        {"expressions": {"happy": 2.0}},
        {"look_at": (0.0,)},
        {"settle_seconds": -1.0},
        {"hips_offset": "up"},
        {"bones": {"head": "up"}},
    ):
        with pytest.raises(ShotError) as e:
            evaluate(a, **bad)  # type: ignore[arg-type]
        assert "\n" not in str(e.value) and isinstance(e.value, VrmSynthError)
