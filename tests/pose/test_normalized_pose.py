"""The humanoid pose against the words of the specification, on skeletons with arbitrary rest rotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.pose.builders import avatar, node, random_humanoid, random_rotation
from vrm_synth.core.errors import ShotError
from vrm_synth.pose.evaluate import evaluate, rig_of
from vrm_synth.vrm.avatar import Avatar

R2 = float(np.sqrt(0.5))
TURN = Rotation.from_quat([0, 1, 0, 0])


def world_rotation(matrix: np.ndarray) -> Rotation:
    linear = matrix[:3, :3]
    return Rotation.from_matrix(linear / np.cbrt(np.linalg.det(linear)))


def some_pose(a: Avatar, r: np.random.Generator) -> dict[str, tuple[float, ...]]:
    return {name: random_rotation(r) for name in a.humanoid if r.random() < 0.7}


@pytest.mark.parametrize("seed", range(8))
def test_without_a_pose_the_avatar_is_at_rest(seed: int) -> None:
    a = random_humanoid(np.random.default_rng(seed), turned=seed % 2 == 0)
    expected: dict[int, np.ndarray] = {-1: np.eye(4)}
    for i in a.scene_nodes:
        n = a.nodes[i]
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(n.rotation).as_matrix() * n.scale
        local[:3, 3] = n.translation
        expected[i] = expected[n.parent] @ local
    posed = evaluate(a)
    for i in a.scene_nodes:
        np.testing.assert_allclose(posed.world_from_node[i], expected[i], atol=1e-12)
    assert posed.warnings == ()


@pytest.mark.parametrize("seed", range(12))
def test_a_bones_world_turn_since_rest_is_the_product_of_normalised_rotations(seed: int) -> None:
    """Normalised bones form a chain of frames parallel to the world at rest: the turn of a bone since rest
    is the product of its ancestors' normalised rotations and its own, whatever the real rest rotations."""
    r = np.random.default_rng(seed)
    a = random_humanoid(r, keep=0.7, turned=seed % 2 == 0)
    pose = some_pose(a, r)
    posed, rest = evaluate(a, bones=pose).world_from_node, evaluate(a).world_from_node
    name_of = {n: b for b, n in a.humanoid.items()}
    for name, index in a.humanoid.items():
        chain, at = [], index
        while at >= 0:
            if at in name_of:
                chain.append(pose.get(name_of[at], (0, 0, 0, 1)))
            at = a.nodes[at].parent
        product = Rotation.identity()
        for q in reversed(chain):
            product = product * Rotation.from_quat(q)
        got = world_rotation(posed[index]) * world_rotation(rest[index]).inv()
        assert (got * product.inv()).magnitude() < 1e-7, name


@pytest.mark.parametrize("seed", range(4))
def test_a_file_turned_to_the_front_poses_like_one_that_faces_it(seed: int) -> None:
    """The same avatar written facing −Z under a half-turn root stands in the same places in every pose."""
    r = np.random.default_rng(seed)
    facing_front = random_humanoid(r)
    root = len(facing_front.nodes)
    top = facing_front.nodes[0]
    facing_back = replace(
        top,
        parent=root,
        translation=tuple(TURN.inv().apply(top.translation)),
        rotation=tuple((TURN.inv() * Rotation.from_quat(top.rotation)).as_quat()),
    )
    nodes = [facing_back, *facing_front.nodes[1:], node("turn", -1, rotation=(0, 1, 0, 0))]
    turned = avatar(nodes, facing_front.humanoid)
    pose, offset = some_pose(facing_front, r), tuple(r.normal(size=3))
    ours = evaluate(turned, bones=pose, hips_offset=offset).bone_positions()
    for name, position in evaluate(facing_front, bones=pose, hips_offset=offset).bone_positions().items():
        np.testing.assert_allclose(ours[name], position, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_hips_offset_moves_everything_below_the_hips_by_as_many_metres(seed: int) -> None:
    r = np.random.default_rng(seed)
    a = random_humanoid(r, turned=True)
    pose, offset = some_pose(a, r), r.normal(size=3)
    before = evaluate(a, bones=pose).bone_positions()
    after = evaluate(a, bones=pose, hips_offset=tuple(offset)).bone_positions()
    for name in before:
        np.testing.assert_allclose(after[name] - before[name], offset, atol=1e-12)


def test_bones_that_the_avatar_lacks_are_warnings_and_the_rest_is_posed() -> None:
    a = avatar([node("hips", -1), node("head", 0, (0, 1, 0))], {"hips": 0, "head": 1})
    posed = evaluate(a, bones={"jaw": (0, 0, 0, 1), "hips": (0, 0, R2, R2), "chest": (0, 0, 0, 1)})
    assert posed.warnings == ("not in this avatar: jaw", "not in this avatar: chest")
    np.testing.assert_allclose(posed.bone_positions()["head"], (-1, 0, 0), atol=1e-15)


def test_nearly_unit_quaternions_are_normalised() -> None:
    a = avatar([node("hips", -1), node("head", 0, (0, 1, 0))], {"hips": 0, "head": 1})
    posed = evaluate(a, bones={"hips": (0, 0, R2 * 1.0009, R2 * 1.0009)})
    np.testing.assert_allclose(posed.bone_positions()["head"], (-1, 0, 0), atol=1e-15)
    linear = posed.world_from_node[0][:3, :3]
    np.testing.assert_allclose(linear.T @ linear, np.eye(3), atol=1e-15)


def test_a_name_that_is_no_bone_is_skipped_with_a_warning_as_the_format_says() -> None:
    a = avatar([node("hips", -1), node("head", 0)], {"hips": 0, "head": 1})
    posed = evaluate(a, bones={"wing": (0, 0, 1, 0), "jaw": (0, 0, 1, 0), "head": (0, 0, 0, 1)})
    assert posed.warnings == ("not in this avatar: wing", "not in this avatar: jaw")
    np.testing.assert_array_equal(posed.world_from_node, evaluate(a).world_from_node)


@pytest.mark.parametrize(
    ("bones", "message"),
    [
        ({"Head": (1, 1, 0, 1)}, "Head: bad bone rotation"),
        ({"head": (0, 0, 0, 1.01)}, "head: bad bone rotation"),
        ({"head": (0, 0, 0, 0)}, "unit quaternion"),
        ({"head": (0, 0, 0, float("nan"))}, "unit quaternion"),
        ({"head": (0, 0, 1)}, "unit quaternion"),
        ({"jaw": (1, 1, 1, 1)}, "jaw"),
    ],
)
def test_malformed_bones_are_refused(bones: dict[str, tuple[float, ...]], message: str) -> None:
    a = avatar([node("hips", -1), node("head", 0)], {"hips": 0, "head": 1})
    with pytest.raises(ShotError) as e:
        evaluate(a, bones=bones)  # type: ignore[arg-type]
    assert message in str(e.value) and "\n" not in str(e.value)


@pytest.mark.parametrize("offset", [(0, 0), (0, 0, float("inf"))])
def test_malformed_hips_offset_is_refused(offset: tuple[float, ...]) -> None:
    a = avatar([node("hips", -1)], {"hips": 0})
    with pytest.raises(ShotError, match="hips_offset"):
        evaluate(a, hips_offset=offset)  # type: ignore[arg-type]


def test_hips_under_a_node_scaled_to_zero_turn_but_refuse_an_offset() -> None:
    a = avatar([node("flat", -1, scale=(1, 0, 1)), node("hips", 0)], {"hips": 1})
    assert np.isfinite(evaluate(a, bones={"hips": (0, 0, 1, 0)}).world_from_node).all()
    with pytest.raises(ShotError, match="scaled to nothing"):
        evaluate(a, hips_offset=(0, 1, 0))


def test_nodes_outside_the_scene_stay_identity() -> None:
    a = avatar([node("hips", -1, (0, 1, 0)), node("lost", -1, (5, 5, 5))], {"hips": 0}, scene_nodes=(0,))
    np.testing.assert_array_equal(evaluate(a).world_from_node[1], np.eye(4))


def test_the_rig_is_cached_per_avatar_and_freed_with_it() -> None:
    a = avatar([node("hips", -1)], {"hips": 0})
    assert rig_of(a) is rig_of(a)
    import gc
    import weakref

    alive = weakref.ref(rig_of(a))
    del a
    gc.collect()
    assert alive() is None
