"""The limbs of one posed body: joints, directions and angles, relative to how the same body stands at rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.facts.visible_regions import VisibleRegions
from vrm_synth.shot.body_parts import BodyParts
from vrm_synth.shot.body_view import BodyView

DOWN = np.array([0.0, -1.0, 0.0])
MIN_LEG = 0.9  # length of a leg, in that of the trunk
MIN_UP = 0.3  # height of the chest's up direction from which it does not lie
SAMPLES = 64  # vertices of a bone that stand for it
CHESTS = ("upperChest", "chest", "spine")


@dataclass(frozen=True, eq=False)
class Limbs:
    """The limbs of one posed body in one picture. Angles are degrees, rounded to a thousandth.

    visible: the regions of the body that the picture shows.
    """

    visible: VisibleRegions

    @property
    def view(self) -> BodyView:
        """The body before the camera."""
        return self.visible.drawn.view

    @cached_property
    def joints(self) -> dict[str, Array]:
        """Bone → (3,) its position, world metres."""
        return self.view.posed.bone_positions()

    @cached_property
    def chest(self) -> Array:
        """(3, 3) rows: the chest's left, up and forward directions, world frame."""
        bone = next((b for b in CHESTS if b in self.joints), "hips")
        return self.frame(bone)

    @cached_property
    def hips(self) -> Array:
        """(3, 3) rows: the hips' left, up and forward directions, world frame."""
        return self.frame("hips")

    @cached_property
    def head(self) -> Array:
        """(3, 3) rows: the head's left, up and forward directions, world frame."""
        return self.frame("head")

    @cached_property
    def ahead(self) -> Array:
        """(3,) unit vector that the chest faces: level where it is upright or bent, whatever it is where it lies."""
        left, up, forward = self.chest
        return forward if up[1] < MIN_UP else unit(np.cross(left, [0.0, 1.0, 0.0]))

    def direction(self, start: str, end: str) -> Array:
        """(3,) unit vector from one joint to another."""
        return unit(self.joints[end] - self.joints[start])

    def bend(self, bone: str) -> float:
        """Angle between a lower arm or lower leg and the straight limb: 0 where elbow or knee is straight."""
        upper, end = _LIMB[bone.removeprefix("left").removeprefix("right")]
        side = "left" if bone.startswith("left") else "right"
        return between(self.direction(side + upper, bone), self.direction(bone, side + end))

    def from_down(self, start: str, end: str) -> float:
        """Angle of a limb from straight down."""
        return between(self.direction(start, end), DOWN)

    @cached_property
    def torso_tilt(self) -> tuple[float, float]:
        """How far the torso, from hips to shoulders, leans forward and to the avatar's left, beyond rest."""
        marks = self.view.parts.landmarks
        ahead = self.hips[2] * (1.0, 0.0, 1.0)
        if np.linalg.norm(ahead) < 0.5:  # the hips face up or down: the front is where their top is not
            ahead = self.hips[1] * (1.0, 0.0, 1.0) * -np.sign(self.hips[2][1])
        ahead = unit(ahead)
        left = np.cross([0.0, 1.0, 0.0], ahead)
        now, rest = _torso(self.joints), _torso(marks)
        pitch, roll = (np.degrees(np.arctan2(now @ axis, now[1])) for axis in (ahead, left))
        rest_pitch, rest_roll = (np.degrees(np.arctan2(rest[a], rest[1])) for a in (2, 0))
        return round(float(pitch - rest_pitch), 3), round(float(roll - rest_roll), 3)

    @cached_property
    def torso_angle(self) -> float:
        """Angle of the torso, from hips to shoulders, from how it stands at rest."""
        return between(_torso(self.joints), _torso(self.view.parts.landmarks))

    @cached_property
    def head_turn(self) -> float:
        """Degrees that the head is turned from the hips about the vertical; + to the left."""
        return _turn(self.hips[2], self.head[2])

    @cached_property
    def bottom(self) -> float:
        """Height of the lowest point of the body without hair and skirts, world metres."""
        return float(self.view.vertices[_own(self.view.parts), 1].min())

    def height(self, bone: str) -> float:
        """Height of a joint above the body's lowest point, as a part of the hips' height at rest."""
        return float(self.joints[bone][1] - self.bottom) / self.view.parts.hips_height

    def clearance(self, bone: str) -> float:
        """Height of the lowest vertex of a bone above the body's lowest point, as a part of the hips' height at rest;
        that of its joint where it has none."""
        points = self.points(bone)
        lowest = float(points[:, 1].min()) if len(points) else float(self.joints[bone][1])
        return round((lowest - self.bottom) / self.view.parts.hips_height, 4)

    @cached_property
    def seat_clearance(self) -> float:
        """The same of the seat: the hips, and the upper halves of the thighs."""
        points = self.view.vertices[_seat(self.view.parts)]
        lowest = float(points[:, 1].min()) if len(points) else float(self.joints["hips"][1])
        return round((lowest - self.bottom) / self.view.parts.hips_height, 4)

    @cached_property
    def lifted(self) -> float:
        """Height of the body's lowest point above the floor that it stands on at rest, in hips' heights."""
        return float(self.bottom - self.view.parts.floor) / self.view.parts.hips_height

    def points(self, name: str) -> Array:
        """(N, 3) vertices that stand for a bone with its fingers or toes, or for a region's bones; world metres."""
        return self.view.vertices[some_vertices(self.view, name)]

    def middle(self, name: str) -> Array:
        """(3,) the middle of a hand, a foot or the head, and the joint of any other bone; world metres."""
        if name.endswith(("Hand", "Foot", "head")):
            points = self.points(name)
            if len(points):
                return np.asarray(points.mean(0))
        return self.joints[name]

    @cached_property
    def shoulder_width(self) -> float:
        """Distance between the shoulders at rest, metres."""
        marks = self.view.parts.landmarks
        return float(np.linalg.norm(marks["leftUpperArm"] - marks["rightUpperArm"]))

    @cached_property
    def legs_are_long(self) -> bool:
        """True where the legs are long enough for a viewer to read how they are held."""
        marks = self.view.parts.landmarks
        joints = [marks[f"left{b}"] for b in ("UpperLeg", "LowerLeg", "Foot")]
        leg = sum(float(np.linalg.norm(a - b)) for a, b in pairwise(joints))
        shoulders, hips = (marks[f"left{b}"] + marks[f"right{b}"] for b in ("UpperArm", "UpperLeg"))
        return leg >= MIN_LEG * float(np.linalg.norm(shoulders - hips)) / 2

    def to_camera(self, point: Array) -> Array:
        """(3,) unit vector from a point to the camera."""
        return unit(np.asarray(self.view.camera.position) - point)

    def frame(self, bone: str) -> Array:
        """(3, 3) rows: where the T-pose's left, up and forward directions go with a bone, world frame."""
        now = self.view.posed.world_from_node[self.view.posed.avatar.humanoid[bone]][:3, :3]
        rows = (now @ _from_rest(self.view.parts, bone)).T
        return np.asarray(rows / np.maximum(np.sqrt((rows**2).sum(1, keepdims=True)), 1e-12))


_LIMB = {"LowerArm": ("UpperArm", "Hand"), "LowerLeg": ("UpperLeg", "Foot")}
_INVERSE: WeakKeyDictionary[BodyParts, dict[str, Array]] = WeakKeyDictionary()
_SOME: WeakKeyDictionary[BodyParts, dict[str, NDArray[np.intp]]] = WeakKeyDictionary()


def some_vertices(view: BodyView, name: str) -> NDArray[np.intp]:
    """Indices of vertices of a bone or region, evenly chosen, the same for every picture of the avatar."""
    chosen = _SOME.setdefault(view.parts, {})
    if name not in chosen:
        own = np.flatnonzero(view.bone_vertices(name))
        chosen[name] = own[np.unique(np.linspace(0, len(own) - 1, min(SAMPLES, len(own))).astype(np.intp))]
    return chosen[name]


def _from_rest(parts: BodyParts, bone: str) -> Array:
    """(3, 3) the bone's axes at rest, undone."""
    inverse = _INVERSE.setdefault(parts, {})
    if bone not in inverse:
        inverse[bone] = np.asarray(np.linalg.pinv(parts.axes[bone]), np.float64)
    return inverse[bone]


def unit(v: Array) -> Array:
    """(3,) the vector with length 1; 0 where it has none."""
    return np.asarray(v / max(math.sqrt(v @ v), 1e-12))


def between(a: Array, b: Array) -> float:
    """Degrees between two vectors (3,), rounded to a thousandth; 180 where one of them has no length."""
    lengths = math.sqrt((a @ a) * (b @ b))
    cosine = float(a @ b) / lengths if lengths > 0 else -1.0
    return round(math.degrees(math.acos(min(1.0, max(-1.0, cosine)))), 3)


def _turn(a: Array, b: Array) -> float:
    """Degrees from one direction to another about the vertical, in [−180, 180); + to the left."""
    turn = np.degrees(np.arctan2(b[0], b[2]) - np.arctan2(a[0], a[2]))
    return round(float((turn + 180.0) % 360.0 - 180.0), 3)


def _torso(joints: dict[str, Array]) -> Array:
    shoulders = joints["leftUpperArm"] + joints["rightUpperArm"]
    return unit(shoulders - joints["leftUpperLeg"] - joints["rightUpperLeg"])


def _own(parts: BodyParts) -> NDArray[np.intp]:
    """Indices of the vertices that bones move directly; of all where there are none."""
    chosen = _SOME.setdefault(parts, {})
    if " own" not in chosen:
        chosen[" own"] = np.flatnonzero(parts.direct if parts.direct.any() else np.ones_like(parts.direct))
    return chosen[" own"]


def _seat(parts: BodyParts) -> NDArray[np.intp]:
    chosen = _SOME.setdefault(parts, {})
    if " seat" not in chosen:
        knee = (parts.landmarks["leftLowerLeg"][1] + parts.landmarks["leftUpperLeg"][1]) / 2
        thighs = parts.of_bones("leftUpperLeg", "rightUpperLeg") & (parts.rest[:, 1] >= knee)
        own = np.flatnonzero(parts.direct & (parts.of_bones("hips") | thighs))
        chosen[" seat"] = own[np.unique(np.linspace(0, len(own) - 1, min(4 * SAMPLES, len(own))).astype(np.intp))]
    return chosen[" seat"]
