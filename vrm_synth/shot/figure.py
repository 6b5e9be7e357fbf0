"""One avatar in a shot: its file, pose, expressions and gaze."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vrm_synth.core.names import LONGEST_NAME
from vrm_synth.core.vectors import Vec3, Vec4
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.shot import check

LONGEST_SETTLE = 60.0  # seconds


@dataclass(frozen=True)
class Figure:
    """An avatar posed for a shot.

    avatar: a path or "demo…".
    bones: VRM 1.0 bone → local rotation (x, y, z, w) of the normalised bone, unit length.
    hips_offset: metres from rest.
    expressions: VRM 1.0 name → weight in 0..1.
    look_at: angles, or a world point in metres; None leaves the eyes as they are.
    settle_seconds: how long springs run under the posed skeleton; None leaves them at rest.

    Every value is checked when the figure is made; ShotError names the field by its key in the shots format. The
    mappings are not to be changed.
    """

    avatar: str
    bones: Mapping[str, Vec4] = field(default_factory=dict)
    hips_offset: Vec3 | None = None
    expressions: Mapping[str, float] = field(default_factory=dict)
    look_at: LookAtAngles | Vec3 | None = None
    settle_seconds: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _CHECKS[f.name](getattr(self, f.name)))


def _bones(value: object) -> dict[str, Vec4]:
    # A name that is no bone is kept: the format has it skipped with a warning, as for a bone that the avatar lacks.
    # null is absent here, too: `datasets` fills its columns so, and what it hands back is to be a shot again.
    bones = {k: q for k, q in check.mapping(value, "pose.bones").items() if q is not None}
    return {check.text(k, "pose.bones", LONGEST_NAME): check.quaternion(q, f"pose.bones.{k}") for k, q in bones.items()}


def _expressions(value: object) -> dict[str, float]:
    pairs = {k: w for k, w in check.mapping(value, "expressions").items() if w is not None}.items()
    return {check.text(k, "expressions", LONGEST_NAME): check.number(w, f"expressions.{k}", 0, 1) for k, w in pairs}


def _look_at(value: object) -> LookAtAngles | Vec3 | None:
    if isinstance(value, LookAtAngles):
        yaw = check.number(value.yaw, "look_at.yaw", -180, 180)
        return LookAtAngles(yaw, check.number(value.pitch, "look_at.pitch", -90, 90))
    return check.optional(value, "look_at", check.point)


def _settle(value: object) -> float | None:
    return None if value is None else check.number(value, "spring_bones.settle_seconds", 0, LONGEST_SETTLE)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "avatar": lambda v: check.text(v, "avatar"),
    "bones": _bones,
    "hips_offset": lambda v: check.optional(v, "pose.hips_offset", check.point),
    "expressions": _expressions,
    "look_at": _look_at,
    "settle_seconds": _settle,
}
