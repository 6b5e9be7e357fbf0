"""Zones of the body: the humanoid bones by the region that they move."""

from __future__ import annotations

from vrm_synth.core.bones import BONE_NAMES

# Zones of the body, each named after its bones; a triangle is of the zone whose bones have most of its weight.
ZONES: dict[str, tuple[str, ...]] = {
    "none": (),
    "head": ("head", "jaw"),
    "eye": ("leftEye", "rightEye"),
    "neck": ("neck",),
    "torso": ("spine", "chest", "upperChest", "leftShoulder", "rightShoulder"),
    "hips": ("hips",),
    "upper_arm": ("leftUpperArm", "rightUpperArm"),
    "lower_arm": ("leftLowerArm", "rightLowerArm"),
    "hand": tuple(
        b
        for b in BONE_NAMES
        if b.endswith("Hand") or any(f in b for f in ("Thumb", "Index", "Middle", "Ring", "Little"))
    ),
    "upper_leg": ("leftUpperLeg", "rightUpperLeg"),
    "lower_leg": ("leftLowerLeg", "rightLowerLeg"),
    "foot": ("leftFoot", "rightFoot", "leftToes", "rightToes"),
}
ZONE_NAMES: tuple[str, ...] = tuple(ZONES)
