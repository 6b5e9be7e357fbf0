"""Parts of an avatar that are drawn; framing, captions and counts use the same ones."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.vrm.vrm_file import MESH_NODE, Doc, changed, vrm0, vrm1
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import quat_axis_angle
from vrm_synth.dataset.preset_sheets import faces
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render import RenderBackend, View, open_backend
from vrm_synth.shot.body_parts import body_parts_of
from vrm_synth.stage.light_types import Ambient, Light
from vrm_synth.vrm import load_bytes
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.report import avatar_report, format_report
from vrm_synth.vrm.three_vrm_compat import as_three_vrm

RENDERERS = [
    "gl",
    pytest.param(
        "pyrender",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("pyrender") is None, reason="the [pyrender] extra is not installed"
        ),
    ),
]
TURN = tuple(map(float, quat_axis_angle((0, 1, 0), 0.8)))
VIEW = View(Camera((0.3, 1.3, 1.6), (0, 1.2, 0), fov_y=40), (96, 96), Light((-0.3, -0.5, -1)), Ambient(intensity=0.4))


@pytest.fixture(scope="module")
def demo() -> Avatar:
    return open_avatar("demo")


@pytest.fixture(params=RENDERERS)
def renderer(request: Any) -> Iterator[RenderBackend]:
    opened = open_backend(request.param)
    yield opened
    opened.close()


def named(avatar: Avatar, name: str) -> int:
    return next(i for i, n in enumerate(avatar.nodes) if n.name == name)


def with_node(avatar: Avatar, node: int, **values: Any) -> Avatar:
    return replace(avatar, nodes=tuple(replace(n, **values) if i == node else n for i, n in enumerate(avatar.nodes)))


def without(avatar: Avatar, *names: str) -> Avatar:
    """The avatar whose named nodes have no mesh at all."""
    for name in names:
        avatar = with_node(avatar, named(avatar, name), mesh=None, skin=None)
    return avatar


def marked(avatar: Avatar, *names: str) -> Avatar:
    """The avatar whose named nodes are for the first person only."""
    return replace(avatar, first_person={named(avatar, name): "firstPersonOnly" for name in names})


# ---------------------------------------------------------------- for the first person only


@pytest.mark.parametrize("flag", ["auto", "both", "thirdPersonOnly", "firstPersonOnly"])
def test_a_mesh_is_drawn_unless_it_is_for_the_first_person_only(demo: Avatar, flag: Any) -> None:
    hair = named(demo, "Hair")
    a = replace(demo, first_person={hair: flag})
    assert (hair in a.drawn_nodes) == (flag != "firstPersonOnly")
    assert (hair in [node for node, *_ in posed_primitives(evaluate(a))]) == (flag != "firstPersonOnly")


def test_no_renderer_draws_first_person_only_meshes(demo: Avatar, renderer: RenderBackend) -> None:
    hidden, bare, complete = (
        renderer.render(evaluate(a), VIEW) for a in (marked(demo, "Hair"), without(demo, "Hair"), demo)
    )
    np.testing.assert_array_equal(hidden.rgba, bare.rgba)
    assert hidden.draw_order == bare.draw_order
    assert (hidden.rgba != complete.rgba).any(-1).mean() > 0.01


def test_as_three_vrm_draws_first_person_meshes(demo: Avatar) -> None:
    a = replace(marked(demo, "Hair"), first_person={named(demo, "Hair"): "firstPersonOnly", 0: "both"})
    assert as_three_vrm(a).drawn_nodes == demo.drawn_nodes and as_three_vrm(a).first_person == {0: "both"}
    assert as_three_vrm(demo) is demo


def test_framing_counts_and_captions_use_the_drawn_meshes_only(demo: Avatar) -> None:
    hidden, bare = marked(demo, "Hair"), without(demo, "Hair")
    np.testing.assert_array_equal(body_parts_of(hidden).rest, body_parts_of(bare).rest)
    assert len(body_parts_of(hidden).rest) < len(body_parts_of(demo).rest)
    assert hidden.triangle_count == bare.triangle_count < demo.triangle_count
    facts = avatar_report(hidden)
    assert facts["counts"]["triangles"] == bare.triangle_count
    assert facts["counts"]["vertices"] == avatar_report(bare)["counts"]["vertices"]
    assert [m["name"] for m in facts["meshes"] if not m["drawn"]] == ["Hair"]
    assert facts["first_person"] == {"firstPersonOnly": 1}
    assert "1 firstPersonOnly (not drawn)" in format_report(facts)


def test_an_avatar_with_first_person_only_meshes_has_no_body(demo: Avatar) -> None:
    with pytest.raises(ShotError, match="nothing of this avatar is drawn"):
        body_parts_of(marked(demo, *(demo.nodes[n].name for n in demo.drawn_nodes)))


def test_an_expression_of_an_undrawn_mesh_is_not_captioned(demo: Avatar) -> None:
    (bind, *_) = demo.expressions["happy"].morph_target_binds
    face = named(demo, "Face")
    assert bind.node == face and "happy" in demo.visible_expressions
    hidden = marked(demo, "Face")
    assert not hidden.visible_expressions & {"happy", "aa", "blink"}
    assert "happy" not in [e.name for e in faces(hidden)]


def annotated(make: Any, flag: str) -> bytes:
    """A file whose mesh hangs below two nodes; 0.x annotates the mesh, 1.0 the first of its nodes."""

    def change(doc: Doc) -> None:
        doc["nodes"].append({"name": "again", "mesh": 0, "skin": 0})
        doc["scenes"][0]["nodes"].append(len(doc["nodes"]) - 1)
        if make is vrm0:
            doc["extensions"]["VRM"]["firstPerson"]["meshAnnotations"] = [{"mesh": 0, "firstPersonFlag": flag}]
        else:
            doc["extensions"]["VRMC_vrm"]["firstPerson"]["meshAnnotations"] = [{"node": MESH_NODE, "type": flag}]

    return changed(change, make)


def test_0x_marks_a_mesh_and_1_0_a_node() -> None:
    old = load_bytes(annotated(vrm0, "FirstPersonOnly"), "x.vrm")
    assert old.drawn_nodes == () and old.triangle_count == 0
    new = load_bytes(annotated(vrm1, "firstPersonOnly"), "x.vrm")
    assert [new.nodes[n].name for n in new.drawn_nodes] == ["again"] and new.triangle_count == 2


# ---------------------------------------------------------------- joints without a skin, a skin without joints


def stripped(avatar: Avatar, name: str) -> Avatar:
    """The avatar whose named node's mesh has lost its joints."""
    meshes = list(avatar.meshes)
    mesh = avatar.nodes[named(avatar, name)].mesh
    assert mesh is not None
    bare = tuple(replace(p, joints=None, weights=None) for p in meshes[mesh].primitives)
    meshes[mesh] = replace(meshes[mesh], primitives=bare)
    return replace(avatar, meshes=tuple(meshes))


def test_a_mesh_whose_node_has_no_skin_is_drawn_rigidly(demo: Avatar, renderer: RenderBackend) -> None:
    """As the same mesh without joints is, and wherever its node is; the skinned one beside it is as it was."""
    head = {"head": TURN}
    hair = named(demo, "Hair")
    unskinned = with_node(demo, hair, skin=None, translation=(0.1, 0.0, 0.0))
    plain = with_node(stripped(demo, "Hair"), hair, skin=None, translation=(0.1, 0.0, 0.0))
    a, b = (renderer.render(evaluate(x, bones=head), VIEW).rgba for x in (unskinned, plain))
    np.testing.assert_array_equal(a, b)
    assert (a != renderer.render(evaluate(demo, bones=head), VIEW).rgba).any(-1).mean() > 0.005
    both = replace(
        demo,
        nodes=(
            *demo.nodes,
            replace(demo.nodes[hair], name="stand", skin=None, children=(), translation=(0.4, 0.0, 0.0)),
        ),
        scene_nodes=(*demo.scene_nodes, len(demo.nodes)),
    )
    shared = [x for x in posed_primitives(evaluate(both, bones=head)) if both.nodes[x[0]].mesh == demo.nodes[hair].mesh]
    for (_, p, skinned, _), (_, _, rigid, _) in zip(
        shared[: len(shared) // 2], shared[len(shared) // 2 :], strict=True
    ):
        np.testing.assert_allclose(rigid, p.positions + np.array((0.4, 0.0, 0.0)), atol=1e-6)
        assert np.abs(skinned - rigid).max() > 0.1
    assert renderer.render(evaluate(both, bones=head), VIEW).rgba[..., 3].any()


def test_a_skin_whose_mesh_has_no_joints_is_drawn_rigidly(demo: Avatar, renderer: RenderBackend) -> None:
    without_joints = stripped(demo, "Hair")
    without_skin = with_node(without_joints, named(demo, "Hair"), skin=None)
    a, b = (renderer.render(evaluate(x, bones={"hips": TURN}), VIEW).rgba for x in (without_joints, without_skin))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(body_parts_of(without_joints).direct, body_parts_of(without_skin).direct)


def test_missing_skins_and_joints_are_reported() -> None:
    def unskinned(doc: Doc) -> None:
        del doc["nodes"][MESH_NODE]["skin"]

    def jointless(doc: Doc) -> None:
        for name in ("JOINTS_0", "WEIGHTS_0"):
            del doc["meshes"][0]["primitives"][0]["attributes"][name]
        doc["nodes"].append({"mesh": 0, "skin": 0})

    def half(doc: Doc) -> None:
        del doc["meshes"][0]["primitives"][0]["attributes"]["WEIGHTS_0"]

    oddities = {f: load_bytes(changed(f), "x.vrm").oddities for f in (unskinned, jointless, half)}
    rigid = f"nodes[{MESH_NODE}] has a skin, but its meshes[0] has a primitive without joints, drawn rigidly"
    assert oddities[unskinned] == (f"nodes[{MESH_NODE}] has no skin for the joints of its meshes[0], drawn rigidly",)
    assert oddities[jointless][0] == rigid and len(oddities[jointless]) == 2
    assert oddities[half] == ("meshes[0].primitives[0] has JOINTS_0 without WEIGHTS_0; it is left out", rigid)


# ---------------------------------------------------------------- scaled to nothing


def hidden_by(demo: Avatar, scale: tuple[float, float, float]) -> Avatar:
    """The avatar with a second, rigid body three metres aside under a node of that scale."""
    n = len(demo.nodes)
    stand = replace(
        demo.nodes[0], name="stand", parent=-1, children=(n + 1,), translation=(3.0, 0, 0), scale=scale, mesh=None
    )
    copy = replace(demo.nodes[named(demo, "Body")], name="copy", parent=n, children=(), skin=None)
    return replace(demo, nodes=(*demo.nodes, stand, copy), scene_nodes=(*demo.scene_nodes, n, n + 1))


def test_framing_ignores_meshes_scaled_to_zero(demo: Avatar) -> None:
    for scale in ((0.0, 0.0, 0.0), (1e-9, 1e-9, 1e-9), (0.0, 1.0, 0.0)):
        b = body_parts_of(hidden_by(demo, scale))
        np.testing.assert_array_equal(b.rest, body_parts_of(demo).rest)
        np.testing.assert_array_equal(b.triangles, body_parts_of(demo).triangles)
    assert body_parts_of(hidden_by(demo, (1.0, 0.0, 1.0))).rest[:, 0].max() > 2.5  # a flat figure is one that is seen


def test_framing_ignores_vertices_of_joints_scaled_to_zero(demo: Avatar) -> None:
    hand = demo.humanoid["leftHand"]
    b = body_parts_of(with_node(demo, hand, scale=(0.0, 0.0, 0.0)))
    assert body_parts_of(demo).of_bones("leftIndexDistal").any() and not b.of_bones("leftIndexDistal").any()
    assert 0 < len(body_parts_of(demo).rest) - len(b.rest) < 0.2 * len(body_parts_of(demo).rest)
