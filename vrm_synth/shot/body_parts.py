"""Body parts of an avatar: which vertices belong to which bone, and where its landmarks are, for framing.

Measured once on the avatar at rest and cached for as long as the avatar lives. Vertices are those that triangles use,
in the order of `pose.skinning.posed_primitives`. Parts that their nodes scale to nothing, as exporters hide
accessories, are not in any picture and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.views import LowestPart
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar

HEAD = ("head", "leftEye", "rightEye", "jaw")
TORSO = ("hips", "spine", "chest", "upperChest", "neck", "leftShoulder", "rightShoulder")
THIGHS = ("leftUpperLeg", "rightUpperLeg")
MIN_PART_VERTICES = 12  # least vertices of a part that is framed
MIN_BONE_VERTICES = 3  # least vertices of a bone that can be seen
ZERO_SCALE = 1e-6  # a scale that makes a millimetre of a kilometre


@dataclass(frozen=True, eq=False)
class BodyParts:
    """An avatar's body at rest: V vertices, T triangles.

    rest: (V, 3) float64, world metres.
    bone: (V,) index into BONE_NAMES of the humanoid bone that moves the vertex, directly or through hair, skirts and
        the like below it; −1 where there is none.
    direct: (V,) true where that bone moves it directly, or a rigid mesh below the bone does.
    node: (V,) the avatar's node that moves the vertex most.
    spring_driven: (V,) true where springs move it.
    triangles: (T, 3) indices of vertices.
    used_vertices: for each drawn primitive, the indices of its vertices that triangles use.
    landmarks: bone → (3,) its position, world metres.
    axes: bone → (3, 3) world rotation and scale.
    floor: height of the lowest directly moved vertex, metres.
    hips_height: metres above the floor.
    is_person: named poses look on it as their names say: it is known to face +Z, rests in the T-pose with level arms
        and upright legs, and has vertices on its limbs.
    """

    rest: Array
    bone: NDArray[np.int16]
    direct: NDArray[np.bool_]
    node: NDArray[np.intp]
    spring_driven: NDArray[np.bool_]
    triangles: NDArray[np.intp]
    used_vertices: tuple[NDArray[np.intp], ...]
    landmarks: dict[str, Array]
    axes: dict[str, Array]
    floor: float
    hips_height: float
    is_person: bool

    def of_bones(self, *names: str) -> NDArray[np.bool_]:
        """(V,) mask of the vertices that the named bones move."""
        return np.isin(self.bone, [BONE_NAMES.index(n) for n in names])


_BODIES: WeakKeyDictionary[Avatar, BodyParts] = WeakKeyDictionary()


def body_parts_of(avatar: Avatar) -> BodyParts:
    """The avatar's body parts, measured at the first call. Raises ShotError where nothing is drawn."""
    parts = _BODIES.get(avatar)
    if parts is None:
        parts = _BODIES[avatar] = _measure(avatar)
    return parts


def posed_vertices(b: BodyParts, posed: PosedAvatar) -> Array:
    """(V, 3) float64 positions of the body's vertices in a pose, world metres."""
    primitives = posed_primitives(posed, with_normals=False)
    return np.concatenate([positions[u] for (_, _, positions, _), u in zip(primitives, b.used_vertices, strict=True)])


def height_above_floor(b: BodyParts, points: Array) -> float:
    """Height in metres of the posed body (V, 3) above the floor that it stands on at rest."""
    return float(points[_floor_vertices(b), 1].min()) - b.floor


def crop_vertices(b: BodyParts, down_to: LowestPart) -> NDArray[np.bool_]:
    """(V,) mask of the vertices that a crop must show; all of them where the avatar has too few of such a part.

    Parts are cut at rest, where heights mean something: the chin at the head bone, the chest halfway down the
    chest, the thighs at their middle. Arms and loose hair do not count, or a raised hand would make every
    portrait a full figure; the hair on top of the head does.
    """
    everything = np.ones(len(b.rest), np.bool_)
    if down_to == "everything":
        return everything
    height = b.rest[:, 1]
    head = _head(b)
    if down_to == "chin":
        chosen = head
    elif down_to == "chest":
        chosen = head | (b.direct & b.of_bones(*TORSO) & (height >= _chest_height(b)))
    else:
        legs = [b.landmarks[n][1] for n in (*THIGHS, "leftLowerLeg", "rightLowerLeg") if n in b.landmarks]
        chosen = head | (b.direct & b.of_bones(*TORSO, *THIGHS) & (height >= np.mean(legs)))
    return chosen if int(chosen.sum()) >= MIN_PART_VERTICES else everything


def _head(b: BodyParts) -> NDArray[np.bool_]:
    height, of_head = b.rest[:, 1], b.of_bones(*HEAD)
    own = of_head & ~b.spring_driven
    if int(own.sum()) < MIN_PART_VERTICES:
        return own
    joint = b.landmarks["head"][1]
    own &= height >= joint - 0.2 * (height[own].max() - joint)  # chins hang a little below the joint
    sideways = np.abs(b.rest[:, 0] - b.landmarks["head"][0])
    hair_on_top = of_head & (height > height[own].max()) & (sideways <= 1.25 * sideways[own].max())
    return own | hair_on_top


def _chest_height(b: BodyParts) -> float:
    marks = b.landmarks
    top = marks.get("neck", marks["head"])[1]
    return float(top - 0.45 * (top - marks["hips"][1]))


def _floor_vertices(b: BodyParts) -> NDArray[np.bool_]:
    # Skirts, hair and tails may hang through the floor; hands, knees and feet may not.
    return b.direct if int(b.direct.sum()) >= 3 else np.ones(len(b.direct), np.bool_)


# ---------------------------------------------------------------- measuring


def _measure(avatar: Avatar) -> BodyParts:
    posed = evaluate(avatar)
    bone_of_node, is_bone, spring_driven = bones_of_nodes(avatar)
    hidden = _scaled_to_nothing(posed)
    rest, bone, own, nodes, in_springs, used, triangles, count = [], [], [], [], [], [], [], 0
    for node, primitive, positions, _ in posed_primitives(posed, with_normals=False):
        shown = primitive.indices
        if hidden.any():
            shown = shown[~_hidden_vertices(avatar, node, primitive, hidden)[shown].all(1)]
        u = np.unique(shown).astype(np.intp)
        leading = _leading_nodes(avatar, node, primitive)[u]
        rigid = avatar.skin_of(node, primitive) is None  # a robot's parts hang below their bones
        rest.append(positions[u])
        bone.append(bone_of_node[leading])
        own.append((bone_of_node[leading] >= 0) if rigid else is_bone[leading])
        nodes.append(leading)
        in_springs.append(spring_driven[leading])
        triangles.append(np.searchsorted(u, shown) + count)
        used.append(u)
        count += len(u)
    if not count:
        raise ShotError("nothing of this avatar is drawn", where=avatar.source)
    points, bones, direct = np.concatenate(rest), np.concatenate(bone), np.concatenate(own)
    floor = float(points[direct if int(direct.sum()) >= 3 else slice(None), 1].min())
    marks = {k: v.copy() for k, v in posed.bone_positions().items()}
    hips = float(marks["hips"][1]) - floor
    if hips <= 0:  # a mesh that hangs above its own bones has no floor worth the name
        hips = float(np.ptp(points[:, 1])) / 2
    return BodyParts(
        rest=points,
        bone=bones,
        direct=direct,
        node=np.concatenate(nodes),
        spring_driven=np.concatenate(in_springs),
        triangles=np.concatenate(triangles),
        used_vertices=tuple(used),
        landmarks=marks,
        axes={bone: posed.world_from_node[node][:3, :3] for bone, node in avatar.humanoid.items()},
        floor=floor,
        hips_height=hips,
        is_person=avatar.front_known and _rests_in_t_pose(marks) and _has_limb_vertices(bones[direct]),
    )


def _scaled_to_nothing(posed: PosedAvatar) -> NDArray[np.bool_]:
    """(N,) mask of nodes that make a line or a point of everything below them, in any pose: poses never scale."""
    second_axis = np.linalg.svd(posed.world_from_node[:, :3, :3], compute_uv=False)[:, 1]
    return np.asarray(second_axis < ZERO_SCALE)


def _hidden_vertices(avatar: Avatar, node: int, primitive: Primitive, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) mask of the vertices that `hidden` nodes (N,) alone move."""
    skin = avatar.skin_of(node, primitive)
    if skin is None:
        return np.full(len(primitive.positions), hidden[node])
    assert primitive.joints is not None and primitive.weights is not None
    by_hidden = hidden[list(skin.joints)][primitive.joints]
    return np.asarray((by_hidden | (primitive.weights == 0)).all(1))


def _rests_in_t_pose(marks: dict[str, Array], within: float = 20.0) -> bool:
    for side, out in (("left", 1.0), ("right", -1.0)):
        for start, end, direction in (("UpperArm", "Hand", (out, 0, 0)), ("UpperLeg", "Foot", (0, -1, 0))):
            limb = marks[side + end] - marks[side + start]
            length = float(np.linalg.norm(limb))
            if length == 0 or float(limb @ np.asarray(direction, np.float64)) < length * np.cos(np.radians(within)):
                return False
    return True


def _has_limb_vertices(moved_by: NDArray[np.int16]) -> bool:
    limbs = ("head", *(side + limb for side in ("left", "right") for limb in ("LowerArm", "LowerLeg")))
    return all(int((moved_by == BONE_NAMES.index(name)).sum()) >= MIN_BONE_VERTICES for name in limbs)


def bones_of_nodes(avatar: Avatar) -> tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.bool_]]:
    """(N,) each, by node: the humanoid bone at or above it (−1: none), is it that bone itself, do springs move it."""
    own = {node: BONE_NAMES.index(name) for name, node in avatar.humanoid.items()}
    bones = np.full(len(avatar.nodes), -1, np.int16)
    in_springs = np.isin(np.arange(len(avatar.nodes)), [j.node for spring in avatar.springs for j in spring.joints])
    for node in avatar.scene_nodes:  # parents first
        parent = avatar.nodes[node].parent
        bones[node] = own.get(node, bones[parent] if parent >= 0 else -1)
        in_springs[node] |= parent >= 0 and bool(in_springs[parent])
    return bones, np.isin(np.arange(len(avatar.nodes)), list(own)), in_springs


def _leading_nodes(avatar: Avatar, node: int, primitive: Primitive) -> NDArray[np.intp]:
    """(V,) the node that moves each vertex most."""
    skin = avatar.skin_of(node, primitive)
    if skin is None:
        return np.full(len(primitive.positions), node, np.intp)
    assert primitive.joints is not None and primitive.weights is not None
    most = primitive.weights.argmax(1)
    joint = np.take_along_axis(primitive.joints, most[:, None], 1)[:, 0]
    return np.asarray(skin.joints, np.intp)[joint]
