"""CPU skinning against the glTF formula written out vertex by vertex."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.corpus import avatar_files, needs_corpus
from tests.patience import calls
from tests.pose.builders import avatar, node, random_rotation
from vrm_synth.gltf.model import Mesh, Primitive, Skin
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar, Expression, MorphTargetBind

HAPPY = {"happy": Expression("happy", True, morph_target_binds=(MorphTargetBind(3, 1, 0.8),))}


def skinned(seed: int, count: int = 50) -> Avatar:
    """Nodes: 0 hips, 1 spine, 2 head, 3 the skinned mesh (with a transform of its own), 4 a rigid mesh on the head."""
    r = np.random.default_rng(seed)
    weights = r.random((count, 4)).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    normals = r.normal(size=(count, 3)).astype(np.float32)
    soft = Primitive(
        positions=r.normal(size=(count, 3)).astype(np.float32),
        indices=r.integers(0, count, (count, 3)).astype(np.uint32),
        material=0,
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        joints=r.integers(0, 3, (count, 4)).astype(np.uint16),
        weights=weights,
        morph_positions=r.normal(size=(2, count, 3)).astype(np.float32),
        morph_normals=(r.normal(size=(2, count, 3)) * 0.1).astype(np.float32),
    )
    hard = replace(soft, joints=None, weights=None, morph_positions=np.zeros((0, 0, 3), np.float32), morph_normals=None)
    inverse_bind = r.normal(size=(3, 4, 4)).astype(np.float32)
    inverse_bind[:, 3] = (0, 0, 0, 1)
    nodes = [
        node("hips", -1, r.normal(size=3)),
        node("spine", 0, r.normal(size=3), rotation=random_rotation(r)),
        node("head", 1, r.normal(size=3)),
        node("body", 0, r.normal(size=3), scale=(2, 3, 4), mesh=0, skin=0),
        node("hat", 2, r.normal(size=3), rotation=random_rotation(r), scale=(1, 2, -3), mesh=1),
    ]
    return avatar(
        nodes,
        {"hips": 0, "spine": 1, "head": 2},
        meshes=(Mesh("body", (soft,), (0.25,)), Mesh("hat", (hard,))),
        skins=(Skin((2, 0, 1), inverse_bind),),
        expressions=HAPPY,
    )


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("seed", range(3))
def test_every_vertex_matches_the_formula(seed: int) -> None:
    a = skinned(seed)
    r = np.random.default_rng(seed)
    posed = evaluate(a, bones={"spine": random_rotation(r), "head": random_rotation(r)}, expressions={"happy": 0.5})
    world = posed.world_from_node
    (body, soft, positions, directions), (hat, hard, hat_positions, hat_directions) = posed_primitives(posed)
    assert (body, hat) == (3, 4) and soft is a.meshes[0].primitives[0] and hard is a.meshes[1].primitives[0]
    assert directions is not None and hat_directions is not None
    skin = a.skins[0]
    for v in range(len(soft.positions)):
        morph = (0.25, 0.4)  # the mesh's default, and what the expression drives
        p = soft.positions[v] + sum(w * d[v] for w, d in zip(morph, soft.morph_positions, strict=True))
        n = soft.normals[v] + sum(w * d[v] for w, d in zip(morph, soft.morph_normals, strict=True))
        matrix = sum(
            w * world[skin.joints[j]] @ skin.inverse_bind[j]
            for w, j in zip(soft.weights[v], soft.joints[v], strict=True)
        )
        np.testing.assert_allclose(positions[v], (matrix @ [*p, 1])[:3], atol=1e-6)
        np.testing.assert_allclose(directions[v], unit(matrix[:3, :3] @ n), atol=1e-5)
        np.testing.assert_allclose(hat_positions[v], (world[4] @ [*hard.positions[v], 1])[:3], atol=1e-12)
        turned = unit(np.linalg.inv(world[4][:3, :3]).T @ hard.normals[v])
        np.testing.assert_allclose(hat_directions[v], turned, atol=1e-6)


def test_a_skinned_meshs_own_node_does_not_count() -> None:
    a = skinned(0)
    moved = [replace(n, translation=(9.0, 9.0, 9.0)) if n.name == "body" else n for n in a.nodes]
    b = replace(a, nodes=tuple(moved))
    np.testing.assert_array_equal(posed_primitives(evaluate(a))[0][2], posed_primitives(evaluate(b))[0][2])


def test_nodes_outside_the_scene_are_not_drawn() -> None:
    a = skinned(0)
    assert [p[0] for p in posed_primitives(evaluate(replace(a, scene_nodes=(0, 1, 2, 3))))] == [3]


def test_without_normals_there_are_none_and_flattened_ones_are_finite() -> None:
    a = skinned(0)
    bare = replace(a.meshes[0].primitives[0], normals=None)
    b = replace(a, meshes=(Mesh("body", (bare,)), a.meshes[1]))
    flat = [replace(n, scale=(0.0, 0.0, 0.0)) if n.name == "hat" else n for n in b.nodes]
    soft, hard = posed_primitives(evaluate(replace(b, nodes=tuple(flat))))
    assert soft[3] is None
    assert hard[3] is not None and np.isfinite(hard[3]).all()


def test_thirty_thousand_vertices_take_as_many_calls_as_thirty() -> None:
    """All vertices at once, in numpy: a loop over them would be a thousand times as long."""
    few, many = (evaluate(skinned(0, count)) for count in (30, 30_000))
    for posed in (few, many):
        posed_primitives(posed)  # whatever is done once
    assert calls(partial(posed_primitives, many)) <= calls(partial(posed_primitives, few)) + 10


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("path", avatar_files(), ids=lambda p: p.stem)
def test_at_rest_a_skinned_avatar_has_the_shape_of_its_file(path: object) -> None:
    """At rest linear blending is a no-op wherever the inverse bind matrices fit the rest pose, so the
    skin's points lie where a rigid copy bound to the first joint would put them."""
    from vrm_synth.vrm import load

    a = load(path)  # type: ignore[arg-type]
    posed = evaluate(a)
    for index, primitive, positions, _ in posed_primitives(posed):
        assert np.isfinite(positions).all() and len(positions) == len(primitive.positions)
        skin = a.nodes[index].skin
        if skin is None or primitive.joints is None or not len(positions):
            continue
        s = a.skins[skin]
        one = posed.world_from_node[list(s.joints)] @ s.inverse_bind
        if np.abs(one - one[0]).max() > 1e-4:
            continue  # rest differs from bind in this file
        expected = primitive.positions @ one[0][:3, :3].T + one[0][:3, 3]
        np.testing.assert_allclose(positions, expected, atol=2e-4)
