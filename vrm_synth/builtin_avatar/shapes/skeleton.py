"""The skeleton at rest (T-pose, facing +Z): joints by name, parent and world position.

Base proportions are a 1.55 m character six heads tall; `DemoParams` scales the result.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Vec3

HEAD: Vec3 = (0.0, 1.312, -0.008)
CHIN_Y = 1.290
EYE: Vec3 = (0.018, 1.3835, 0.038)  # center of the left eye's sphere: the eye bone
SHOULDER: Vec3 = (0.098, 1.196, -0.012)
ELBOW_X, WRIST_X = 0.318, 0.516
LEG_X = 0.074
KNEE_Y, ANKLE_Y = 0.452, 0.078

# finger: root (x from the wrist, y, z) of the left hand, three phalanx lengths, direction angle in the XZ plane
FINGERS: dict[str, tuple[Vec3, Vec3, float]] = {
    "Index": ((0.076, 0.001, 0.0215), (0.033, 0.020, 0.017), 4.0),
    "Middle": ((0.078, 0.003, 0.0030), (0.037, 0.023, 0.018), 0.5),
    "Ring": ((0.075, 0.001, -0.0150), (0.033, 0.021, 0.017), -3.0),
    "Little": ((0.068, -0.002, -0.0305), (0.026, 0.016, 0.015), -8.0),
}
THUMB = ((0.018, -0.006, 0.021), (0.034, 0.027, 0.022), 48.0)


@dataclass
class Skeleton:
    """A skeleton of J joints at rest, parents before children.

    Attributes:
        names: (J,) names of the joints.
        parents: (J,) indices of their parents, -1 for none.
        positions: (J,) positions (3,), world meters.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    positions: list[Array] = field(default_factory=list)

    def add(self, name: str, parent: str | None, position: Vec3 | Array) -> str:
        """Append a joint under an existing joint; return its name."""
        self.parents.append(-1 if parent is None else self.index(parent))
        self.names.append(name)
        self.positions.append(np.asarray(position, np.float64))
        return name

    def index(self, name: str) -> int:
        """Return the index of a joint."""
        return self.names.index(name)


def _finger_joints(root: Vec3, lengths: Vec3, degrees: float, drop: float = 0.0) -> list[Array]:
    a = np.radians(degrees)
    step = np.array([np.cos(a), -drop, np.sin(a)])
    p = np.array([WRIST_X, SHOULDER[1], SHOULDER[2]]) + np.array(root)
    joints = [p]
    for length in lengths:
        p = p + step * length
        joints.append(p)
    return joints


def finger_path(finger: str) -> list[Array]:
    """Return root, two joints and tip (4 × (3,)) of a finger of the left hand."""
    root, lengths, degrees = THUMB if finger == "Thumb" else FINGERS[finger]
    return _finger_joints(root, lengths, degrees, 0.30 if finger == "Thumb" else 0.0)


def humanoid_skeleton() -> Skeleton:
    """Build all humanoid bones of VRM 1.0 except the jaw, and a forearm twist joint and a knee helper on each side."""
    s = Skeleton()
    s.add("hips", None, (0, 0.872, 0.0))
    s.add("spine", "hips", (0, 0.935, -0.002))
    s.add("chest", "spine", (0, 1.020, -0.006))
    s.add("upperChest", "chest", (0, 1.115, -0.014))
    s.add("neck", "upperChest", (0, 1.236, -0.022))
    s.add("head", "neck", HEAD)
    s.add("leftEye", "head", EYE)
    s.add("rightEye", "head", _mirror(EYE))
    for side, m in (("left", 1), ("right", -1)):
        _limbs(s, side, m)
    return s


def _limbs(s: Skeleton, side: str, m: int) -> None:
    def add(name: str, parent: str, p: Vec3 | Array) -> None:
        s.add(side + name, parent if parent == "hips" or parent == "upperChest" else side + parent, _mirror(p, m))

    y, z = SHOULDER[1:]
    add("Shoulder", "upperChest", (0.022, y + 0.008, z))
    add("UpperArm", "Shoulder", SHOULDER)
    add("LowerArm", "UpperArm", (ELBOW_X, y, z))
    add("Hand", "LowerArm", (WRIST_X, y, z))
    for finger in ("Thumb", *FINGERS):
        parts = ("Metacarpal", "Proximal", "Distal") if finger == "Thumb" else ("Proximal", "Intermediate", "Distal")
        parent = "Hand"
        for part, p in zip(parts, finger_path(finger), strict=False):
            add(finger + part, parent, p)
            parent = finger + part
    add("UpperLeg", "hips", (LEG_X, 0.832, 0.0))
    add("LowerLeg", "UpperLeg", (LEG_X, KNEE_Y, 0.004))
    add("Foot", "LowerLeg", (LEG_X, ANKLE_Y, -0.014))
    add("Toes", "Foot", (LEG_X, 0.022, 0.082))
    # driven by constraints: half of the hand's roll, and half of the knee's bend
    add("LowerArmTwist", "LowerArm", ((WRIST_X + ELBOW_X) / 2, y, z))
    add("KneeHelper", "UpperLeg", (LEG_X, KNEE_Y, 0.004))


def _mirror(p: Vec3 | Array, m: int = -1) -> Vec3:
    return (m * float(p[0]), float(p[1]), float(p[2]))


def humanoid_names(skeleton: Skeleton) -> dict[str, int]:
    """Return humanoid bone → joint index."""
    return {n: i for i, n in enumerate(skeleton.names) if n in BONE_NAMES}
