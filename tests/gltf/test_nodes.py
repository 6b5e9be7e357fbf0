"""Nodes: matrices, rotations, and their own morph weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.gltf.edits import edited, primitive
from tests.vrm.vrm_file import BONE_LIST, MESH_NODE, STRAND, Doc, changed, vrm0, vrm1
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm import Avatar, load_bytes

HEAD = next(bone for bone in BONE_LIST if bone.name == "head")


def test_nodes_by_matrix_and_by_parts_agree() -> None:
    half = np.sqrt(0.5)

    def by_parts(doc: Doc, add: Any) -> None:
        parts = {"translation": [1, 2, 3], "rotation": [0, half, 0, half], "scale": [2, 3, 4]}
        doc["nodes"][MESH_NODE] |= parts

    def by_matrix(doc: Doc, add: Any) -> None:
        doc["nodes"][MESH_NODE]["matrix"] = [0, 0, -2, 0, 0, 3, 0, 0, 4, 0, 0, 0, 1, 2, 3, 1]

    a, b = edited(by_parts).nodes[MESH_NODE], edited(by_matrix).nodes[MESH_NODE]
    for x, y in ((a.translation, b.translation), (a.rotation, b.rotation), (a.scale, b.scale)):
        np.testing.assert_allclose(x, y, atol=1e-6)


def rest_world_matrix(avatar: Avatar) -> np.ndarray:
    """(N, 4, 4) with springs, constraints and a gaze evaluated, which must stay finite."""
    posed = evaluate(avatar, look_at=(0.3, 1.0, 2.0), settle_seconds=0.2, expressions={"happy": 1.0})
    assert np.isfinite(posed.world_from_node).all()
    return posed.world_from_node


@pytest.mark.parametrize("node", [MESH_NODE, STRAND, BONE_LIST.index(HEAD), 0])
@pytest.mark.parametrize(
    ("matrix", "scale"),
    [
        ([0] * 16, (0, 0, 0)),
        ([0] * 15 + [1], (0, 0, 0)),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1], (1, 0, 3)),
        ([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], (0, 2, 0)),
    ],
)
def test_a_matrix_of_zero_scale_becomes_a_zero_scale(matrix: list[int], scale: list[int], node: int) -> None:
    """Exporters hide accessories so; also the bones, the mesh and the springs below it come out as under the scale."""

    def by_matrix(doc: Doc, add: Any) -> None:
        doc["nodes"][node].pop("translation", None)
        doc["nodes"][node]["matrix"] = matrix

    def by_scale(doc: Doc, add: Any) -> None:
        doc["nodes"][node].pop("translation", None)
        doc["nodes"][node]["scale"] = scale

    a, b = edited(by_matrix), edited(by_scale)
    assert (a.nodes[node].translation, a.nodes[node].rotation) == ((0, 0, 0), (0, 0, 0, 1))
    assert a.nodes[node].scale == tuple(scale) and a.oddities == b.oddities
    np.testing.assert_array_equal(rest_world_matrix(a), rest_world_matrix(b))
    assert np.isfinite(posed_primitives(evaluate(a))[0][2]).all()


def test_one_axis_of_zero_scale_keeps_the_rotation() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["nodes"][MESH_NODE]["matrix"] = [0, 0, -2, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 1]  # a quarter turn about y

    n = edited(change).nodes[MESH_NODE]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(n.rotation, (0, half, 0, half), atol=1e-12)
    np.testing.assert_allclose((n.translation, n.scale), ((1, 2, 3), (2, 0, 4)), atol=1e-12)


def test_a_matrix_with_a_projective_last_row_is_reported() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["nodes"][MESH_NODE]["matrix"] = [1, 0, 0, 0.5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]

    assert [("last row" in o, "shear" in o) for o in edited(change).oddities] == [(True, False)]


def test_singular_inverse_bind_matrices_are_used_as_they_are() -> None:
    def change(doc: Doc, add: Any) -> None:
        matrices = np.stack([np.zeros((4, 4)), np.diag([1.0, 0, 1, 1])])
        doc["skins"][0]["inverseBindMatrices"] = add(matrices.reshape(2, 16), "<f4", "MAT4", 5126)
        doc["nodes"][0]["scale"] = [-1, 1, 1]

    avatar = edited(change)
    world = rest_world_matrix(avatar)
    got, p = posed_primitives(evaluate(avatar))[0][2], primitive(avatar)
    want = 0.25 * (p.positions * (1, 0, 1) @ world[1, :3, :3].T + world[1, :3, 3])
    np.testing.assert_allclose(got, want, atol=1e-6)  # the first joint's matrix of zeros adds nothing


@pytest.mark.parametrize(
    ("mesh_weights", "node_weights", "want", "reported"),
    [
        ([0.25, 0.5], None, (0.25, 0.5), ""),
        ([0.25, 0.5], [], (0.25, 0.5), ""),
        ([0.25, 0.5], [1.0, 0.0], (1.0, 0.0), ""),
        (None, [0.0, -0.5], (0.0, -0.5), ""),
        ([0.25, 0.5], [1.0], (1.0, 0.5), "has 1 weights for 2 morph targets"),
        ([0.25, 0.5], [1.0, 2.0, 3.0], (1.0, 2.0), "has 3 weights for 2 morph targets"),
    ],
)
@pytest.mark.parametrize("make", [vrm0, vrm1])
def test_a_nodes_morph_weights_win_over_its_meshs(
    make: Any, mesh_weights: Any, node_weights: Any, want: tuple[float, ...], reported: str
) -> None:
    """glTF 3.7.2.2. A second node with the same mesh keeps the mesh's own; a target that an expression drives is 0."""

    def change(doc: Doc) -> None:
        doc["meshes"][0]["weights"] = mesh_weights
        doc["nodes"][MESH_NODE]["weights"] = node_weights
        doc["nodes"].append({"mesh": 0, "skin": 0})
        doc["scenes"][0]["nodes"].append(len(doc["nodes"]) - 1)
        for extension in doc["extensions"].values():
            extension.pop("expressions", None)
            extension.pop("blendShapeMaster", None)

    avatar = load_bytes(changed(change, make), "x.vrm")
    weights = evaluate(avatar).morph_weights
    instance = max(i for i, n in enumerate(avatar.nodes) if n.mesh == 0)
    np.testing.assert_array_equal(weights[MESH_NODE], want)
    np.testing.assert_array_equal(weights[instance], mesh_weights or (0, 0))
    assert avatar.oddities == ((f"nodes[{MESH_NODE}] 'body' {reported}",) if reported else ())


def test_expressions_start_from_zero_whatever_the_nodes_weights() -> None:
    """VRMC_vrm, expression update: a target that some expression drives is 0 until it is driven."""
    avatar = load_bytes(changed(lambda d: d["nodes"][MESH_NODE].update(weights=[1.0, 0.75])), "x.vrm")
    np.testing.assert_array_equal(evaluate(avatar).morph_weights[MESH_NODE], (0, 0.75))  # happy drives the first
    np.testing.assert_array_equal(evaluate(avatar, expressions={"happy": 0.5}).morph_weights[MESH_NODE], (0.5, 0.75))


def test_weights_of_a_node_without_a_mesh_are_reported() -> None:
    avatar = load_bytes(changed(lambda d: d["nodes"][0].update(weights=[1.0])), "x.vrm")
    assert avatar.nodes[0].weights is None and "has weights but no mesh" in avatar.oddities[0]


def test_rotations_are_unit_quaternions() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["nodes"][MESH_NODE]["rotation"] = [0, 0, 0, 2]
        doc["nodes"][MESH_NODE + 1]["rotation"] = [0, 0, 0, 0]

    avatar = edited(change)
    assert avatar.nodes[MESH_NODE].rotation == avatar.nodes[MESH_NODE + 1].rotation == (0, 0, 0, 1)
    assert [("normalized" in o, "length 0" in o) for o in avatar.oddities] == [(True, False), (False, True)]
