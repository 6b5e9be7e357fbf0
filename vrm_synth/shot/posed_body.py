"""A pose applied to one avatar: its feet on the floor, its vertices where they will be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, Margins, fit
from vrm_synth.camera.views import LowestPart
from vrm_synth.core.transforms import Array
from vrm_synth.core.vectors import Vec3, Vec4
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.pose_library import Pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.springs import NO_WIND
from vrm_synth.shot.body_parts import BodyParts, body_parts_of, crop_vertices, height_above_floor, posed_vertices
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True, eq=False)
class PosedBody:
    """A body in a pose.

    parts: the body, as measured at rest; V vertices.
    bones: bone → local rotation (x, y, z, w) of the normalised bone, as in a Figure; bones that the avatar has.
    hips_offset: metres from rest, world axes.
    expressions: name → weight.
    posed: the avatar in the pose.
    vertices: (V, 3) float64, world metres.
    """

    parts: BodyParts
    bones: Mapping[str, Vec4]
    hips_offset: Vec3
    expressions: Mapping[str, float]
    posed: PosedAvatar
    vertices: Array

    def frame(self, down_to: LowestPart, aim: Aim, margins: Margins, aspect: float) -> Camera:
        """The camera that fits a part of the body, rounded to 0.1 µm; aspect: width / height of the picture."""
        c = fit(self.vertices[crop_vertices(self.parts, down_to)], self.vertices, aim, aspect, margins)
        position, target = _rounded(c.position), _rounded(c.target)
        return replace(c, position=position, target=target, near=_four_digits(c.near), far=_four_digits(c.far))


def pose_body(
    avatar: Avatar,
    pose: Pose,
    expressions: Mapping[str, float] | None = None,
    settle_seconds: float | None = None,
    wind: Vec3 | None = None,
) -> PosedBody:
    """Apply a pose to an avatar. expressions: name → weight; settle_seconds, wind: as in a Shot. Raises ShotError."""
    parts = body_parts_of(avatar)
    # Bones that the avatar lacks are left out here, or every picture would carry a warning for each finger.
    bones, weights = _present_bones(avatar, pose.bones), dict(expressions or {})
    x, y, z = (v * parts.hips_height for v in pose.hips)
    if pose.ground:
        y -= height_above_floor(parts, posed_vertices(parts, evaluate(avatar, bones=bones)))
    x, y, z = _rounded((x, y, z))
    posed = evaluate(
        avatar,
        bones=bones,
        hips_offset=(x, y, z),
        expressions=weights,
        settle_seconds=settle_seconds,
        wind=wind or NO_WIND,
    )
    return PosedBody(parts, bones, (x, y, z), weights, posed, posed_vertices(parts, posed))


def _present_bones(avatar: Avatar, bones: Mapping[str, Vec4]) -> dict[str, Vec4]:
    return {name: q for name, q in bones.items() if name in avatar.humanoid}


# What is measured on thousands of vertices may differ in its last bit from one linear-algebra library to the
# next; rounded, it is the same number, the same Shot and the same picture everywhere.


def _rounded(v: Vec3) -> Vec3:
    x, y, z = (round(c, 7) for c in v)
    return x, y, z


def _four_digits(length: float) -> float:
    return float(f"{length:.4g}")
