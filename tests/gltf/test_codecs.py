"""Draco, meshopt, quantization and KTX 2: decoded as the plain file, or refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tests.gltf.codec_files import draco, drawn, no_basis, same, small
from tests.gltf.compress import File, draco_compressed, meshopt_compressed, quantized
from tests.gltf.ktx2_pictures import PICTURES, pixels
from tests.vrm.vrm_file import Doc, replaced_image
from vrm_synth.builtin_avatar import DemoParams, build_glb
from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm import Avatar, AvatarError, load_bytes


@pytest.fixture(scope="module")
def demo() -> bytes:
    return build_glb(DemoParams())


# ---------------------------------------------------------------- KHR_mesh_quantization


def test_a_quantized_avatar_matches_the_plain_one(demo: bytes) -> None:
    packed, step = quantized(demo)
    # half a step each way, the slope of the cube's diagonal, and float32
    same(demo, packed, step=step, degrees=0.8, weights=3e-5)


@pytest.mark.parametrize(
    ("component", "normalized", "top"),
    [
        *((5120, True, 127), (5121, True, 255), (5122, True, 32767), (5123, True, 65535)),
        *((5120, False, 1), (5121, False, 1), (5122, False, 1), (5123, False, 1)),
    ],
)
def test_quantized_positions_of_every_type_are_read(component: int, normalized: bool, top: int) -> None:
    file = File(small())
    values = np.array([[0, 0, 0], [top, 0, 0], [top, top, 0], [0, top, 0]])
    file.primitives()[0]["attributes"]["POSITION"] = file.accessor(values, component, "VEC3", normalized=normalized)
    file.requires("KHR_mesh_quantization")
    p = load_bytes(file.bytes(), "x").meshes[0].primitives[0]
    np.testing.assert_array_equal(p.positions, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert p.positions.dtype == np.float32


def test_quantized_uvs_morphs_normals_and_tangents_are_read() -> None:
    file = File(small())
    (primitive,) = file.primitives()
    uv = np.array([[0, 300], [65535, 2], [7, 7], [1, 0]])
    primitive["attributes"]["TEXCOORD_0"] = file.accessor(uv, 5123, "VEC2")  # for a texture transform to scale
    primitive["attributes"]["TEXCOORD_1"] = file.accessor(-uv // 600, 5120, "VEC2", normalized=True)
    primitive["attributes"]["NORMAL"] = file.accessor(np.tile([0, -32767, 0], (4, 1)), 5122, "VEC3", normalized=True)
    primitive["attributes"]["TANGENT"] = file.accessor(
        np.tile([127, 0, 0, -127], (4, 1)), 5120, "VEC4", normalized=True
    )
    primitive["targets"][0]["POSITION"] = file.accessor(np.tile([-3, 2, 1], (4, 1)), 5120, "VEC3")
    primitive["targets"][0]["NORMAL"] = file.accessor(np.tile([0, 127, 0], (4, 1)), 5120, "VEC3", normalized=True)
    file.requires("KHR_mesh_quantization")
    p = load_bytes(file.bytes(), "x").meshes[0].primitives[0]
    np.testing.assert_array_equal(p.tex_coords[0], uv)
    np.testing.assert_allclose(p.tex_coords[1], np.maximum(-uv // 600 / 127, -1), atol=1e-7)
    np.testing.assert_array_equal(p.normals, [[0, -1, 0]] * 4)
    np.testing.assert_array_equal(p.tangents, [[1, 0, 0, -1]] * 4)
    np.testing.assert_array_equal(p.morph_positions[0], [[-3, 2, 1]] * 4)
    assert p.morph_normals is not None
    np.testing.assert_array_equal(p.morph_normals[0], [[0, 1, 0]] * 4)


def test_quantized_attributes_without_the_extension_are_refused() -> None:
    file = File(small())
    file.primitives()[0]["attributes"]["POSITION"] = file.accessor(np.zeros((4, 3)), 5122, "VEC3")
    with pytest.raises(AvatarError, match=r"wrong component type for .*POSITION; got 5122; allowed: 5126"):
        load_bytes(file.bytes(), "x")


# ---------------------------------------------------------------- EXT_meshopt_compression


@pytest.mark.parametrize("name", ["EXT_meshopt_compression", "KHR_meshopt_compression"])
def test_meshopt_is_lossless(name: str) -> None:
    same(small(), meshopt_compressed(small(), name), step=0, degrees=1e-3)


def test_a_meshopt_avatar_matches_the_plain_one(demo: bytes) -> None:
    packed = meshopt_compressed(quantized(demo)[0])
    same(quantized(demo)[0], packed, step=0, degrees=1e-3)


def test_an_external_meshopt_fallback_buffer_is_ignored() -> None:
    file = File(meshopt_compressed(small()))
    file.doc["buffers"][1]["uri"] = "avatar.fallback.bin"
    same(small(), file.bytes(), step=0, degrees=1e-3)
    del file.doc["buffers"][1]["extensions"]
    with pytest.raises(AvatarError, match="external URI is refused"):
        load_bytes(file.bytes(), "x")


def filtered(name: str, rows: np.ndarray, component: int, kind: str, attribute: str, **fields: Any) -> Primitive:
    """The small file with one attribute compressed from already filtered rows."""
    import meshopt

    file = File(small())
    file.requires("EXT_meshopt_compression", "KHR_mesh_quantization")
    packed = file.span(meshopt.encode_gltf_buffer(rows, "ATTRIBUTES"))
    stride = rows.dtype.itemsize * rows.shape[1]
    packed |= {"byteStride": stride, "count": 4, "mode": "ATTRIBUTES", "filter": name}
    view = {"buffer": 0, "byteOffset": 0, "byteLength": 4 * stride, "byteStride": stride}
    file.doc["bufferViews"].append(view | {"extensions": {"EXT_meshopt_compression": packed}})
    accessor = {"bufferView": len(file.doc["bufferViews"]) - 1, "componentType": component, "type": kind, "count": 4}
    file.doc["accessors"].append(accessor | fields)
    file.primitives()[0]["attributes"][attribute] = len(file.doc["accessors"]) - 1
    return load_bytes(file.bytes(), "x").meshes[0].primitives[0]


VECTORS = np.array([[0.6, 0.8, 0, 1], [-0.48, 0.6, -0.64, 1], [0, 0, 1, 1], [0, -0.6, -0.8, 1]])


@pytest.mark.parametrize(("stride", "bits", "component"), [(4, 8, 5120), (8, 12, 5122)])
def test_the_octahedral_filter_is_decoded(stride: int, bits: int, component: int) -> None:
    import meshopt

    rows = meshopt.encode_filter_oct(VECTORS, stride, bits)
    p = filtered("OCTAHEDRAL", rows, component, "VEC3", "NORMAL", normalized=True)
    np.testing.assert_allclose(p.normals, VECTORS[:, :3], atol=2.0 / 2**bits * 2)


def test_the_quaternion_filter_is_decoded() -> None:
    import meshopt

    q = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    p = filtered("QUATERNION", meshopt.encode_filter_quat(q, 8, 16), 5122, "VEC4", "TANGENT", normalized=True)
    assert p.tangents is not None
    np.testing.assert_allclose(np.abs((p.tangents * q).sum(1)), 1, atol=1e-4)  # q and −q are one rotation


def test_the_exponential_filter_is_decoded() -> None:
    import meshopt

    values = np.array([[0.1, 1.5, -300], [1e-3, 2, 0], [7, 0.25, 1e-5], [-1, -2, -3]])
    p = filtered("EXPONENTIAL", meshopt.encode_filter_exp(values, 20, "Separate"), 5126, "VEC3", "POSITION")
    np.testing.assert_allclose(p.positions, values, rtol=2.0**-18)


MESHOPT_REFUSALS: list[tuple[str, Any, str]] = [
    ("byteStride", 7, "wrong stride for ATTRIBUTES"),
    ("byteStride", 512, "wrong stride for ATTRIBUTES"),
    ("byteStride", -12, "must not be negative"),
    ("byteStride", None, "required value is missing"),
    ("count", 5, "do not fill their view; got 5 of 12 bytes; allowed: 48 bytes"),
    ("count", 0, "wrong number of compressed elements"),
    ("count", 2**40, "do not fill their view"),
    ("mode", "LINES", "unknown value"),
    ("mode", "TRIANGLES", "wrong stride for TRIANGLES"),
    ("mode", None, "required value is missing"),
    ("filter", "SOFT", "unknown value"),
    ("filter", "QUATERNION", "wrong stride for ATTRIBUTES with the filter QUATERNION; got 12; allowed: 8"),
    ("buffer", 1, "buffer has no data"),
    ("buffer", 9, "index into buffers is out of range"),
    ("byteOffset", 10**7, "buffer view runs past its buffer"),
    ("byteLength", 10**7, "buffer view runs past its buffer"),
    ("byteLength", 3, "compressed data is damaged"),
    ("byteOffset", 0, "compressed data is damaged"),
]


@pytest.mark.parametrize(("key", "value", "message"), MESHOPT_REFUSALS)
def test_inconsistent_meshopt_data_is_refused(key: str, value: Any, message: str) -> None:
    file = File(meshopt_compressed(small()))
    view = file.doc["accessors"][file.primitives()[0]["attributes"]["POSITION"]]["bufferView"]
    file.doc["bufferViews"][view]["extensions"]["EXT_meshopt_compression"][key] = value
    with pytest.raises(AvatarError, match=message) as e:
        load_bytes(file.bytes(), "x.vrm")
    assert str(e.value).startswith("x.vrm: bu") and "\n" not in str(e.value)


# ---------------------------------------------------------------- KHR_draco_mesh_compression


def test_a_draco_avatar_matches_the_plain_one(demo: bytes) -> None:
    """Positions in 14 bits; joints and weights are exact, morph targets stay as they are."""
    same(demo, draco_compressed(demo), step=2 / 2**14, degrees=0.001)


def test_draco_triangles_in_another_order_match(demo: bytes) -> None:
    """Edgebreaker moves vertices and triangles; the surface and what each place hangs on stay."""
    file = File(demo)
    file.doc["meshes"] = [{"primitives": [p]} for p in file.primitives()[:2]]  # those without morph targets
    for node in file.doc["nodes"]:
        if "mesh" in node:
            node["mesh"] = 0
    file.doc["extensions"]["VRMC_vrm"]["expressions"] = {}
    plain = file.bytes()
    a, b = load_bytes(plain, "plain"), load_bytes(draco_compressed(plain, bits=20, in_order=False), "packed")
    for (p, x, *_), (q, y, *_) in zip(drawn(a), drawn(b), strict=True):
        assert len(p.indices) - len(q.indices) in range(20)  # the encoder leaves out triangles of no area
        distance, nearest = cKDTree(x[p.indices].mean(1)).query(y[q.indices].mean(1))
        assert distance.max() <= 2e-5
        assert p.weights is not None and q.weights is not None
        ours, theirs = p.weights[p.indices].sum(1)[nearest], q.weights[q.indices].sum(1)
        assert (np.abs(ours - theirs).max(1) < 1e-5).mean() > 0.99  # all but those that lie on others


def test_an_uncompressed_fallback_beside_draco_is_read() -> None:
    file = File(small())
    file.doc["extensionsUsed"].append("KHR_draco_mesh_compression")
    attributes = dict.fromkeys(file.primitives()[0]["attributes"], 0)
    extension = {"bufferView": 10**6, "attributes": attributes}
    file.primitives()[0]["extensions"] = {"KHR_draco_mesh_compression": extension}
    same(small(), file.bytes(), step=0, degrees=1e-3)


def _of(doc: Doc, name: str) -> Doc:
    primitive = doc["meshes"][0]["primitives"][0]
    entry: Doc = doc["accessors"][primitive["indices"] if name == "indices" else primitive["attributes"][name]]
    return entry


DRACO_REFUSALS: list[tuple[str, Callable[[Doc], object], str]] = [
    ("no view", lambda d: draco(d).pop("bufferView"), "required value is missing"),
    (
        "view out of range",
        lambda d: draco(d).update(bufferView=999),
        "index into bufferViews is out of range",
    ),
    ("view of something else", lambda d: draco(d).update(bufferView=0), "damaged header"),
    ("unknown id", lambda d: draco(d)["attributes"].update(NORMAL=77), "no such attribute"),
    ("id of another", lambda d: draco(d)["attributes"].update(NORMAL=40), r"got \(4, 4\); allowed: \(4, 3\)"),
    ("negative id", lambda d: draco(d)["attributes"].update(NORMAL=-1), "must not be negative"),
    (
        "not in the primitive",
        lambda d: draco(d)["attributes"].update(COLOR_0=1),
        "COLOR_0 is not in the primitive",
    ),
    ("no POSITION", lambda d: draco(d)["attributes"].pop("POSITION"), "compressed primitive has no POSITION"),
    ("strip", lambda d: d["meshes"][0]["primitives"][0].update(mode=5), "no triangle list"),
    ("more vertices", lambda d: _of(d, "POSITION").update(count=5), "vertex counts differ"),
    (
        "a billion",
        lambda d: [_of(d, n).update(count=2**30) for n in draco(d)["attributes"]],
        "data is too large",
    ),
    ("fewer indices", lambda d: _of(d, "indices").update(count=3), "index counts differ; got 6 compressed; allowed: 3"),
    ("floats as bytes", lambda d: _of(d, "NORMAL").update(componentType=5121, type="VEC3"), "component type|not fit"),
    ("positions as shorts", lambda d: _of(d, "POSITION").update(componentType=5122), "does not fit its accessor"),
    ("sparse", lambda d: _of(d, "POSITION").update(sparse=_sparse()), "wrong accessor"),
]


def _sparse() -> Doc:
    return {"count": 1, "indices": {"bufferView": 0, "componentType": 5123}, "values": {"bufferView": 0}}


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in DRACO_REFUSALS], ids=[c[0] for c in DRACO_REFUSALS])
def test_inconsistent_draco_data_is_refused(change: Callable[[Doc], object], message: str) -> None:
    file = File(draco_compressed(small()))
    change(file.doc)
    with pytest.raises(AvatarError, match=message) as e:
        load_bytes(file.bytes(), "x.vrm")
    assert "\n" not in str(e.value)


def test_a_larger_index_count_than_draco_holds_is_reported() -> None:
    file = File(draco_compressed(small()))
    _of(file.doc, "indices").update(count=9)
    avatar = load_bytes(file.bytes(), "x")
    assert avatar.triangle_count == 2
    assert avatar.oddities == ("meshes[0].primitives[0] has 2 compressed triangles of 3 announced",)


# ---------------------------------------------------------------- KHR_texture_basisu


def basis(picture: bytes) -> Avatar:
    return load_bytes(replaced_image(picture, "image/ktx2"), "x.vrm")


@no_basis
@pytest.mark.parametrize("name", PICTURES)
def test_ktx2_pictures_of_basis_universal_are_decoded(name: str) -> None:
    avatar = basis(PICTURES[name])
    image = avatar.images[0]
    assert image is not None and image.mime_type == "image/ktx2" and not image.pixels.flags.writeable
    step = 8 if name.startswith("ETC1S") else 1  # ETC1S has 5 bits a color
    assert np.abs(image.pixels.astype(int) - pixels(name != "ETC1S")).max() <= step
    assert avatar.oddities == ()


def with_texture(texture: Doc, picture: bytes) -> Avatar:
    file = File(small())
    file.requires("KHR_texture_basisu")
    file.doc["images"].append({"bufferView": file.view(picture), "mimeType": "image/ktx2"})
    file.doc["textures"] = [texture]
    return load_bytes(file.bytes(), "x")


@no_basis
def test_the_texture_extension_names_its_picture() -> None:
    avatar = with_texture({"extensions": {"KHR_texture_basisu": {"source": 1}}}, PICTURES["UASTC"])
    assert avatar.textures[0].image == 1 and avatar.images[0] is None and avatar.images[1] is not None


def test_a_plain_picture_beside_ktx2_is_read() -> None:
    avatar = with_texture({"source": 0, "extensions": {"KHR_texture_basisu": {"source": 1}}}, b"not even looked at")
    assert avatar.textures[0].image == 0 and avatar.images[0] is not None and avatar.images[1] is None


KTX2_REFUSALS: list[tuple[int, str, int, str]] = [
    (12, "<I", 37, "not of Basis Universal; got vkFormat 37"),
    (20, "<I", 0, "picture is empty"),
    (24, "<I", 2**31, "picture is too large"),
    (28, "<I", 2, "not one picture"),
    (32, "<I", 6, "not one picture"),
    (36, "<I", 6, "not one picture"),
    (40, "<I", 2**32 - 1, "not one picture"),
    (40, "<I", 30, "cut short"),
    (44, "<I", 3, "unknown supercompression"),
    (44, "<I", 1, "no known form"),
    (48, "<I", 10**6, "descriptor of a KTX 2 picture runs past its end"),
    (52, "<I", 4, "no known form"),
    (56, "<I", 10**6, "key/values of a KTX 2 picture runs past its end"),
    (64, "<Q", 2**64 - 1, "supercompression of a KTX 2 picture runs past its end"),
    (80, "<Q", 2**64 - 1, "level 0 of a KTX 2 picture runs past its end"),
    (88, "<Q", 2**63, "level 0 of a KTX 2 picture runs past its end"),
    (96, "<Q", 2**40, "level 0 of a KTX 2 picture has the wrong size"),
    (20, "<I", 64, "level 0 of a KTX 2 picture has the wrong size"),
]


@pytest.mark.parametrize(("offset", "kind", "value", "message"), KTX2_REFUSALS)
def test_inconsistent_ktx2_data_is_refused(offset: int, kind: str, value: int, message: str) -> None:
    changed = bytearray(PICTURES["UASTC"])
    struct.pack_into(kind, changed, offset, value)
    with pytest.raises(AvatarError, match=message):
        basis(bytes(changed))


@pytest.mark.parametrize("size", [12, 30, 79, 80, 100, 200, 319])
def test_truncated_ktx2_data_is_refused(size: int) -> None:
    with pytest.raises(AvatarError, match=r"damaged|cut short|past its end"):
        basis(PICTURES["UASTC"][:size])
