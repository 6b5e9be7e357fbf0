"""Avatars built in memory from any meshes and materials, without a file or bones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vrm_synth.gltf.model import Image, Material, Mesh, Node, Primitive, Sampler, Texture
from vrm_synth.licensing.license import License
from vrm_synth.vrm.avatar import Avatar, Meta

IDENTITY = (0.0, 0.0, 0.0, 1.0)


def sphere(rings: int = 48, radius: float = 1.0) -> Primitive:
    """A UV sphere around the origin; u runs around +Y from behind, v down from the pole."""
    v, u = np.meshgrid(np.linspace(0, 1, rings + 1), np.linspace(0, 1, 2 * rings + 1), indexing="ij")
    theta, phi = v * np.pi, u * 2 * np.pi
    normals = np.stack([-np.sin(phi) * np.sin(theta), np.cos(theta), -np.cos(phi) * np.sin(theta)], -1)
    row = 2 * rings + 1
    a = (np.arange(rings)[:, None] * row + np.arange(2 * rings)).ravel()
    quads = np.stack([a, a + row, a + 1, a + 1, a + row, a + row + 1], -1)
    triangles = quads.reshape(-1, 3)[:, ::-1] if _inside_out(normals.reshape(-1, 3), quads) else quads.reshape(-1, 3)
    flat = normals.reshape(-1, 3).astype(np.float32)
    return Primitive(
        positions=(flat * radius).astype(np.float32),
        normals=flat,
        tex_coords=(np.stack([u, v], -1).reshape(-1, 2).astype(np.float32),),
        indices=triangles.astype(np.uint32),
        material=0,
    )


def _inside_out(points: np.ndarray, quads: np.ndarray) -> bool:
    a, b, c = points[quads[len(quads) // 2 + 7, :3]]
    return bool(np.dot(np.cross(b - a, c - a), a) < 0)


def square(size: float = 2.0) -> Primitive:
    """A square in the plane z = 0 that faces +Z; u to the right, v down."""
    h = size / 2
    return Primitive(
        positions=np.array([[-h, h, 0], [h, h, 0], [-h, -h, 0], [h, -h, 0]], np.float32),
        normals=np.tile(np.array([0, 0, 1], np.float32), (4, 1)),
        tex_coords=(np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32),),
        indices=np.array([[0, 2, 1], [1, 2, 3]], np.uint32),
        material=0,
    )


def avatar(
    parts: list[tuple[Primitive, Material]],
    translations: list[tuple[float, float, float]] | None = None,
    images: list[np.ndarray] | None = None,
    sampler: Sampler | None = None,
) -> Avatar:
    """An avatar with one node per part, all at the top of the scene; image k is texture k."""
    offsets = translations or [(0.0, 0.0, 0.0)] * len(parts)
    pictures = images or []
    return Avatar(
        source="tiny",
        sha256="",
        vrm_version="1",
        generator="tests",
        meta=Meta("tiny", "", (), License("")),
        nodes=tuple(
            Node(f"node{k}", -1, (), offset, IDENTITY, (1.0, 1.0, 1.0), mesh=k) for k, offset in enumerate(offsets)
        ),
        scene_nodes=tuple(range(len(parts))),
        meshes=tuple(Mesh(f"mesh{k}", (replace(p, material=k),)) for k, (p, _) in enumerate(parts)),
        skins=(),
        images=tuple(Image("", "image/png", p) for p in pictures),
        textures=tuple(Texture(k, sampler or Sampler()) for k in range(len(pictures))),
        materials=tuple(replace(m, name=m.name or f"material{k}") for k, (_, m) in enumerate(parts)),
        humanoid={},
        expressions={},
    )
