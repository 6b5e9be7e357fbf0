"""Spring bones against an independent, step-by-step reading of the specification, and against physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.corpus import CORPUS, needs_corpus
from tests.pose.builders import avatar, node, random_humanoid, random_rotation
from tests.pose.slow_springs import SlowSprings
from vrm_synth.core.errors import AvatarError, ShotError
from vrm_synth.gltf.model import Node
from vrm_synth.pose import colliders as obstacles
from vrm_synth.pose import springs
from vrm_synth.pose.evaluate import evaluate, rig_of
from vrm_synth.vrm.avatar import Avatar, Collider, Spring, SpringJoint

SHAPES = ("sphere", "capsule", "plane", "insideSphere", "insideCapsule")


def random_springs(seed: int, *, carried: bool, uneven: bool = False, leaf: bool = True, skip: float = 0.2) -> Avatar:
    """A random humanoid with branching chains of random stiffness, gravity and drag among all kinds of
    colliders; carried: some colliders hang on joints of earlier springs; uneven: nodes scaled unevenly."""
    r = np.random.default_rng(seed)
    base = random_humanoid(r, turned=seed % 2 == 1)
    nodes: list[Node] = list(base.nodes)
    humanoid = list(base.humanoid.values())
    colliders: list[Collider] = []
    springs: list[Spring] = []
    joints: list[int] = []

    def number(low: float, high: float) -> float:
        return float(r.uniform(low, high))

    def vector(size: float) -> tuple[float, float, float]:
        return tuple(map(float, r.normal(size=3) * size))  # type: ignore[return-value]

    for _ in range(6):
        shape = SHAPES[r.integers(5)]
        radius = number(0.6, 1.2) if shape.startswith("inside") else number(0.02, 0.15)
        normal = r.normal(size=3)
        unit = tuple(map(float, normal / np.linalg.norm(normal)))
        colliders.append(Collider(int(r.choice(humanoid)), shape, vector(0.1), radius, vector(0.2), unit))  # type: ignore[arg-type]
    for s in range(5):
        parent = int(r.choice(joints)) if joints and r.random() < 0.4 else int(r.choice(humanoid))
        chain: list[int] = []
        for k in range(int(r.integers(2, 6))):
            scale = r.uniform(0.7, 1.4, 3) if uneven else [number(0.8, 1.2)] * 3
            rotation = random_rotation(r)
            nodes.append(node(f"s{s}_{k}", parent, vector(0.08), rotation=rotation, scale=scale))
            parent = len(nodes) - 1
            chain.append(parent)
            if r.random() < skip:  # a node that the spring skips
                nodes.append(node(f"skipped {s}_{k}", parent, vector(0.04), rotation=random_rotation(r)))
                parent = len(nodes) - 1
        ends: list[int | None] = [*chain[1:], None] if leaf and r.random() < 0.5 else [*chain[1:]]
        settings = [
            SpringJoint(a, b, number(0, 0.05), number(0, 3), number(0, 2), vector(1), number(0.1, 1))
            for a, b in zip(chain, ends, strict=False)
        ]
        usable = tuple(int(c) for c in np.flatnonzero(r.random(len(colliders)) < 0.5))
        springs.append(Spring("", tuple(settings), usable, base.humanoid["hips"] if r.random() < 0.3 else None))
        joints += [j.node for j in settings]
        if carried:
            colliders.append(Collider(settings[0].node, "capsule", vector(0.03), 0.05, vector(0.1)))
    return avatar(nodes, base.humanoid, springs=tuple(springs), colliders=tuple(colliders))


def compare(a: Avatar, seconds: float, tolerance: float, seed: int = 0, quirks: bool = False) -> None:
    """Every node in the same place and turned the same way as after the slow simulation."""
    r = np.random.default_rng(seed)
    pose = {name: random_rotation(r) for name in a.humanoid if r.random() < 0.5}
    swung = evaluate(a, bones=pose, settle_seconds=seconds, reference_quirks=quirks).world_from_node  # type: ignore[arg-type]
    still = evaluate(a, bones=pose).world_from_node  # type: ignore[arg-type]
    local = {}
    for i in a.humanoid.values():
        parent = still[a.nodes[i].parent] if a.nodes[i].parent >= 0 else np.eye(4)
        linear = np.linalg.inv(parent[:3, :3]) @ still[i][:3, :3] / np.array(a.nodes[i].scale)
        local[i] = _quat(linear)
    slow = SlowSprings(a, local, breathing=quirks)
    for _ in range(round(seconds * 60)):
        slow.step()
    assert np.abs(swung - still).max() > 0.01, "nothing moved: a test of nothing"
    for i in range(len(a.nodes)):
        np.testing.assert_allclose(swung[i], slow.world(i), atol=tolerance, err_msg=a.nodes[i].name)


def _quat(linear: np.ndarray) -> tuple[float, ...]:
    from scipy.spatial.transform import Rotation

    return tuple(Rotation.from_matrix(linear).as_quat())


@pytest.mark.parametrize("seed", range(3))
def test_two_seconds_agree_with_the_specification(seed: int) -> None:
    compare(random_springs(seed, carried=False), 2.0, 1e-7)


@pytest.mark.parametrize("seed", range(3, 7))
def test_the_first_steps_agree_with_the_specification(seed: int) -> None:
    a = random_springs(seed, carried=True)
    for steps in (1, 2, 3, 11):
        compare(a, steps / 60, 1e-9, seed)


@pytest.mark.parametrize("seed", range(10, 12))
def test_reference_quirks_change_bone_lengths_as_three_vrm_does(seed: int) -> None:
    a = random_springs(seed, carried=True, leaf=False, skip=0.0)
    compare(a, 12 / 60, 1e-9, quirks=True)
    plain, quirky = (evaluate(a, settle_seconds=0.2, reference_quirks=q).world_from_node for q in (False, True))
    assert np.abs(plain - quirky).max() > 1e-5


def test_reference_quirks_keep_the_length_of_a_leaf() -> None:
    """The reference takes the old position of the end node, which a leaf does not have."""
    nodes = [node("hips", -1), node("a", 0, (0.1, 0, 0)), node("b", 1, (0.1, 0, 0)), node("c", 2, (0, -0.1, 0))]
    ends = ((1, 2), (2, 3), (3, None))
    chain = tuple(SpringJoint(n, t, 0.0, 0.5, 2.0, (0.3, -1.0, 0.2), 0.2) for n, t in ends)
    a = avatar(nodes, {"hips": 0}, springs=(Spring("", chain),))
    for steps in (2, 5, 30):
        compare(a, steps / 60, 1e-9, quirks=True)


@pytest.mark.parametrize("seed", range(7, 9))
def test_unevenly_scaled_nodes_agree_with_the_specification(seed: int) -> None:
    compare(random_springs(seed, carried=False, uneven=True, leaf=False), 10 / 60, 1e-9)


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("name", ["m_expressive", "v1_springbone_extended"])
def test_real_springs_agree_with_the_specification(name: str) -> None:
    from vrm_synth.vrm import load

    assert CORPUS is not None
    a = load(CORPUS / "avatars" / f"{name}.vrm")
    # m_expressive's springs have no gravity: settled from rest they would never move
    heavy = [replace(s, joints=tuple(replace(j, gravity_power=0.5) for j in s.joints)) for s in a.springs]
    compare(replace(a, springs=tuple(heavy)), 2.0, 1e-6)


def hanging(*, colliders: tuple[Collider, ...] = (), **joint: object) -> Avatar:
    """A bone of 10 cm that points along +X from the origin; node 1 swings, node 2 is its end."""
    nodes = [node("hips", -1), node("root", 0), node("end", 1, (0.1, 0, 0))]
    spring = Spring("", (SpringJoint(1, 2, **joint),), tuple(range(len(colliders))))  # type: ignore[arg-type]
    return avatar(nodes, {"hips": 0}, springs=(spring,), colliders=colliders)


def end(a: Avatar, seconds: float | None) -> np.ndarray:
    return evaluate(a, settle_seconds=seconds).world_from_node[2][:3, 3]


def test_the_first_step_by_hand() -> None:
    """goal = tail + dt (stiffness · axis + gravity), then brought back to the bone's length."""
    a = hanging(stiffness=1.2, gravity_power=3.0, drag_force=0.4)
    goal = np.array([0.1 + 1.2 / 60, -3.0 / 60, 0])
    np.testing.assert_allclose(end(a, 1 / 60), 0.1 * goal / np.linalg.norm(goal), atol=1e-15)


def test_a_bone_without_stiffness_ends_up_along_gravity() -> None:
    np.testing.assert_allclose(end(hanging(stiffness=0, gravity_power=1), 30), (0, -0.1, 0), atol=1e-9)


def test_a_stiff_bone_without_gravity_stays() -> None:
    np.testing.assert_allclose(end(hanging(stiffness=1), 10), (0.1, 0, 0), atol=1e-15)


def test_stiffness_and_gravity_balance_at_their_sum() -> None:
    expected = np.array([2.0, -1.0, 0]) / np.sqrt(5) * 0.1
    np.testing.assert_allclose(end(hanging(stiffness=2, gravity_power=1), 30), expected, atol=1e-9)


@pytest.mark.parametrize("hit_radius", [0.0, 0.01])
def test_an_end_comes_to_rest_on_a_sphere(hit_radius: float) -> None:
    ball = Collider(0, "sphere", (0.07, -0.07, 0), 0.03)
    settled = end(hanging(stiffness=0, gravity_power=1, hit_radius=hit_radius, colliders=(ball,)), 20)
    # The push comes before the length, so the end may sink in by a little: within a millimetre it touches.
    assert np.linalg.norm(settled - ball.offset) == pytest.approx(0.03 + hit_radius, abs=1e-3)
    assert settled[1] > -0.07 and np.linalg.norm(settled) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(4))
def test_ends_stay_inside_spheres_and_above_planes(seed: int) -> None:
    r = np.random.default_rng(seed)
    falling = {"stiffness": 0.0, "gravity_power": 0.03, "gravity_dir": tuple(r.normal(size=3))}
    room = Collider(0, "insideSphere", (0.05, 0, 0), 0.08)
    assert np.linalg.norm(end(hanging(colliders=(room,), **falling), 5) - (0.05, 0, 0)) <= 0.08 + 1e-3
    floor = Collider(0, "plane", (0, -0.05, 0), normal=(0, 1, 0))
    assert end(hanging(colliders=(floor,), **falling), 5)[1] >= -0.05 - 1e-3


def test_bones_keep_their_length() -> None:
    a = random_springs(20, carried=False, leaf=False)
    rest, swung = evaluate(a).world_from_node, evaluate(a, settle_seconds=1.0).world_from_node
    for spring in a.springs:
        for j in spring.joints:
            before, after = (np.linalg.norm(w[j.tail][:3, 3] - w[j.node][:3, 3]) for w in (rest, swung))
            assert after == pytest.approx(before, abs=1e-12)


def test_a_center_changes_nothing_while_the_skeleton_stands_still() -> None:
    a = random_springs(21, carried=True)
    free = replace(a, springs=tuple(replace(s, center=None) for s in a.springs))
    centered = replace(a, springs=tuple(replace(s, center=a.humanoid["hips"]) for s in a.springs))
    one, other = (evaluate(x, settle_seconds=1.0).world_from_node for x in (free, centered))
    np.testing.assert_array_equal(one, other)


def test_settling_is_from_rest_and_the_same_every_time() -> None:
    a = random_springs(22, carried=True)
    first = evaluate(a, settle_seconds=0.7).world_from_node
    evaluate(a, bones={"hips": (0.0, 0.6, 0.0, 0.8)}, settle_seconds=3.0)
    np.testing.assert_array_equal(evaluate(a, settle_seconds=0.7).world_from_node, first)


def test_springs_of_an_equal_pose_are_not_settled_twice(monkeypatch) -> None:
    """They are settled again if a bone, an offset, the time, the wind or the quirks differ."""
    a, calls, swing = random_springs(22, carried=True), [], springs._swing
    monkeypatch.setattr(springs, "_swing", lambda *args: calls.append(1) or swing(*args))
    turn = (0.0, 0.6, 0.0, 0.8)
    cases: list[dict] = [
        {"settle_seconds": 0.7}, {"settle_seconds": 0.5}, {"settle_seconds": 0.7, "wind": (1, 0, 0)},
        {"settle_seconds": 0.7, "bones": {"hips": turn}}, {"settle_seconds": 0.7, "hips_offset": (0, 0, 0.01)},
        {"settle_seconds": 0.7, "reference_quirks": True},
    ]  # fmt: skip
    for case in [*cases, *cases[::-1]]:
        settled = evaluate(a, **case).world_from_node
        count = len(calls)
        np.testing.assert_array_equal(evaluate(a, **case).world_from_node, settled)
        assert len(calls) == count
        fresh = replace(a)  # another avatar to everything that is remembered
        np.testing.assert_array_equal(evaluate(fresh, **case).world_from_node, settled)
    assert len(calls) == 2 * len(cases) - 1 + 2 * len(cases)


def test_without_settling_joints_are_at_rest_even_where_they_are_posed() -> None:
    a = hanging()
    a = replace(a, humanoid={"hips": 0, "jaw": 1})
    for seconds in (None, 0.0, 0.008):
        posed = evaluate(a, bones={"jaw": (0.0, 0.0, 0.6, 0.8)}, settle_seconds=seconds)
        np.testing.assert_allclose(posed.world_from_node[2][:3, 3], (0.1, 0, 0), atol=1e-15)


@pytest.mark.parametrize(("seconds", "steps"), [(0.0083, 0), (0.00834, 1), (0.5, 30), (2.0, 120)])
def test_seconds_are_rounded_to_steps(seconds: float, steps: int) -> None:
    a = hanging(stiffness=0, gravity_power=1)
    np.testing.assert_array_equal(end(a, seconds), end(a, steps / 60))


def test_a_leaf_ends_seven_centimetres_further_on() -> None:
    """VRM 0.x: the joint swings although no node is below it; its own frame may be turned and scaled."""
    nodes = [
        node("hips", -1),
        node("root", 0, (0.2, 0, 0), rotation=(0, 0, 0.6, 0.8), scale=[2, 2, 2]),
        node("mark", 1),
    ]
    spring = Spring("", (SpringJoint(1, None, stiffness=0, gravity_power=1),))
    a = avatar(nodes, {"hips": 0}, springs=(spring,))
    rest, settled = (evaluate(a, settle_seconds=s).world_from_node[1][:3, :3] / 2 for s in (None, 30))
    # the bone points along +X in the world at rest, and along −Y when it has fallen
    np.testing.assert_allclose(settled @ rest.T @ [1, 0, 0], (0, -1, 0), atol=1e-9)


def test_a_joint_named_twice_belongs_to_the_last_spring() -> None:
    nodes = [node("hips", -1), node("root", 0), node("end", 1, (0.1, 0, 0))]
    up, down = (SpringJoint(1, 2, 0, 0, 1, (0, y, 0)) for y in (1.0, -1.0))
    a = avatar(nodes, {"hips": 0}, springs=(Spring("", (up,)), Spring("", (down,))))
    np.testing.assert_allclose(end(a, 30), (0, -0.1, 0), atol=1e-9)


def test_a_collider_that_waits_for_its_own_chain_is_read_a_step_late() -> None:
    """Hair whose own joints carry colliders that it must not enter: no ring may stop or blow up the rest."""
    nodes = [node("hips", -1)]
    for i in range(4):
        nodes.append(node(f"n{i}", i, (0.1, 0, 0)))
    chain = tuple(SpringJoint(i, i + 1, 0.01, 0.5, 1.0) for i in range(1, 4))
    self_collider = Collider(3, "sphere", (0.05, 0.02, 0), 0.06)
    a = avatar(nodes, {"hips": 0}, springs=(Spring("", chain, (0,)),), colliders=(self_collider,))
    assert rig_of(a).springs.stride == 3
    free = replace(a, springs=(Spring("", chain),), colliders=())
    with_own, without = (evaluate(x, settle_seconds=2.0).world_from_node for x in (a, free))
    assert np.isfinite(with_own).all()
    for i in range(1, 4):
        assert np.linalg.norm(with_own[i + 1][:3, 3] - with_own[i][:3, 3]) == pytest.approx(0.1)
    assert np.abs(with_own - without).max() > 1e-3
    far = replace(a, colliders=(replace(self_collider, offset=(50.0, 0, 0)),))  # the same ring, but nothing to hit
    np.testing.assert_allclose(evaluate(far, settle_seconds=2.0).world_from_node, without, atol=1e-12)


@pytest.mark.parametrize("length", [0.0, 1e-15])  # rest positions can leave less than a digit of a bone
def test_bones_without_length_or_scale_stay_still_and_finite(length: float) -> None:
    nodes = [node("hips", -1), node("a", 0), node("b", 1, (length, 0, 0))]
    nodes += [node("flat", 0, scale=(0, 0, 0)), node("c", 3, (1, 0, 0))]
    spring = Spring("", (SpringJoint(1, 2, gravity_power=1), SpringJoint(3, 4, gravity_power=1)), (0,))
    a = avatar(nodes, {"hips": 0}, springs=(spring,), colliders=(Collider(3, "plane"),))
    np.testing.assert_array_equal(evaluate(a, settle_seconds=1).world_from_node, evaluate(a).world_from_node)


def test_an_end_that_falls_back_on_its_own_root_is_finite() -> None:
    a = hanging(stiffness=0, gravity_power=6.0, gravity_dir=(-1.0, 0, 0), drag_force=1.0)
    for steps in range(1, 5):
        assert np.isfinite(end(a, steps / 60)).all()
        assert np.linalg.norm(end(a, steps / 60)) == pytest.approx(0.1, abs=1e-12) or steps == 1


def test_a_collider_centred_on_the_end_is_finite() -> None:
    a = hanging(colliders=(Collider(0, "sphere", (0.1, 0, 0), 0.05), Collider(0, "capsule", (0.1, 0, 0), 0.02)))
    assert np.isfinite(end(a, 1.0)).all()


@pytest.mark.parametrize("seconds", [-1, 60.1, float("nan"), float("inf"), "2"])
def test_seconds_out_of_range_are_refused(seconds: float) -> None:
    for a in (hanging(), avatar([node("hips", -1)], {"hips": 0})):
        with pytest.raises(ShotError, match=r"settle_seconds.*0\.\.60"):
            evaluate(a, settle_seconds=seconds)


def test_wind_is_one_more_gravity_for_every_joint() -> None:
    a, wind = random_springs(3, carried=False), np.array([0.8, 0.1, -0.4])

    def windy(j: SpringJoint) -> SpringJoint:
        pull = np.array(j.gravity_dir) * j.gravity_power + wind
        power = float(np.linalg.norm(pull))
        return replace(j, gravity_power=power, gravity_dir=tuple(map(float, pull / power)))

    stronger = tuple(replace(s, joints=tuple(map(windy, s.joints))) for s in a.springs)
    blown = evaluate(a, settle_seconds=1.5, wind=wind).world_from_node
    heavier = evaluate(replace(a, springs=stronger), settle_seconds=1.5).world_from_node
    np.testing.assert_allclose(blown, heavier, atol=1e-9)
    assert np.abs(blown - evaluate(a, settle_seconds=1.5).world_from_node).max() > 0.01


def hair_in_a_heap(count: int, colliders: int, *, carried: bool) -> Avatar:
    """A strand of `count` joints inside many spheres, which its own last joint carries if `carried`."""
    nodes = [node("hips", -1), *(node(f"n{i}", i, (0.01, -0.05, 0)) for i in range(count + 1))]
    joints = tuple(SpringJoint(i, i + 1, 0.01, 0.5, 1.0, (0.0, -1.0, 0.0), 0.4) for i in range(1, count + 1))
    r = np.random.default_rng(3)
    spheres = tuple(
        Collider(count if carried else 0, "sphere", tuple(map(float, r.normal(size=3) * 0.02)), 0.3)  # type: ignore[arg-type]
        for _ in range(colliders)
    )
    spring = Spring("hair", joints, tuple(range(colliders)))
    return avatar(nodes, {"hips": 0}, colliders=spheres, springs=(spring,))


def test_a_joint_that_is_hit_again_and_again_is_pushed_by_each_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    a = hair_in_a_heap(4, 40, carried=False)
    matrices = evaluate(a, settle_seconds=0.2).world_from_node
    monkeypatch.setattr(obstacles, "_MAX_JOINT_ROUNDS", 1000)  # all at once, again and again
    np.testing.assert_allclose(matrices, evaluate(a, settle_seconds=0.2).world_from_node, atol=1e-12)
    monkeypatch.setattr(obstacles, "_MAX_JOINT_ROUNDS", 1)
    np.testing.assert_allclose(matrices, evaluate(a, settle_seconds=0.2).world_from_node, atol=1e-12)


def test_springs_that_would_take_minutes_are_refused() -> None:
    evaluate(hair_in_a_heap(20, 20, carried=True), settle_seconds=0.05)
    for slow in (hair_in_a_heap(300, 20, carried=True), hair_in_a_heap(2, 5000, carried=False)):
        with pytest.raises(AvatarError, match="springs have too many colliders, or wait"):
            evaluate(slow)
