"""From parameters to a Character: every part made, scaled to the asked-for proportions, and put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vrm_synth.avatar.demo.character import Character
from vrm_synth.avatar.demo.face import ear, face_skin
from vrm_synth.avatar.demo.face_parts import brows, cheeks, eye_walls, eyeball, lashes, mouth
from vrm_synth.avatar.demo.feature import REST_EYES
from vrm_synth.avatar.demo.hair import build_hair
from vrm_synth.avatar.demo.locks import Chain
from vrm_synth.avatar.demo.materials import Library, add_face_materials, add_hair_materials, add_skin_material
from vrm_synth.avatar.demo.outfits import add_outfit_materials, build_outfit
from vrm_synth.avatar.demo.palette import palette
from vrm_synth.avatar.demo.params import DemoParams, facts
from vrm_synth.avatar.demo.part import Part, by_material, top_four
from vrm_synth.avatar.demo.skeleton import Skeleton, humanoid_names, humanoid_skeleton
from vrm_synth.avatar.model import F32, Image, LookAt, Mesh, Node, Primitive, RangeMap, Skin


def add_chains(skeleton: Skeleton, chains: Sequence[Chain]) -> None:
    """The chains' joints, and their tips, under their parents."""
    for c in chains:
        parent = c.parent
        for k, p in enumerate(c.points):
            parent = skeleton.add(f"{c.name}_{k}", parent, p)


def build_character(params: DemoParams) -> Character:
    """The whole character, deterministic in its parameters."""
    skeleton = humanoid_skeleton()
    colors = palette(params)
    lib = Library()
    add_face_materials(lib, colors)
    add_skin_material(lib, colors)
    add_hair_materials(lib, colors)
    eyes = REST_EYES[params.eye_shape]
    add_outfit_materials(lib, colors, params.outfit)
    outfit = build_outfit(params.outfit)
    face = [
        face_skin(eyes),
        *ear(),
        *eye_walls(eyes),
        *eyeball(),
        *lashes(eyes),
        *brows(),
        *mouth(),
        *cheeks(),
    ]
    hair = build_hair(params.hair_style)
    add_chains(skeleton, [*hair.chains, *outfit.chains])
    groups = {"Body": outfit.parts, "Face": face, "Hair": hair.parts}
    nodes = _nodes(skeleton, list(groups))
    meshes = tuple(_mesh(name, parts, skeleton, lib.index()) for name, parts in groups.items())
    humanoid = humanoid_names(skeleton)
    blank = Image("Thumbnail", "image/png", np.full((8, 8, 4), 255, np.uint8))
    gaze = RangeMap(90.0, 9.0)
    return Character(
        name=params.name,
        facts=facts(params),
        nodes=nodes,
        meshes=meshes,
        skin=_skin(skeleton),
        images=(*lib.images, blank),
        textures=tuple(lib.textures),
        materials=tuple(lib.materials),
        humanoid=humanoid,
        expressions={},
        look_at=LookAt("bone", (0.0, 0.07, 0.06), gaze, gaze, gaze, gaze),
        constraints=(),
        colliders=(),
        springs=(),
        first_person={len(skeleton.names): "both"},
        thumbnail=len(lib.images),
    )


def _nodes(skeleton: Skeleton, meshes: Sequence[str]) -> tuple[Node, ...]:
    joints = len(skeleton.names)
    still = ((0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    nodes = []
    for i, (name, parent, p) in enumerate(zip(skeleton.names, skeleton.parents, skeleton.positions, strict=True)):
        local = p - (skeleton.positions[parent] if parent >= 0 else 0.0)
        children = tuple(j for j, q in enumerate(skeleton.parents) if q == i)
        nodes.append(Node(name, parent, children, (float(local[0]), float(local[1]), float(local[2])), *still))
    for k, name in enumerate(meshes):
        nodes.append(Node(name, -1, (), (0.0, 0.0, 0.0), *still, mesh=k, skin=0))
    assert len(nodes) == joints + len(meshes)
    return tuple(nodes)


def _skin(skeleton: Skeleton) -> Skin:
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(skeleton.names), 1, 1))
    matrices[:, :3, 3] = -np.array(skeleton.positions)
    return Skin(tuple(range(len(skeleton.names))), matrices, "Skin")


def _mesh(name: str, parts: Sequence[Part], skeleton: Skeleton, material_index: dict[str, int]) -> Mesh:
    merged = by_material(parts)
    targets = sorted({t for p in merged for t in p.morphs})
    primitives = tuple(_primitive(p, skeleton, material_index[p.material], targets) for p in merged)
    return Mesh(name, primitives, (0.0,) * len(targets), tuple(targets))


def _primitive(part: Part, skeleton: Skeleton, material: int, targets: Sequence[str]) -> Primitive:
    joints, weights = top_four(part.weights, {n: i for i, n in enumerate(skeleton.names)})
    zero = np.zeros_like(part.positions)
    morphs = [part.morphs.get(t, zero) for t in targets]
    return Primitive(
        positions=_f32(part.positions),
        indices=part.triangles.astype(np.uint32),
        material=material,
        normals=_f32(part.normals),
        tex_coords=(_f32(part.uvs),),
        joints=joints.astype(np.uint16),
        weights=_f32(weights),
        morph_positions=_f32(np.array(morphs)) if morphs else np.zeros((0, 0, 3), np.float32),
    )


def _f32(a: object) -> F32:
    return np.asarray(a, np.float32)
