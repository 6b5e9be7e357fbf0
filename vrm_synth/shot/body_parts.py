"""Which vertices are which part of the body, and where its landmarks are: what framing needs to know of an avatar.

Everything here is measured once on the avatar at rest and kept beside it. Vertices are those that triangles use,
in the order of `pose.skinning.posed_primitives`; parts that their nodes scale to nothing, as exporters hide
accessories, are not in any picture and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.views import Part
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
FEWEST = 12  # vertices that make a part worth framing
FLESH = 3  # vertices that make a bone something one can see
NOTHING = 1e-6  # of a scale: a kilometre is a millimetre


@dataclass(frozen=True, eq=False)
class BodyParts:
    """V vertices at rest.

    rest: (V, 3) metres in the world frame. bone: (V,) index into BONE_NAMES of the humanoid bone that moves the
    vertex, directly or through hair, skirts and the like below it; −1 where there is none. own: (V,) whether
    that bone moves it directly, or a rigid mesh below it. node: (V,) the avatar's node that moves it most.
    swings: (V,) whether springs move it.
    triangles: (T, 3) indices of vertices. used: for each drawn primitive, the indices of its vertices that
    triangles use. landmarks: bone → (3,) at rest. axes: bone → (3, 3) world rotation and scale at rest.
    floor: lowest height of what bones move directly. hips_height: metres above the floor. person: whether named
    poses look as their names say: it is known to face +Z, stands in the T-pose
    with level arms and upright legs where nothing poses it, and has flesh on its limbs.
    """

    rest: Array
    bone: NDArray[np.int16]
    own: NDArray[np.bool_]
    node: NDArray[np.intp]
    swings: NDArray[np.bool_]
    triangles: NDArray[np.intp]
    used: tuple[NDArray[np.intp], ...]
    landmarks: dict[str, Array]
    axes: dict[str, Array]
    floor: float
    hips_height: float
    person: bool

    def of(self, *names: str) -> NDArray[np.bool_]:
        """(V,) vertices of the named bones."""
        return np.isin(self.bone, [BONE_NAMES.index(n) for n in names])


_BODIES: WeakKeyDictionary[Avatar, BodyParts] = WeakKeyDictionary()


def body(avatar: Avatar) -> BodyParts:
    """The avatar's body, measured at its first use. Raises ShotError where nothing is drawn."""
    found = _BODIES.get(avatar)
    if found is None:
        found = _BODIES[avatar] = _measure(avatar)
    return found


def vertices(b: BodyParts, posed: PosedAvatar) -> Array:
    """(V, 3) float64: where the body's vertices are, metres in the world frame."""
    parts = posed_primitives(posed, with_normals=False)
    return np.concatenate([positions[u] for (_, _, positions, _), u in zip(parts, b.used, strict=True)])


def grounded(b: BodyParts, points: Array) -> float:
    """How far down the posed body (V, 3) must go, metres, to stand on the floor that it stood on at rest."""
    return float(points[_solid(b), 1].min()) - b.floor


def part(b: BodyParts, down_to: Part) -> NDArray[np.bool_]:
    """(V,) the vertices that a crop must show; everything where the avatar has no such part to speak of.

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
        chosen = head | (b.own & b.of(*TORSO) & (height >= _chest_height(b)))
    else:
        legs = [b.landmarks[n][1] for n in (*THIGHS, "leftLowerLeg", "rightLowerLeg") if n in b.landmarks]
        chosen = head | (b.own & b.of(*TORSO, *THIGHS) & (height >= np.mean(legs)))
    return chosen if int(chosen.sum()) >= FEWEST else everything


def _head(b: BodyParts) -> NDArray[np.bool_]:
    height, of_head = b.rest[:, 1], b.of(*HEAD)
    own = of_head & ~b.swings
    if int(own.sum()) < FEWEST:
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


def _solid(b: BodyParts) -> NDArray[np.bool_]:
    # Skirts, hair and tails may hang through the floor; hands, knees and feet may not.
    return b.own if int(b.own.sum()) >= 3 else np.ones(len(b.own), np.bool_)


# ---------------------------------------------------------------- measuring


def _measure(avatar: Avatar) -> BodyParts:
    posed = evaluate(avatar)
    bone_of_node, is_bone, in_spring = _bones_of_nodes(avatar)
    hidden = _scaled_to_nothing(posed)
    rest, bone, own, nodes, swings, used, triangles, count = [], [], [], [], [], [], [], 0
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
        swings.append(in_spring[leading])
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
        own=direct,
        node=np.concatenate(nodes),
        swings=np.concatenate(swings),
        triangles=np.concatenate(triangles),
        used=tuple(used),
        landmarks=marks,
        axes={bone: posed.world_from_node[node][:3, :3] for bone, node in avatar.humanoid.items()},
        floor=floor,
        hips_height=hips,
        person=avatar.front_known and _rests_in_t_pose(marks) and _has_limbs(bones[direct]),
    )


def _scaled_to_nothing(posed: PosedAvatar) -> NDArray[np.bool_]:
    """(N,) nodes under which everything is a line or a point, in any pose: poses turn and move, but never scale."""
    second_axis = np.linalg.svd(posed.world_from_node[:, :3, :3], compute_uv=False)[:, 1]
    return np.asarray(second_axis < NOTHING)


def _hidden_vertices(avatar: Avatar, node: int, primitive: Primitive, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(V,) the vertices that nothing but `hidden` nodes (N,) move."""
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


def _has_limbs(moved_by: NDArray[np.int16]) -> bool:
    limbs = ("head", *(side + limb for side in ("left", "right") for limb in ("LowerArm", "LowerLeg")))
    return all(int((moved_by == BONE_NAMES.index(name)).sum()) >= FLESH for name in limbs)


def _bones_of_nodes(avatar: Avatar) -> tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.bool_]]:
    """For each node: the humanoid bone at or above it (−1: none), whether it is that bone itself, and whether
    springs move it."""
    own = {node: BONE_NAMES.index(name) for name, node in avatar.humanoid.items()}
    bones = np.full(len(avatar.nodes), -1, np.int16)
    swings = np.isin(np.arange(len(avatar.nodes)), [j.node for spring in avatar.springs for j in spring.joints])
    for node in avatar.scene_nodes:  # parents first
        parent = avatar.nodes[node].parent
        bones[node] = own.get(node, bones[parent] if parent >= 0 else -1)
        swings[node] |= parent >= 0 and bool(swings[parent])
    return bones, np.isin(np.arange(len(avatar.nodes)), list(own)), swings


def _leading_nodes(avatar: Avatar, node: int, primitive: Primitive) -> NDArray[np.intp]:
    """(V,) the node that moves each vertex most."""
    skin = avatar.skin_of(node, primitive)
    if skin is None:
        return np.full(len(primitive.positions), node, np.intp)
    assert primitive.joints is not None and primitive.weights is not None
    most = primitive.weights.argmax(1)
    joint = np.take_along_axis(primitive.joints, most[:, None], 1)[:, 0]
    return np.asarray(skin.joints, np.intp)[joint]
