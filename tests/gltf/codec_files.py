"""Small compressed files, and the comparison of two files by what they draw; needs the [codecs] extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pytest

from tests.gltf.compress import draco_compressed, meshopt_compressed
from tests.gltf.ktx2_pictures import PICTURES
from tests.vrm.vrm_file import Doc, glb, replaced_image, vrm1
from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm import Avatar, load_bytes
from vrm_synth.vrm.humanoid import rest_world_matrix

if any(importlib.util.find_spec(library) is None for library in ("meshopt", "DracoPy")):
    pytest.skip("the [codecs] extra is not installed (make test installs it)", allow_module_level=True)

no_basis = pytest.mark.skipif(
    importlib.util.find_spec("opengl_basisu") is None, reason="opengl-basisu has no wheels for this machine"
)
BASIS = pytest.param("opengl_basisu", marks=no_basis)


def small() -> bytes:
    doc, data = vrm1()
    return glb(doc, bytes(data))


def drawn(avatar: Avatar) -> Iterator[tuple[Primitive, np.ndarray, np.ndarray, np.ndarray]]:
    """Every primitive at rest: itself, (V, 3) positions and (T, V, 3) morph targets in meters, unit normals."""
    worlds = [rest_world_matrix(avatar.nodes, n) for n in range(len(avatar.nodes))]
    for node in avatar.nodes:
        if node.mesh is None:
            continue
        assert node.skin is not None
        skin = avatar.skins[node.skin]
        bind = np.array([worlds[j] @ b for j, b in zip(skin.joints, skin.inverse_bind.astype(float), strict=True)])
        for p in avatar.meshes[node.mesh].primitives:
            assert p.joints is not None and p.weights is not None and p.normals is not None
            m = np.einsum("vk,vkij->vij", p.weights, bind[p.joints])
            positions = np.einsum("vij,vj->vi", m[:, :3, :3], p.positions) + m[:, :3, 3]
            normals = np.einsum("vij,vj->vi", m[:, :3, :3], p.normals)
            morphs = np.einsum("vij,tvj->tvi", m[:, :3, :3], p.morph_positions)
            yield p, positions, morphs, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def same(plain: bytes, packed: bytes, *, step: float, degrees: float, weights: float = 0.0) -> Avatar:
    """Both files draw the same: vertices, morph targets and normals within bounds, everything else exactly."""
    a, b = load_bytes(plain, "plain"), load_bytes(packed, "packed")
    pairs = list(zip(drawn(a), drawn(b), strict=True))
    assert pairs
    for (p, positions, morphs, normals), (q, positions2, morphs2, normals2) in pairs:
        assert np.abs(positions - positions2).max() <= step
        assert morphs.shape == morphs2.shape and np.abs(morphs - morphs2).max(initial=0) <= step
        assert np.degrees(np.arccos(np.clip((normals * normals2).sum(1), -1, 1))).max() <= degrees
        assert p.weights is not None and q.weights is not None
        assert np.abs(p.weights - q.weights).max() <= weights
        heavy = p.weights > weights
        np.testing.assert_array_equal(p.joints[heavy], q.joints[heavy])
        np.testing.assert_array_equal(turned(p.indices), turned(q.indices))
        assert p.material == q.material
    assert b.oddities == a.oddities
    return b


def turned(triangles: np.ndarray) -> np.ndarray:
    """Triangles that start at their smallest vertex: an encoder may turn them, but not over."""
    start = triangles.argmin(1)[:, None]
    return np.take_along_axis(triangles, (start + np.arange(3)) % 3, 1)


def cases() -> dict[str, bytes]:
    """A small file for each library."""
    return {
        "meshopt": meshopt_compressed(small()),
        "DracoPy": draco_compressed(small()),
        "opengl_basisu": replaced_image(PICTURES["ETC1S"], "image/ktx2"),
    }


def draco(doc: Doc) -> Doc:
    extension: Doc = doc["meshes"][0]["primitives"][0]["extensions"]["KHR_draco_mesh_compression"]
    return extension
