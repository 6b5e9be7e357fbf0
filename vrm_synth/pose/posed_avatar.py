"""PosedAvatar: the result of evaluating a pose, for renderers and annotators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrm_synth.gltf.model import Material
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True)
class LookAtState:
    """The gaze after posing, in degrees: yaw + toward the avatar's left, pitch + down."""

    type: Literal["bone", "expression"]
    yaw: float
    pitch: float


@dataclass(frozen=True, eq=False)
class PosedAvatar:
    """An avatar in one pose.

    avatar: the avatar, as loaded.
    world_from_node: (N, 4, 4) float64 for every node of the avatar (nodes outside the scene: identity).
    morph_weights: node → (M,) float64 weights of the node's mesh, mesh defaults included; absent: no targets.
    materials: the avatar's materials with expression binds applied, same indices.
    expressions: name → effective weight of every expression, after overrides and isBinary.
    requested_weights: name → the weight that the shot or the gaze requests, before isBinary and overrides.
    look_at: the gaze; None where the avatar has no lookAt.
    warnings: requested bones and expressions that this avatar lacks.
    """

    avatar: Avatar
    world_from_node: NDArray[np.float64]
    morph_weights: Mapping[int, NDArray[np.float64]]
    materials: tuple[Material, ...]
    expressions: Mapping[str, float]
    requested_weights: Mapping[str, float] = field(default_factory=dict)
    look_at: LookAtState | None = None
    warnings: tuple[str, ...] = ()

    def bone_positions(self) -> dict[str, NDArray[np.float64]]:
        """World positions (3,) in metres of the humanoid bones, in VRM 1.0's order of names."""
        return {b: self.world_from_node[n][:3, 3] for b, n in self.avatar.humanoid.items()}
