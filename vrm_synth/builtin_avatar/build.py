"""Build a DemoCharacter from parameters: make all parts, scale them to the requested proportions, assemble them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vrm_synth.builtin_avatar.demo_character import DemoCharacter
from vrm_synth.builtin_avatar.dynamics import build_colliders, build_constraints, build_springs
from vrm_synth.builtin_avatar.params import DemoParams, facts
from vrm_synth.builtin_avatar.portrait import portrait
from vrm_synth.builtin_avatar.preset_expressions import build_expressions
from vrm_synth.builtin_avatar.proportions import Proportions, body_part, head_part, proportions, resize_skeleton
from vrm_synth.builtin_avatar.shapes.accessories import accessory_parts, add_accessory_materials
from vrm_synth.builtin_avatar.shapes.face import ear, face_skin
from vrm_synth.builtin_avatar.shapes.face_parts import brows, cheeks, eye_walls, eyeball, lashes, mouth
from vrm_synth.builtin_avatar.shapes.feature import EYE_CENTER, REST_EYES
from vrm_synth.builtin_avatar.shapes.hair import Hair, build_hair
from vrm_synth.builtin_avatar.shapes.locks import SpringChain
from vrm_synth.builtin_avatar.shapes.outfits import Outfit, add_outfit_materials, build_outfit
from vrm_synth.builtin_avatar.shapes.part import MeshPart, by_material, top_four
from vrm_synth.builtin_avatar.shapes.skeleton import HEAD, Skeleton, humanoid_names, humanoid_skeleton
from vrm_synth.builtin_avatar.surface.palette import Palette, palette
from vrm_synth.builtin_avatar.surface.toon_materials import (
    CLAMP,
    MaterialLibrary,
    add_face_materials,
    add_hair_materials,
    add_skin_material,
)
from vrm_synth.gltf.model import F32, Mesh, Node, Primitive, Skin
from vrm_synth.vrm.avatar import LookAt, RangeMap

MESHES = ("Body", "Face", "Hair")


def build_character(params: DemoParams) -> DemoCharacter:
    """Build the whole character; the same parameters give the same character."""
    colors, size = palette(params), proportions(params)
    hair, outfit = build_hair(params.hair_style), build_outfit(params.outfit)
    lib = _materials(params, colors)
    skeleton = humanoid_skeleton()
    for c in (*hair.chains, *outfit.chains):
        add_chain(skeleton, c)
    head_joints = [f"{c.name}_{k}" for c in hair.chains for k in range(len(c.points))]
    skeleton = resize_skeleton(skeleton, head_joints, size)
    groups = _parts(params, hair, outfit, size)
    thumbnail = lib.texture("Thumbnail", portrait(groups, lib), CLAMP)
    index = lib.index()
    meshes = tuple(_mesh(name, groups[name], skeleton, index) for name in MESHES)
    joints = len(skeleton.names)
    colliders, colliders_by_kind = build_colliders(skeleton, size.whole)
    gaze = size.head * size.whole * np.array([0.0, EYE_CENTER[1] - HEAD[1], 0.075 - HEAD[2]])
    return DemoCharacter(
        name=params.name,
        facts=facts(params),
        nodes=_nodes(skeleton),
        meshes=meshes,
        skin=_skin(skeleton),
        images=tuple(lib.images),
        textures=tuple(lib.textures),
        materials=tuple(lib.materials),
        humanoid=humanoid_names(skeleton),
        expressions=build_expressions(joints + MESHES.index("Face"), meshes[1].target_names, index),
        look_at=LookAt(
            "bone",
            (0.0, float(gaze[1]), float(gaze[2])),
            RangeMap(45.0, 8.0),
            RangeMap(45.0, 10.0),
            RangeMap(40.0, 8.0),
            RangeMap(40.0, 7.0),
        ),
        constraints=build_constraints(skeleton),
        colliders=colliders,
        springs=build_springs(skeleton, [*hair.chains, *outfit.chains], colliders_by_kind, size.whole),
        first_person={joints: "both", joints + 1: "auto", joints + 2: "thirdPersonOnly"},
        thumbnail=lib.textures[thumbnail.texture].image,
    )


def add_chain(skeleton: Skeleton, c: SpringChain) -> None:
    """Add a chain's joints, the tip included, to the skeleton under the chain's parent."""
    parent = c.parent
    for k, p in enumerate(c.points):
        parent = skeleton.add(f"{c.name}_{k}", parent, p)


def _materials(params: DemoParams, colors: Palette) -> MaterialLibrary:
    lib = MaterialLibrary()
    add_face_materials(lib, colors)
    add_skin_material(lib, colors)
    add_hair_materials(lib, colors)
    add_outfit_materials(lib, colors, params.outfit)
    add_accessory_materials(lib, colors, params.accessory)
    return lib


def _parts(params: DemoParams, hair: Hair, outfit: Outfit, size: Proportions) -> dict[str, list[MeshPart]]:
    eyes = REST_EYES[params.eye_shape]
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
    accessories = accessory_parts(params.accessory, hair.anchors)
    return {
        "Body": [body_part(p, size) for p in outfit.parts],
        "Face": [head_part(p, size) for p in face],
        "Hair": [head_part(p, size) for p in (*hair.parts, *accessories)],
    }


def _nodes(skeleton: Skeleton) -> tuple[Node, ...]:
    identity = ((0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
    nodes = []
    for i, (name, parent, p) in enumerate(zip(skeleton.names, skeleton.parents, skeleton.positions, strict=True)):
        local = p - (skeleton.positions[parent] if parent >= 0 else 0.0)
        children = tuple(j for j, q in enumerate(skeleton.parents) if q == i)
        nodes.append(Node(name, parent, children, (float(local[0]), float(local[1]), float(local[2])), *identity))
    for k, name in enumerate(MESHES):
        nodes.append(Node(name, -1, (), (0.0, 0.0, 0.0), *identity, mesh=k, skin=0))
    return tuple(nodes)


def _skin(skeleton: Skeleton) -> Skin:
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(skeleton.names), 1, 1))
    matrices[:, :3, 3] = -np.array(skeleton.positions)
    return Skin(tuple(range(len(skeleton.names))), matrices, "Skin")


def _mesh(name: str, parts: Sequence[MeshPart], skeleton: Skeleton, material_index: dict[str, int]) -> Mesh:
    merged = by_material(parts)
    targets = sorted({t for p in merged for t in p.morphs})
    primitives = tuple(_primitive(p, skeleton, material_index[p.material], targets) for p in merged)
    return Mesh(name, primitives, (0.0,) * len(targets), tuple(targets))


def _primitive(part: MeshPart, skeleton: Skeleton, material: int, targets: Sequence[str]) -> Primitive:
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
