"""The humanoid bones of VRM 1.0 (VRMC_vrm, humanoid.humanBones): names, parents, obligation."""

from __future__ import annotations

from typing import NamedTuple


class Bone(NamedTuple):
    """name; parent: the nearest bone above it in the full set; required by VRM 1.0."""

    name: str
    parent: str | None
    required: bool


def _finger(side: str, finger: str, joints: tuple[str, ...]) -> list[Bone]:
    names = [f"{side}{finger}{j}" for j in joints]
    parents = [f"{side}Hand", *names]
    return [Bone(n, p, False) for n, p in zip(names, parents, strict=False)]


def _limbs(side: str) -> list[Bone]:
    s = side
    bones = [
        Bone(f"{s}UpperLeg", "hips", True),
        Bone(f"{s}LowerLeg", f"{s}UpperLeg", True),
        Bone(f"{s}Foot", f"{s}LowerLeg", True),
        Bone(f"{s}Toes", f"{s}Foot", False),
        Bone(f"{s}Shoulder", "upperChest", False),
        Bone(f"{s}UpperArm", f"{s}Shoulder", True),
        Bone(f"{s}LowerArm", f"{s}UpperArm", True),
        Bone(f"{s}Hand", f"{s}LowerArm", True),
    ]
    bones += _finger(s, "Thumb", ("Metacarpal", "Proximal", "Distal"))
    for finger in ("Index", "Middle", "Ring", "Little"):
        bones += _finger(s, finger, ("Proximal", "Intermediate", "Distal"))
    return bones


BONES: tuple[Bone, ...] = (
    Bone("hips", None, True),
    Bone("spine", "hips", True),
    Bone("chest", "spine", False),
    Bone("upperChest", "chest", False),
    Bone("neck", "upperChest", False),
    Bone("head", "neck", True),
    Bone("leftEye", "head", False),
    Bone("rightEye", "head", False),
    Bone("jaw", "head", False),
    *_limbs("left"),
    *_limbs("right"),
)

BONE_NAMES: tuple[str, ...] = tuple(b.name for b in BONES)
PARENT: dict[str, str | None] = {b.name: b.parent for b in BONES}
REQUIRED: frozenset[str] = frozenset(b.name for b in BONES if b.required)

# VRM 1.0 renamed the thumb's bones; every other 0.x name is unchanged (VRMC_vrm, humanoid).
V0_BONE_NAMES: dict[str, str] = {
    f"{side}Thumb{old}": f"{side}Thumb{new}"
    for side in ("left", "right")
    for old, new in (("Proximal", "Metacarpal"), ("Intermediate", "Proximal"), ("Distal", "Distal"))
}
