"""The surface of an avatar as annotations use it: the bone of each drawn triangle, the thickness around joints."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.shot.body_parts import BodyParts, body_parts_of, bones_of_nodes
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

NO_BONE = -1
MIN_RING = 8  # least vertices around a joint that its limb's radius is measured from
MIN_WEIGHT = 0.2  # of a bone on a vertex, for the vertex to be of its limb
SLANT = 2**0.5  # by which a limb covers its joint more when it is seen at 45° to its axis
RADIUS_PERCENTILE = 95.0  # of the distances from the limb's axis: a buckle is not the limb's radius


@dataclass(frozen=True, eq=False)
class Surface:
    """An avatar's surface at rest: T drawn triangles, V vertices of its BodyParts.

    parts: the body, as measured at rest.
    corners: (T, 3) intp, the vertices of each drawn triangle (vrm.drawn_triangles) in `parts`; −1 where it is hidden.
    bone: (T,) int16 index into BONE_NAMES of the humanoid bone that moves each triangle most, directly or through
        hair, skirts and the like below it; NO_BONE where there is none.
    radius: bone → local radius of the limb around the bone's joint, metres: how far its skin may lie before the joint
        when it is seen up to 45° aslant; 0 where the limb has hardly any vertices.
    near: bone → (55,) bool by BONE_NAMES, True for the bone itself and its neighbours in the avatar's humanoid.
    """

    parts: BodyParts
    corners: NDArray[np.intp]
    bone: NDArray[np.int16]
    radius: dict[str, float]
    near: dict[str, NDArray[np.bool_]]


_SURFACES: WeakKeyDictionary[Avatar, Surface] = WeakKeyDictionary()


def surface_of(avatar: Avatar) -> Surface:
    """The avatar's surface, measured at the first call. Raises ShotError where nothing is drawn."""
    surface = _SURFACES.get(avatar)
    if surface is None:
        surface = _SURFACES[avatar] = _measure(avatar)
    return surface


def present_parent(bone: str, humanoid: object) -> str | None:
    """The nearest bone above `bone` that a humanoid (bone → node) has; None above the hips."""
    parent = PARENT[bone]
    while parent is not None and parent not in humanoid:  # type: ignore[operator]
        parent = PARENT[parent]
    return parent


def _measure(avatar: Avatar) -> Surface:
    parts = body_parts_of(avatar)
    bone_of_node, _, _ = bones_of_nodes(avatar)
    drawn = drawn_triangles(avatar)
    corners, bones, weights, start = [], [], [], 0
    for node, primitive, used in zip(drawn.nodes, drawn.primitives, parts.used_vertices, strict=True):
        index = np.full(len(primitive.positions), -1, np.intp)
        index[used] = start + np.arange(len(used))
        start += len(used)
        triangle = index[primitive.indices]
        corners.append(np.where(triangle.min(1, keepdims=True) >= 0, triangle, -1))
        by_bone = _bone_weights(avatar, int(node), primitive, bone_of_node)
        weights.append(by_bone[used])
        summed = by_bone[primitive.indices].sum(1)
        bones.append(np.where(summed.any(1), summed.argmax(1), NO_BONE).astype(np.int16))
    near = {bone: _neighbours(bone, avatar) for bone in avatar.humanoid}
    radius = _radii(parts, np.concatenate(weights), avatar)
    return Surface(parts, np.concatenate(corners), np.concatenate(bones), radius, near)


def _bone_weights(
    avatar: Avatar, node: int, primitive: Primitive, bone_of_node: NDArray[np.int16]
) -> NDArray[np.float32]:
    """(V, 55) weight of every humanoid bone on every vertex of a primitive, by BONE_NAMES."""
    count = len(primitive.positions)
    weights = np.zeros((count, len(BONE_NAMES) + 1), np.float32)  # the last column takes what has no bone
    skin = avatar.skin_of(node, primitive)
    if skin is None:
        weights[:, bone_of_node[node]] = 1.0
    else:
        assert primitive.joints is not None and primitive.weights is not None
        bones = bone_of_node[list(skin.joints)][primitive.joints]
        np.add.at(weights, (np.arange(count)[:, None], bones), primitive.weights)
    return weights[:, :-1]


def _neighbours(bone: str, avatar: Avatar) -> NDArray[np.bool_]:
    parent = present_parent(bone, avatar.humanoid)
    children = [b for b in avatar.humanoid if present_parent(b, avatar.humanoid) == bone]
    return np.isin(np.arange(len(BONE_NAMES)), [BONE_NAMES.index(b) for b in (bone, parent, *children) if b])


def _radii(parts: BodyParts, weights: NDArray[np.float32], avatar: Avatar) -> dict[str, float]:
    """Bone → distance from a limb's joint to its skin, metres, as seen square on and up to 45° aslant.

    Measured across the limb on the vertices that the bone moves with a fifth of their weight or more, and directly (no
    skirts, no hair), in a slab around the joint that grows until it has MIN_RING of them; where the bone has too few
    for that, as some necks do, its parent's count, too. Where the skin only begins beyond, as a head does on its stalk,
    it is the distance to the nearest vertices.
    """
    marks = parts.landmarks
    out = {}
    for bone in avatar.humanoid:
        parent = present_parent(bone, avatar.humanoid)
        rings = [parts.direct & (weights[:, BONE_NAMES.index(b)] >= MIN_WEIGHT) for b in (bone, parent or bone)]
        ring = rings[0] if int(rings[0].sum()) >= MIN_RING else rings[0] | rings[1]
        arm = parts.rest[ring] - marks[bone]
        axis, length = _limb_axis(bone, avatar, marks)
        slabs = (_across(arm, axis, share * length) for share in (0.1, 0.2, 0.4))
        nearest = np.sort(np.linalg.norm(arm, axis=1))[:MIN_RING]
        slab = next((s for s in slabs if _enough(s)), nearest)
        out[bone] = SLANT * float(np.percentile(slab, RADIUS_PERCENTILE)) if _enough(slab) else 0.0
    return out


def _across(arm: Array, axis: Array, half: float) -> Array:
    """Distances from a limb's axis of the vertices (N, 3, from the joint) at most `half` metres along it."""
    along = arm @ axis
    return np.asarray(np.linalg.norm(arm - along[:, None] * axis, axis=1)[np.abs(along) <= half])


def _enough(vertices: Array) -> bool:
    return len(vertices) >= MIN_RING


def _limb_axis(bone: str, avatar: Avatar, marks: dict[str, Array]) -> tuple[Array, float]:
    """(3,) unit direction of a limb at a joint, and its length, metres: to the next joint, or from the last."""
    children = [b for b in avatar.humanoid if present_parent(b, avatar.humanoid) == bone]
    trunk = [b for b in children if b in ("spine", "chest", "upperChest", "neck", "head")]
    parent = present_parent(bone, avatar.humanoid)
    other = next(iter([*trunk, *children]), parent)
    limb = marks[bone] - marks[other] if other else np.zeros(3)
    length = float(np.linalg.norm(limb))
    return (limb / length, length) if length > 0 else (np.array([0.0, 1.0, 0.0]), 0.0)
