"""The humanoid pose: rotations of normalised bones become local rotations of the avatar's own nodes.

A normalised bone's axes are parallel to the world's when the avatar stands in its T-pose. With P the
world rotation of the bone's parent node at rest and R the bone's own local rotation at rest, a
normalised rotation n is the local rotation P⁻¹ · n · P · R (VRMC_vrm_animation-1.0, "how to transform
human pose"). P includes the half turn of an avatar that faced −Z in its file, so VRM 0.x needs no
second formula. The formula uses the rest state only: bones need no order, and a bone whose humanoid
parent is missing simply hangs on whatever node it hangs on.

Where the file does not rest in its T-pose (`Avatar.rest_corrections`), the T-pose takes the place of the rest
pose. With C the world rotation from a bone's rest to its T-pose, and D that of the nearest bone above it,
P becomes D·P and the local rotation (D·P)⁻¹ · n · C · P · R. A bone without a correction of its own has its
parent's, C = D, so that n = identity leaves it as it rests on its parent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array, decompose, quat_inverse, quat_mul
from vrm_synth.pose.node_tree import Index, LocalTransforms, NodeTree
from vrm_synth.vrm.avatar import Avatar

UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class HumanoidRig:
    """The avatar's B humanoid bones.

    row: bone name → row of the arrays below.
    node: (B,) the bone's node.
    before: (B, 4) quaternion P⁻¹.
    after: (B, 4) quaternion P·R.
    hips: the node of the hips.
    t_pose: all nodes with every bone in its T-pose, which is the file's rest pose unless that is corrected.
    """

    row: Mapping[str, int]
    node: Index
    before: Array
    after: Array
    t_pose: LocalTransforms
    hips: int | None


def build_humanoid(avatar: Avatar, tree: NodeTree) -> HumanoidRig:
    """Compute once per avatar what turns a normalized pose into local rotations, and its corrected T-pose and hips."""
    names = list(avatar.humanoid)
    node = np.array([avatar.humanoid[n] for n in names], np.intp)
    parent_rotation = np.array([_parent_rotation(tree, int(i)) for i in node]).reshape(-1, 4)
    before, after = quat_inverse(parent_rotation), quat_mul(parent_rotation, tree.rest.rotation[node])
    t_pose = tree.rest
    if avatar.rest_corrections:
        own, above = _corrections(avatar, tree, node)
        before, after = quat_mul(before, quat_inverse(above)), quat_mul(own, after)
        corrected = np.array([name in avatar.rest_corrections for name in names])
        t_pose = t_pose.turned(node[corrected], quat_mul(before, after)[corrected])
    return HumanoidRig(
        row={n: k for k, n in enumerate(names)},
        node=node,
        before=before,
        after=after,
        t_pose=t_pose,
        hips=avatar.humanoid.get("hips"),
    )


def _corrections(avatar: Avatar, tree: NodeTree, node: Index) -> tuple[Array, Array]:
    """World rotations (B, 4) from rest to the T-pose: of each bone, and of the nearest corrected one above it."""
    given = {avatar.humanoid[bone]: np.asarray(q, np.float64) for bone, q in avatar.rest_corrections.items()}
    none = np.array([0.0, 0.0, 0.0, 1.0])
    paths = [[n for n in tree.path(int(i)) if n in given] for i in node]
    own = [given[p[-1]] if p else none for p in paths]
    above = [given[q[-1]] if (q := [n for n in p if n != i]) else none for i, p in zip(node, paths, strict=True)]
    return np.array(own), np.array(above)


def split_bones(rig: HumanoidRig, bones: Mapping[str, Sequence[float]]) -> tuple[Index, Array, list[str]]:
    """Check requested rotations: rows (K,) and unit rotations (K, 4) of the bones that the avatar has, and
    the names that it lacks, those that no avatar has among them. Raises ShotError for a rotation that is none."""
    if not bones:
        return np.zeros(0, np.intp), np.zeros((0, 4)), []
    rotations = unit_rotations(bones)
    rows = np.array([rig.row.get(name, -1) for name in bones], np.intp)
    return rows[rows >= 0], rotations[rows >= 0], [n for n in bones if n not in rig.row]


def pose_humanoid(
    tree: NodeTree, rig: HumanoidRig, rows: Index, rotations: Array, hips_offset: Sequence[float] | None
) -> LocalTransforms:
    """The T-pose with bones `rows` (K,) turned by normalised `rotations` (K, 4), and the hips moved by
    `hips_offset` (3,) metres along the world's axes. Raises ShotError."""
    local = rig.t_pose
    if len(rows):
        local = local.turned(rig.node[rows], raw_rotation(rig, rows, rotations))
    if hips_offset is None or rig.hips is None:
        return local
    offset = numbers(hips_offset, 3)
    if offset is None:
        raise ShotError("bad hips_offset", got=hips_offset, allowed="three finite numbers, metres")
    parent = int(tree.parent[rig.hips])
    linear = tree.rest_world[parent][:3, :3] if parent >= 0 else np.eye(3)
    if abs(np.linalg.det(linear)) < 1e-12:
        raise ShotError("hips_offset cannot be applied: the hips' parent node is scaled to nothing")
    return local.moved(rig.hips, tree.rest.translation[rig.hips] + np.linalg.solve(linear, offset))


def raw_rotation(rig: HumanoidRig, rows: Index, normalized: Array) -> Array:
    """LocalTransforms rotations (K, 4) of the nodes of bones `rows` (K,) from normalised rotations (K, 4)."""
    return quat_mul(quat_mul(rig.before[rows], normalized), rig.after[rows])


def _parent_rotation(tree: NodeTree, node: int) -> Array:
    parent = int(tree.parent[node])
    return decompose(tree.rest_world[parent])[1] if parent >= 0 else np.array([0.0, 0.0, 0.0, 1.0])


def numbers(value: object, count: int) -> Array | None:
    """The value as (count,) float64, or None where it is not that many finite numbers."""
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        return None
    if array.dtype.kind not in "iuf" or array.shape != (count,) or not np.isfinite(array).all():
        return None
    return array.astype(np.float64)


def unit_rotations(bones: Mapping[str, Sequence[float]]) -> Array:
    """Unit rotations (K, 4), all at once, or one by one to name the bone at fault. Raises ShotError."""
    try:
        quats = np.asarray(list(bones.values()))
    except ValueError:  # a ragged list
        quats = np.zeros(0, np.bool_)
    if quats.dtype.kind in "iuf" and quats.shape == (len(bones), 4):
        lengths = np.sqrt(np.einsum("ka,ka->k", quats, quats, dtype=np.float64))
        if np.all(np.abs(lengths - 1) <= UNIT_TOLERANCE):  # no NaN is
            return np.asarray(quats / lengths[:, None], np.float64)
    return np.array([_unit(name, q) for name, q in bones.items()])


def _unit(name: str, q: Sequence[float]) -> Array:
    quat = numbers(q, 4)
    length = 0.0 if quat is None else float(np.linalg.norm(quat))
    if quat is None or abs(length - 1) > UNIT_TOLERANCE:
        raise ShotError("bad bone rotation", got=q, allowed="a unit quaternion [x, y, z, w]", where=name)
    return quat / length
