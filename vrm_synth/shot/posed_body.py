"""A named pose on one avatar: stood on its floor, its vertices where they will be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, Margins, fit
from vrm_synth.camera.views import Part
from vrm_synth.core.transforms import Array
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.pose_library import Pose, Vec3, Vec4
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.springs import CALM
from vrm_synth.shot.body_parts import BodyParts, body, grounded, part, vertices
from vrm_synth.vrm.model import Avatar


@dataclass(frozen=True, eq=False)
class PosedBody:
    """bones, hips_offset (metres), expressions: what a Shot says of it; vertices: (V, 3) of `body`, world metres."""

    body: BodyParts
    bones: Mapping[str, Vec4]
    hips_offset: Vec3
    expressions: Mapping[str, float]
    posed: PosedAvatar
    vertices: Array

    def frame(self, down_to: Part, aim: Aim, margins: Margins, aspect: float) -> Camera:
        """The camera that fits a part of the figure, to 0.1 µm; aspect: width / height."""
        c = fit(self.vertices[part(self.body, down_to)], self.vertices, aim, aspect, margins)
        return replace(
            c, position=_steady(c.position), target=_steady(c.target), near=_short(c.near), far=_short(c.far)
        )


def pose_body(
    avatar: Avatar,
    pose: Pose,
    expressions: Mapping[str, float] | None = None,
    settle_seconds: float | None = None,
    wind: Vec3 | None = None,
) -> PosedBody:
    """The avatar in a pose. expressions: name → weight; settle_seconds, wind: as in a Shot."""
    b = body(avatar)
    x, y, z = (v * b.hips_height for v in pose.hips)
    if pose.ground:
        y -= grounded(b, vertices(b, evaluate(avatar, bones=_had(avatar, pose.bones))))
    # Bones that the avatar lacks are left out here, or every picture would carry a warning for each finger.
    bones, weights = _had(avatar, pose.bones), dict(expressions or {})
    x, y, z = _steady((x, y, z))
    posed = evaluate(
        avatar,
        bones=bones,
        hips_offset=(x, y, z),
        expressions=weights,
        settle_seconds=settle_seconds,
        wind=wind or CALM,
    )
    return PosedBody(b, bones, (x, y, z), weights, posed, vertices(b, posed))


def _had(avatar: Avatar, bones: Mapping[str, Vec4]) -> dict[str, Vec4]:
    return {name: q for name, q in bones.items() if name in avatar.humanoid}


# What is measured on thousands of vertices may differ in its last bit from one linear-algebra library to the
# next; rounded, it is the same number, the same Shot and the same picture everywhere.


def _steady(v: Vec3) -> Vec3:
    x, y, z = (round(c, 7) for c in v)
    return x, y, z


def _short(length: float) -> float:
    return float(f"{length:.4g}")
