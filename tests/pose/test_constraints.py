"""Node constraints against plain readings of the specification's pseudo-code, with scipy's rotations."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from tests.patience import calls
from tests.pose.builders import avatar, node, random_rotation
from vrm_synth.core.errors import AvatarError
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.vrm.avatar import Avatar, Constraint

UNIT = {"X": [1, 0, 0], "Y": [0, 1, 0], "Z": [0, 0, 1]}


def blend(a: Rotation, b: Rotation, weight: float) -> Rotation:
    return Slerp([0, 1], Rotation.concatenate([a, b]))(weight)


def from_to(a: np.ndarray, b: np.ndarray) -> Rotation:
    axis = np.cross(a, b)
    angle = np.arctan2(np.linalg.norm(axis), a @ b)
    return Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle)


def local_rotation(posed: np.ndarray, a: Avatar, i: int) -> Rotation:
    parent = posed[a.nodes[i].parent][:3, :3]
    return Rotation.from_matrix(parent.T @ posed[i][:3, :3])


def scene(r: np.random.Generator, *constraints: Constraint) -> Avatar:
    """0 top, 1 hips (source's parent), 2 spine (source), 3 destination under hips, 4 its child."""
    nodes = [
        node("top", -1, r.normal(size=3), rotation=random_rotation(r)),
        node("hips", 0, r.normal(size=3), rotation=random_rotation(r)),
        node("spine", 1, r.normal(size=3), rotation=random_rotation(r)),
        node("twist", 1, r.normal(size=3), rotation=random_rotation(r)),
        node("tip", 3, r.normal(size=3), rotation=random_rotation(r)),
    ]
    return avatar(nodes, {"hips": 1, "spine": 2}, constraints=constraints)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("axis", ["X", "Y", "Z"])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_roll_matches_the_specification(seed: int, axis: str, weight: float) -> None:
    r = np.random.default_rng(seed)
    a = scene(r, Constraint(3, "roll", 2, weight, axis))
    posed = evaluate(a, bones={"spine": random_rotation(r), "hips": random_rotation(r)}).world_from_node
    src_rest, dst_rest = Rotation.from_quat(a.nodes[2].rotation), Rotation.from_quat(a.nodes[3].rotation)
    src = local_rotation(posed, a, 2)
    in_parent = src_rest * (src_rest.inv() * src) * src_rest.inv()
    in_dst = dst_rest.inv() * in_parent * dst_rest
    bend = from_to(np.array(UNIT[axis], float), in_dst.apply(UNIT[axis]))
    expected = blend(dst_rest, dst_rest * bend.inv() * in_dst, weight)
    assert (local_rotation(posed, a, 3) * expected.inv()).magnitude() < 1e-7


@pytest.mark.parametrize("axis", ["X", "Y", "Z"])
def test_a_roll_passes_on_a_pure_twist_whole_and_a_bend_not_at_all(axis: str) -> None:
    nodes = [node("hips", -1), node("spine", 0), node("twist", 0)]
    a = avatar(nodes, {"hips": 0, "spine": 1}, constraints=(Constraint(2, "roll", 1, 1.0, axis),))
    along = np.array(UNIT[axis], float)
    across = np.roll(along, 1)
    twist, bend = (tuple(Rotation.from_rotvec(0.7 * v).as_quat()) for v in (along, across))
    got = evaluate(a, bones={"spine": twist}).world_from_node
    np.testing.assert_allclose(got[2], got[1], atol=1e-12)
    np.testing.assert_allclose(evaluate(a, bones={"spine": bend}).world_from_node[2], np.eye(4), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_rotation_matches_the_specification(seed: int, weight: float) -> None:
    r = np.random.default_rng(seed)
    a = scene(r, Constraint(3, "rotation", 2, weight))
    posed = evaluate(a, bones={"spine": random_rotation(r)}).world_from_node
    src_rest, dst_rest = Rotation.from_quat(a.nodes[2].rotation), Rotation.from_quat(a.nodes[3].rotation)
    expected = blend(dst_rest, dst_rest * (src_rest.inv() * local_rotation(posed, a, 2)), weight)
    assert (local_rotation(posed, a, 3) * expected.inv()).magnitude() < 1e-7


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("axis", [f"{sign}{a}" for sign in ("Positive", "Negative") for a in "XYZ"])
def test_aim_points_its_axis_at_the_source(seed: int, axis: str) -> None:
    r = np.random.default_rng(seed)
    a = scene(r, Constraint(3, "aim", 2, 1.0, axis))
    posed = evaluate(a, bones={"spine": random_rotation(r), "hips": random_rotation(r)}).world_from_node
    points = np.array(UNIT[axis[-1]]) * (1 if axis.startswith("Positive") else -1)
    toward = posed[2][:3, 3] - posed[3][:3, 3]
    np.testing.assert_allclose(posed[3][:3, :3] @ points, toward / np.linalg.norm(toward), atol=1e-12)
    # … by the smallest turn: the axis of the turn is square to both directions
    rest = posed[1][:3, :3] @ Rotation.from_quat(a.nodes[3].rotation).as_matrix()
    turn = Rotation.from_matrix(posed[3][:3, :3] @ rest.T)
    assert turn.magnitude() == pytest.approx(np.arccos((rest @ points) @ toward / np.linalg.norm(toward)), abs=1e-7)


def test_half_an_aim_goes_half_the_way() -> None:
    nodes = [node("hips", -1), node("goal", 0, (0, 1, 0)), node("eye", 0)]
    a = avatar(nodes, {"hips": 0}, constraints=(Constraint(2, "aim", 1, 0.5, "PositiveX"),))
    np.testing.assert_allclose(evaluate(a).world_from_node[2][:3, 0], (np.sqrt(0.5), np.sqrt(0.5), 0), atol=1e-12)


def test_an_aim_at_its_own_position_stays_at_rest() -> None:
    nodes = [node("hips", -1), node("goal", 0), node("eye", 0)]
    a = avatar(nodes, {"hips": 0}, constraints=(Constraint(2, "aim", 1, 1.0, "PositiveX"),))
    np.testing.assert_array_equal(evaluate(a).world_from_node[2], np.eye(4))


def test_weight_zero_is_rest_and_a_posed_destination_is_overruled() -> None:
    nodes = [node("hips", -1), node("spine", 0), node("chest", 0)]
    a = avatar(nodes, {"hips": 0, "spine": 1, "chest": 2}, constraints=(Constraint(2, "rotation", 1, 0.0),))
    q = (0.6, 0.0, 0.0, 0.8)
    np.testing.assert_allclose(evaluate(a, bones={"spine": q, "chest": q}).world_from_node[2], np.eye(4), atol=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_constraints_run_in_order_of_their_dependencies(seed: int) -> None:
    """A chain of full rotation constraints hands the source's turn through, however the file lists them."""
    r = np.random.default_rng(seed)
    count = 6
    nodes = [node("hips", -1), *(node(f"n{i}", 0, r.normal(size=3)) for i in range(count))]
    chain = [Constraint(i + 1, "rotation", i) for i in range(1, count)]
    shuffled = tuple(chain[i] for i in r.permutation(len(chain)))
    a = avatar(nodes, {"hips": 0, "spine": 1}, constraints=shuffled)
    posed = evaluate(a, bones={"spine": random_rotation(r)}).world_from_node
    np.testing.assert_allclose(posed[count][:3, :3], posed[1][:3, :3], atol=1e-12)


def test_an_aim_waits_for_what_moves_its_own_parent_and_its_source() -> None:
    nodes = [
        node("hips", -1),
        node("spine", 0, (0, 1, 0)),
        node("arm", 0, (1, 0, 0)),  # turned by a rotation constraint
        node("eye", 2, (1, 0, 0)),  # aims, from under it
        node("branch", 0, (0, 0, 1)),  # turned by a rotation constraint
        node("goal", 4, (0, 1, 0)),  # aimed at, under it
    ]
    ahead = (Constraint(3, "aim", 5, 1.0, "PositiveZ"), Constraint(2, "rotation", 1), Constraint(4, "rotation", 1))
    a = avatar(nodes, {"hips": 0, "spine": 1}, constraints=ahead)
    posed = evaluate(a, bones={"spine": (0.0, 0.6, 0.0, 0.8)}).world_from_node
    toward = posed[5][:3, 3] - posed[3][:3, 3]
    np.testing.assert_allclose(posed[3][:3, 2], toward / np.linalg.norm(toward), atol=1e-12)


@pytest.mark.parametrize(
    ("constraints", "ring"),
    [
        ((Constraint(1, "rotation", 2), Constraint(2, "roll", 1, 1.0, "X")), {"left", "right"}),
        ((Constraint(1, "rotation", 1),), {"left"}),
        ((Constraint(1, "aim", 3, 1.0, "PositiveX"),), {"left"}),  # at its own child
        ((Constraint(4, "rotation", 1), Constraint(1, "rotation", 2), Constraint(2, "rotation", 1)), {"left", "right"}),
    ],
)
def test_constraint_cycles_are_refused_by_name(constraints: tuple[Constraint, ...], ring: set[str]) -> None:
    nodes = [node("hips", -1), node("left", 0), node("right", 0), node("child", 1, (1, 0, 0)), node("outside", 0)]
    with pytest.raises(AvatarError) as e:
        evaluate(avatar(nodes, {"hips": 0}, constraints=constraints))
    assert "ring" in str(e.value) and {n for n in ("left", "right", "outside") if n in str(e.value)} == ring


@pytest.mark.parametrize("kind", ["aim", "rotation"])
def test_long_chains_are_ordered_and_evaluated_once(kind: Literal["aim", "rotation"]) -> None:
    """500 constraints, each needing all before it. An aim looks at every node above its source, count² / 2 in all; to
    work them all out anew for each would be a hundred times as many calls."""
    count = 500
    a = chain(kind, count)
    assert calls(partial(evaluate, a)) < 10 * count**2
    assert np.isfinite(evaluate(a).world_from_node).all()


def chain(kind: Literal["aim", "rotation"], count: int) -> Avatar:
    axis = "PositiveX" if kind == "aim" else None
    nodes = [node("hips", -1), *(node(f"n{i}", i, (0.1, 0.01, 0)) for i in range(count))]
    constraints = tuple(Constraint(i + 1, kind, i, 1.0, axis) for i in range(count))[::-1]
    return avatar(nodes, {"hips": 0}, constraints=constraints)
