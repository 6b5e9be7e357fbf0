"""Fuzzed files either load as a sound avatar or raise AvatarError."""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.vrm.vrm_file import glb, glb_of_text, vrm0, vrm1
from vrm_synth.vrm import Avatar, AvatarError, load_bytes
from vrm_synth.vrm.report import avatar_report, format_report

MAKE = {"0": vrm0, "1": vrm1}
VALUES: list[Any] = [
    *(None, True, False, -1, 0, 1, 2, 3, 1.5, -0.0, 1e9, 1e308, 255, 65535, 2**31, 2**63, 10**400, 5121, 5126),
    *("", "x", "VEC4", "../x", "data:,", "\0\ud800", [], {}, [[]], [0], [0] * 16, [{}], [None], {"a": 1}, {"node": 0}),
]


def sound(avatar: Avatar) -> None:
    """Every index of a loaded avatar points at something, every number is finite, every array has its shape."""
    nodes, count = avatar.nodes, len(avatar.nodes)
    assert len(set(avatar.scene_nodes)) == len(avatar.scene_nodes)
    reached: set[int] = set()
    for n in avatar.scene_nodes:
        assert nodes[n].parent == -1 or nodes[n].parent in reached
        reached.add(n)
    for i, node in enumerate(nodes):
        assert all(nodes[c].parent == i for c in node.children)
        assert np.isfinite([*node.translation, *node.rotation, *node.scale]).all()
        assert np.linalg.norm(node.rotation) == pytest.approx(1)
        if node.mesh is not None:
            for p in avatar.meshes[node.mesh].primitives:
                if node.skin is not None and p.joints is not None:
                    assert p.joints.max() < len(avatar.skins[node.skin].joints)
    for skin in avatar.skins:
        assert all(0 <= j < count for j in skin.joints)
        assert skin.inverse_bind.shape == (len(skin.joints), 4, 4) and np.isfinite(skin.inverse_bind).all()
    for mesh in avatar.meshes:
        for p in mesh.primitives:
            sound_primitive(avatar, p, len(mesh.weights))
    for material in avatar.materials:
        assert (material.mtoon is not None) == (material.kind == "mtoon")
        for info in material.texture_infos().values():
            image = avatar.images[avatar.textures[info.texture].image]
            assert image is not None and image.pixels.dtype == np.uint8 and image.pixels.shape[2] == 4
    assert all(n in reached for n in avatar.humanoid.values())
    for e in avatar.expressions.values():
        for bind in e.morph_target_binds:
            mesh_index = nodes[bind.node].mesh
            assert mesh_index is not None
            assert 0 <= bind.index < len(avatar.meshes[mesh_index].weights)
        assert all(0 <= b.material < len(avatar.materials) for b in e.material_color_binds)
        assert all(0 <= b.material < len(avatar.materials) for b in e.texture_transform_binds)
    for spring in avatar.springs:
        assert spring.joints and all(0 <= c < len(avatar.colliders) for c in spring.colliders)
        assert all(0 <= j.node < count and (j.tail is None or 0 <= j.tail < count) for j in spring.joints)
    format_report(avatar_report(avatar)).encode("utf-8")


def sound_primitive(avatar: Avatar, p: Any, targets: int) -> None:
    vertices = len(p.positions)
    assert p.positions.shape == (vertices, 3) and np.isfinite(p.positions).all()
    assert p.indices.dtype == np.uint32 and p.indices.shape[1] == 3
    assert p.indices.size == 0 or p.indices.max() < vertices
    assert 0 <= p.material < len(avatar.materials)
    assert p.morph_positions.shape == (targets, vertices, 3) and np.isfinite(p.morph_positions).all()
    for array, width in ((p.normals, 3), (p.tangents, 4), (p.colors, 4), *((uv, 2) for uv in p.tex_coords)):
        assert array is None or (array.shape == (vertices, width) and np.isfinite(array).all())
    assert (p.joints is None) == (p.weights is None)
    if p.weights is not None:
        assert p.weights.shape == p.joints.shape == (vertices, 4)
        np.testing.assert_allclose(p.weights.sum(1), 1, atol=1e-5)
    assert not any(a.flags.writeable for a in (p.positions, p.indices, p.morph_positions))


def try_to_load(data: bytes) -> bool:
    """Return True where it loads; anything but a valid avatar or a well-formed AvatarError fails the test."""
    try:
        avatar = load_bytes(data, "fuzz.vrm")
    except AvatarError as e:
        assert str(e).startswith("fuzz.vrm: ") and str(e).isprintable() and len(str(e)) < 1000
        return False
    sound(avatar)
    return True


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value but its root."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def mutate(doc: dict[str, Any], rng: np.random.Generator) -> None:
    """Replace, drop, repeat or move one value of the JSON."""
    json_paths = list(paths(doc))
    path, other = (json_paths[i] for i in rng.integers(0, len(json_paths), 2))
    holder: Any = doc
    for key in path[:-1]:
        holder = holder[key]
    kind = rng.integers(5)
    if kind == 0 and isinstance(holder, dict):
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[path[-1]]))
    elif kind == 2:
        value: Any = doc
        for key in other:
            value = value[key]
        holder[path[-1]] = copy.deepcopy(value)
    else:
        holder[path[-1]] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])


@pytest.mark.parametrize("version", ["0", "1"])
def test_changed_json_loads_soundly_or_is_refused(version: str) -> None:
    rng = np.random.default_rng(20261123)
    loaded = 0
    for _ in range(400):
        doc, data = MAKE[version]()
        for _ in range(rng.integers(1, 3)):
            mutate(doc, rng)
        loaded += try_to_load(glb(doc, bytes(data)))
    assert 20 < loaded < 380  # both outcomes are well covered


@pytest.mark.parametrize("version", ["0", "1"])
@pytest.mark.parametrize("part", ["json", "bin", "anywhere"])
def test_changed_bytes_load_soundly_or_are_refused(version: str, part: str) -> None:
    rng = np.random.default_rng(7)
    doc, data = MAKE[version]()
    file = glb(doc, bytes(data))
    middle = 20 + struct.unpack_from("<I", file, 12)[0]
    low, high = {"json": (20, middle), "bin": (middle + 8, len(file)), "anywhere": (0, len(file))}[part]
    for _ in range(150):
        changed = bytearray(file)
        for at in rng.integers(low, high, rng.integers(1, 7)):
            changed[at] = rng.integers(256)
        try_to_load(bytes(changed))


@pytest.mark.parametrize("version", ["0", "1"])
def test_a_truncated_file_is_refused(version: str) -> None:
    doc, data = MAKE[version]()
    file = glb(doc, bytes(data))
    for size in np.linspace(0, len(file) - 1, 150).astype(int):
        assert not try_to_load(file[:size])


def test_random_json_is_refused() -> None:
    rng = np.random.default_rng(3)
    alphabet = np.frombuffer(b'{}[]",:0123456789.eE+-\\u \ntruefalsn\x00\xff', np.uint8)
    for _ in range(300):
        text = rng.choice(alphabet, rng.integers(1, 200)).tobytes()
        assert not try_to_load(glb_of_text(b'{"nodes": ' + text, b""))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["0", "1"])
def test_changed_json_loads_soundly_or_is_refused_long(version: str) -> None:
    rng = np.random.default_rng(99)
    for _ in range(10_000):
        doc, data = MAKE[version]()
        for _ in range(rng.integers(1, 4)):
            mutate(doc, rng)
        try_to_load(glb(doc, bytes(data)))
