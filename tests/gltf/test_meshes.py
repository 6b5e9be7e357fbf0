"""Reading meshes: every form of geometry that glTF allows."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np
import pytest

from tests.gltf.edits import attributes, edited, primitive
from tests.vrm.vrm_file import BONE_LIST, MESH_NODE, Doc, changed, glb, vrm1
from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm import load_bytes

HEAD = next(bone for bone in BONE_LIST if bone.name == "head")


def plain() -> Primitive:
    return primitive(edited(lambda doc, add: None))


def test_every_attribute_of_the_unmodified_file_is_read() -> None:
    p = plain()
    np.testing.assert_array_equal(p.positions[2], [0.5, 1.5, 0])
    np.testing.assert_array_equal(p.indices, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(p.tex_coords[0], [[0, 1], [1, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(p.weights, [[0.75, 0.25, 0, 0]] * 4)
    np.testing.assert_array_equal(p.morph_positions[0], [[0, np.float32(0.1), 0]] * 4)
    np.testing.assert_array_equal(p.morph_positions[1], [[0, 0, 0], [1, 2, 3], [0, 0, 0], [4, 5, 6]])  # sparse
    assert p.morph_normals is None and p.colors is None and p.tangents is None
    mesh = edited(lambda doc, add: None).meshes[0]
    assert mesh.target_names == ("up", "far") and mesh.weights == (0.0, 0.0)


def test_byte_strides_are_followed() -> None:
    want = plain()

    def change(doc: Doc, add: Any) -> None:
        attributes(doc)["POSITION"] = add(want.positions, "<f4", "VEC3", 5126, 20)
        attributes(doc)["JOINTS_0"] = add([[0, 1, 0, 0]] * 4, "<u2", "VEC4", 5123, 12)

    got = primitive(edited(change))
    np.testing.assert_array_equal(got.positions, want.positions)
    np.testing.assert_array_equal(got.joints, want.joints)


@pytest.mark.parametrize(("dtype", "component", "top"), [("<u1", 5121, 255), ("<u2", 5123, 65535)])
def test_normalized_integers_become_fractions(dtype: str, component: int, top: int) -> None:
    def change(doc: Doc, add: Any) -> None:
        uv = [[0, top], [top, top], [top, 0], [0, 0]]
        attributes(doc)["TEXCOORD_0"] = add(uv, dtype, "VEC2", component, normalized=True)
        attributes(doc)["COLOR_0"] = add([[top, 0, top]] * 4, dtype, "VEC3", component, normalized=True)
        # an exporter that forgot `normalized`
        attributes(doc)["WEIGHTS_0"] = add([[top // 2, top // 2, 0, 0]] * 4, dtype, "VEC4", component)

    p = primitive(edited(change))
    np.testing.assert_array_equal(p.tex_coords[0], [[0, 1], [1, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(p.colors, [[1, 0, 1, 1]] * 4)
    np.testing.assert_allclose(p.weights, [[0.5, 0.5, 0, 0]] * 4)


@pytest.mark.parametrize(("dtype", "component"), [("<u1", 5121), ("<u2", 5123), ("<u4", 5125)])
def test_indices_of_every_integer_type_are_read(dtype: str, component: int) -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["meshes"][0]["primitives"][0]["indices"] = add([2, 1, 0], dtype, "SCALAR", component)

    np.testing.assert_array_equal(primitive(edited(change)).indices, [[2, 1, 0]])


@pytest.mark.parametrize(
    ("mode", "want"),
    [
        (4, [[0, 1, 2]]),  # the last two of five indices make no triangle
        (5, [[0, 1, 2], [1, 3, 2], [2, 3, 0]]),
        (6, [[1, 2, 0], [2, 3, 0], [3, 0, 0]]),
    ],
)
def test_triangle_lists_strips_and_fans_are_read(mode: int, want: list[list[int]]) -> None:
    """glTF 3.7.2.1's own formulas for each mode, winding included."""

    def change(doc: Doc, add: Any) -> None:
        doc["meshes"][0]["primitives"][0] |= {"mode": mode, "indices": add([0, 1, 2, 3, 0], "<u2", "SCALAR", 5123)}

    avatar = edited(change)
    np.testing.assert_array_equal(primitive(avatar).indices, want)
    assert any("not a multiple of 3" in o for o in avatar.oddities) == (mode == 4)


def test_without_indices_vertices_are_taken_in_order() -> None:
    avatar = load_bytes(changed(lambda d: d["meshes"][0]["primitives"][0].pop("indices")), "x.vrm")
    np.testing.assert_array_equal(primitive(avatar).indices, [[0, 1, 2]])


def test_a_primitive_with_zero_indices_is_dropped() -> None:
    avatar = load_bytes(changed(lambda d: d["accessors"][5].update(count=0)), "x.vrm")
    assert avatar.meshes[0].primitives == () and len(avatar.meshes[0].weights) == 2 and avatar.triangle_count == 0
    assert avatar.oddities == ("meshes[0].primitives[0] has no indices, so there is nothing to draw",)


def test_an_avatar_without_meshes_loads() -> None:
    def bare(doc: Doc) -> None:
        for key in ("meshes", "skins", "materials", "images", "textures", "samplers"):
            doc[key] = []
        doc["nodes"][MESH_NODE] = {}
        doc["extensions"]["VRMC_vrm"].pop("expressions")
        doc["extensions"]["VRMC_vrm"]["meta"].pop("thumbnailImage")

    avatar = load_bytes(changed(bare), "x.vrm")
    assert avatar.triangle_count == 0 and avatar.meshes == avatar.materials == avatar.images == ()


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_points_and_lines_are_dropped(mode: int) -> None:
    def change(doc: Doc, add: Any) -> None:
        point = {"attributes": {"POSITION": 0}, "mode": mode, "targets": [{}, {}]}
        doc["meshes"][0]["primitives"].append(point)

    avatar = edited(change)
    assert len(avatar.meshes[0].primitives) == 1
    assert avatar.oddities == ("meshes[0].primitives[1] is made of points or lines, which are not drawn",)


def test_eight_joints_become_the_four_of_largest_weight() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["skins"][0] = {"joints": list(range(8))}
        attributes(doc)["JOINTS_0"] = add([[0, 1, 2, 3]] * 4, "<u1", "VEC4", 5121)
        attributes(doc)["JOINTS_1"] = add([[4, 5, 6, 7]] * 4, "<u1", "VEC4", 5121)
        attributes(doc)["WEIGHTS_0"] = add([[0.3, 0.01, 0.02, 0.1]] * 4, "<f4", "VEC4", 5126)
        attributes(doc)["WEIGHTS_1"] = add([[0.05, 0.4, 0.12, 0]] * 4, "<f4", "VEC4", 5126)

    avatar = edited(change)
    p = primitive(avatar)
    np.testing.assert_array_equal(p.joints, [[5, 0, 6, 3]] * 4)
    np.testing.assert_allclose(p.weights, [np.array([0.4, 0.3, 0.12, 0.1]) / 0.92] * 4, rtol=1e-6)
    assert any("8 joints a vertex" in o for o in avatar.oddities)


def test_weights_are_made_to_sum_to_one() -> None:
    weights = [[2, 2, 0, 0], [0, 0, 0, 0], [-1, 1, 0, 0], [0.5, 0.5, 0, 0]]

    def change(doc: Doc, add: Any) -> None:
        attributes(doc)["WEIGHTS_0"] = add(weights, "<f4", "VEC4", 5126)
        attributes(doc)["JOINTS_0"] = add([[1, 0, 200, 9]] * 4, "<u1", "VEC4", 5121)

    avatar = edited(change)  # joints 200 and 9 are not in the skin, but weigh nothing
    np.testing.assert_array_equal(
        primitive(avatar).weights, [[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0]]
    )
    np.testing.assert_array_equal(primitive(avatar).joints, [[1, 0, 0, 0]] * 2 + [[0, 0, 0, 0]] + [[1, 0, 0, 0]])
    assert len(avatar.oddities) == 2
    assert "1 vertices with negative weights" in avatar.oddities[0] and "1 vertices of no weight" in avatar.oddities[1]


def test_missing_attributes_stay_none() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["meshes"][0]["primitives"] = [{"attributes": {"POSITION": 0}}]
        doc["skins"][0].pop("inverseBindMatrices")

    avatar = edited(change)
    p = primitive(avatar)
    assert p.normals is None and p.joints is None and p.tex_coords == () and len(p.morph_positions) == 0
    assert avatar.materials[p.material].name == "default" and avatar.materials[p.material].kind == "pbr"
    np.testing.assert_array_equal(avatar.skins[0].inverse_bind, [np.eye(4)] * 2)
    assert any("no material" in o for o in avatar.oddities)


def test_uv_sets_keep_their_numbers() -> None:
    def change(doc: Doc, add: Any) -> None:
        a = attributes(doc)
        a["TEXCOORD_2"] = a.pop("TEXCOORD_0")

    p = primitive(edited(change))
    assert len(p.tex_coords) == 3
    np.testing.assert_array_equal(p.tex_coords[1], np.zeros((4, 2)))
    np.testing.assert_array_equal(p.tex_coords[2][0], [0, 1])


def test_non_finite_normals_are_replaced_and_reported() -> None:
    def change(doc: Doc, add: Any) -> None:
        attributes(doc)["NORMAL"] = add([[0, 0, 1], [np.nan, 0, 1], [0, np.inf, 0], [0, 0, 1]], "<f4", "VEC3", 5126)

    avatar = edited(change)
    np.testing.assert_array_equal(primitive(avatar).normals[1], [0, 0, 1])  # type: ignore[index]
    assert "2 numbers that are not finite" in avatar.oddities[0]


def test_data_past_byte_length_but_inside_the_bin_chunk_is_read_and_reported() -> None:
    """Seen in the wild: inverse bind matrices beyond buffers[0].byteLength but inside the BIN chunk."""
    doc, data = vrm1()
    bind = doc["bufferViews"][doc["accessors"][8]["bufferView"]]
    data += b"\0" * (-len(data) % 4)
    moved = bytes(data[bind["byteOffset"] : bind["byteOffset"] + bind["byteLength"]])
    bind["byteOffset"] = len(data)
    avatar = load_bytes(glb(doc, bytes(data) + moved), "x.vrm")
    np.testing.assert_array_equal(avatar.skins[0].inverse_bind, [np.eye(4)] * 2)
    assert any("runs past buffers[0].byteLength, but not past its data" in o for o in avatar.oddities)


def test_inverse_bind_matrices_are_column_major_in_the_file() -> None:
    def change(doc: Doc, add: Any) -> None:
        columns = np.eye(4)
        columns[3, :3] = [1, 2, 3]  # a translation is the last column, stored last
        doc["skins"][0]["inverseBindMatrices"] = add([columns.ravel()] * 2, "<f4", "MAT4", 5126)

    np.testing.assert_array_equal(edited(change).skins[0].inverse_bind[0][:3, 3], [1, 2, 3])


def test_primitives_that_share_a_buffer_share_its_array() -> None:
    def change(doc: Doc, add: Any) -> None:
        first = doc["meshes"][0]["primitives"][0]
        doc["meshes"][0]["primitives"].append({**first, "indices": add([1, 2, 3], "<u2", "SCALAR", 5123)})

    a, b = edited(change).meshes[0].primitives
    assert a.positions is b.positions and a.weights is b.weights and a.morph_positions is b.morph_positions
    assert len(a.indices) == 2 and len(b.indices) == 1


def test_data_uris_inside_the_file_are_read() -> None:
    doc, data = vrm1()
    view = doc["bufferViews"][doc["images"][0]["bufferView"]]
    picture = bytes(data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
    doc["images"][0] = {"uri": "data:image/png;base64," + base64.b64encode(picture).decode()}
    image = load_bytes(glb(doc, bytes(data)), "x.vrm").images[0]
    assert image is not None and image.pixels[0, 0].tolist() == [200, 100, 50, 255]


def test_nodes_outside_the_scene_are_kept_but_not_drawn() -> None:
    def change(doc: Doc, add: Any) -> None:
        doc["nodes"].append({"name": "spare", "mesh": 0})

    avatar = edited(change)
    assert len(avatar.nodes) - 1 not in avatar.scene_nodes and avatar.triangle_count == 2


def test_trailing_bytes_and_unknown_chunks_are_reported() -> None:
    doc, data = vrm1()
    file = glb(doc, bytes(data))
    assert load_bytes(file + b"tail", "x.vrm").oddities == ("4 bytes after the end that the GLB header announces",)
    longer = file[:8] + struct.pack("<I", len(file) + 12) + file[12:] + struct.pack("<I4s", 4, b"EXTR") + b"more"
    assert load_bytes(longer, "x.vrm").oddities == ("unknown GLB chunk b'EXTR' skipped",)
