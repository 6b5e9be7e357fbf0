"""Evaluate a pose, in VRM's update order: humanoid pose → lookAt → expressions → node constraints → spring bones.

Skinning comes last, on the GPU (or in pose/skinning.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from weakref import WeakKeyDictionary

from vrm_synth.core.vectors import Vec3, Vec4
from vrm_synth.pose.constraints import ConstraintBatch, apply_constraints, build_constraints
from vrm_synth.pose.expressions import NeutralMorphs, apply_expressions, check_expressions, find_neutral_morphs
from vrm_synth.pose.lookat import LookAtAngles, apply_look_at
from vrm_synth.pose.node_tree import NodeTree, build_tree
from vrm_synth.pose.normalized_pose import HumanoidRig, build_humanoid, pose_humanoid, split_bones
from vrm_synth.pose.posed_avatar import LookAtState, PosedAvatar
from vrm_synth.pose.springs import NO_WIND, SpringRig, build_springs, settle
from vrm_synth.vrm.avatar import Avatar

__all__ = ["LookAtAngles", "Rig", "evaluate", "gaze_of", "rig_of"]

_NONE: Mapping[str, Vec4] = MappingProxyType({})
_NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Rig:
    """Data of one avatar that all its poses share.

    tree: the node tree and its rest transforms.
    humanoid: bones, and how normalised rotations become local ones.
    neutral_morphs: morph weights with no expression on.
    constraints: node constraints in batches, in working order.
    springs: spring joints and their colliders.
    """

    tree: NodeTree
    humanoid: HumanoidRig
    neutral_morphs: NeutralMorphs
    constraints: tuple[ConstraintBatch, ...]
    springs: SpringRig


_RIGS: WeakKeyDictionary[Avatar, Rig] = WeakKeyDictionary()


def rig_of(avatar: Avatar) -> Rig:
    """The avatar's rig, built at its first use. Raises AvatarError where its constraints form a ring."""
    found = _RIGS.get(avatar)
    if found is None:
        tree = build_tree(avatar)
        found = _RIGS[avatar] = Rig(
            tree=tree,
            humanoid=build_humanoid(avatar, tree),
            neutral_morphs=find_neutral_morphs(avatar),
            constraints=build_constraints(avatar, tree),
            springs=build_springs(avatar, tree),
        )
    return found


def evaluate(
    avatar: Avatar,
    *,
    bones: Mapping[str, Vec4] = _NONE,
    hips_offset: Vec3 | None = None,
    expressions: Mapping[str, float] = _NO_WEIGHTS,
    look_at: LookAtAngles | Sequence[float] | None = None,
    settle_seconds: float | None = None,
    wind: Sequence[float] = NO_WIND,
    reference_quirks: bool = False,
) -> PosedAvatar:
    """Pose an avatar, from rest: the result depends on the arguments alone.

    bones: rotations (x, y, z, w) of normalised VRM 1.0 bones. hips_offset: metres from rest, world axes.
    expressions: weights 0..1 by VRM 1.0 name; one named here wins over the weight that the gaze requests.
    look_at: angles in degrees, or a world point in metres; None leaves the eyes as posed.
    settle_seconds: how long the spring bones swing under the pose, in steps of 1/60 s; None: they rest.
    wind: a steady push on them (3,), world axes, in gravityPower's unit: 0.2 stirs hair, 1 blows it sideways.
    reference_quirks: follow three-vrm where it differs from the specifications (see lookat, expressions, springs).
    Bones and expressions that the avatar lacks become warnings. Raises ShotError for anything malformed.
    """
    rig = rig_of(avatar)
    rows, rotations, lacking = split_bones(rig.humanoid, bones)
    lacking += [f"expression:{name}" for name in check_expressions(avatar, expressions)]

    local = pose_humanoid(rig.tree, rig.humanoid, rows, rotations, hips_offset)
    gaze = apply_look_at(avatar.look_at, rig.tree, rig.humanoid, local, look_at, reference_quirks=reference_quirks)
    requested = {**gaze.weights, **expressions}
    expressed = apply_expressions(avatar, rig.neutral_morphs, requested, reference_quirks=reference_quirks)
    local = apply_constraints(rig.constraints, rig.tree, gaze.local)
    local = settle(rig.springs, rig.tree, local, settle_seconds, wind=wind, reference_quirks=reference_quirks)

    return PosedAvatar(
        avatar=avatar,
        world_from_node=rig.tree.world(local),
        morph_weights=expressed.morph_weights,
        materials=expressed.materials,
        expressions=expressed.expressions,
        requested_weights={name: float(requested.get(name, 0.0)) for name in avatar.expressions},
        look_at=gaze.state,
        warnings=(*(f"not in this avatar: {name}" for name in lacking), *gaze.warnings),
    )


def gaze_of(
    avatar: Avatar,
    *,
    bones: Mapping[str, Vec4] = _NONE,
    hips_offset: Vec3 | None = None,
    look_at: LookAtAngles | Sequence[float] | None = None,
) -> LookAtState | None:
    """The `look_at` of what evaluate makes of the same, without what comes after the gaze. Raises ShotError."""
    rig = rig_of(avatar)
    rows, rotations, _ = split_bones(rig.humanoid, bones)
    local = pose_humanoid(rig.tree, rig.humanoid, rows, rotations, hips_offset)
    return apply_look_at(avatar.look_at, rig.tree, rig.humanoid, local, look_at).state
