"""Scale the base build to the requested height, head size and slimness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vrm_synth.builtin_avatar.params import DemoParams
from vrm_synth.builtin_avatar.shapes.part import MeshPart
from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y, HEAD, Skeleton
from vrm_synth.core.transforms import Array

_HEAD_HEIGHT = 0.250  # chin to the top of the hair, base build


@dataclass(frozen=True)
class Proportions:
    """Scales from the base build to a character.

    Attributes:
        whole: scale of everything.
        head: further scale of the head, about the head bone.
        girth: further scale of the body in x and z.
    """

    whole: float
    head: float
    girth: float

    def body_points(self, p: Array) -> Array:
        """Scale body points or displacements (..., 3) to their final size."""
        return p * (np.array([self.girth, 1.0, self.girth]) * self.whole)

    def head_points(self, p: Array) -> Array:
        """Scale head points (..., 3) to their final place."""
        pivot = np.array(HEAD)
        return (np.asarray(p) - pivot) * (self.head * self.whole) + self.body_points(pivot)


def proportions(params: DemoParams) -> Proportions:
    """Return the scales for a character's height, number of heads and slimness."""
    head = (params.height / params.heads) / _HEAD_HEIGHT  # the head's height in meters over the base build's
    body = params.height - params.height / params.heads  # floor to chin
    # the pivot lies a little above the chin: solve whole from chin = whole · (HEAD_y − head' · (HEAD_y − CHIN_y))
    whole = (body + head * (HEAD[1] - CHIN_Y)) / HEAD[1]
    return Proportions(whole, head / whole, params.slimness**-0.5)


def head_part(part: MeshPart, s: Proportions) -> MeshPart:
    """Scale a part of the head or hair to its final size."""
    size = s.head * s.whole
    morphs = {k: d * size for k, d in part.morphs.items()}
    return replace(part, positions=s.head_points(part.positions), morphs=morphs)


def body_part(part: MeshPart, s: Proportions) -> MeshPart:
    """Scale a part of the body or its clothes to its final size."""
    normals = part.normals / [s.girth, 1.0, s.girth]
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return replace(part, positions=s.body_points(part.positions), normals=normals)


def resize_skeleton(skeleton: Skeleton, head_joints: Sequence[str], s: Proportions) -> Skeleton:
    """Scale the skeleton to its final size; head_joints scale with the head."""
    on_head = {"head", "leftEye", "rightEye", *head_joints}
    moved = [
        s.head_points(p) if n in on_head else s.body_points(p)
        for n, p in zip(skeleton.names, skeleton.positions, strict=True)
    ]
    return Skeleton(list(skeleton.names), list(skeleton.parents), moved)
