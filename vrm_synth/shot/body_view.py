"""A posed body before a camera: what angles and positions tell of the picture before it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.depth_test import inside
from vrm_synth.camera.framing import project
from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.pose.pose_library import REGIONS
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES, BodyParts

EDGE_MARGIN = 0.01  # what is this near the picture's edge, as a fraction of it, counts as cut
MAX_FACE_ANGLE = 70.0  # degrees between the face and the camera up to which an expression can be read
MAX_EYE_CONTACT_ANGLE = 30.0  # the same for eyes that can meet the viewer's


@dataclass(frozen=True, eq=False)
class BodyView:
    """One posed body before one camera. What hides it is not known here (facts/).

    parts: the body, as measured at rest; V vertices.
    posed: the avatar in its pose.
    vertices: (V, 3) float64, the body's vertices in that pose, world metres.
    camera: of the picture.
    size: (width, height) of the picture, pixels.
    """

    parts: BodyParts
    posed: PosedAvatar
    vertices: Array
    camera: Camera
    size: tuple[int, int]

    @property
    def aspect(self) -> float:
        """The picture's width / height."""
        return self.size[0] / self.size[1]

    @cached_property
    def projected(self) -> Array:
        """(V, 3) the vertices in the picture, as camera.framing.project has them."""
        return project(self.camera, self.aspect, self.vertices)

    @cached_property
    def inside_picture(self) -> NDArray[np.bool_]:
        """(V,) the vertices inside the picture, hidden or not."""
        x, y, depth = self.projected.T
        return np.asarray((depth > self.camera.near) & (np.abs(x) <= 1) & (np.abs(y) <= 1))

    def inside_share(self, *bones: str) -> float:
        """Part of the vertices that some bones move directly that is inside the picture; 1 where they have none."""
        chosen = _vertices_of(self.parts, bones)
        return float(np.count_nonzero(self.inside_picture[chosen])) / len(chosen) if len(chosen) else 1.0

    @cached_property
    def head_share(self) -> float:
        """Height of the head as a share of the picture's; 0 for a head without vertices."""
        y = self.projected[_vertices_of(self.parts, ("head",)), 1]
        return float(np.ptp(y)) / 2 if len(y) else 0.0

    @cached_property
    def face_in_picture(self) -> bool:
        """True where the face is turned to the camera and inside the picture, hidden or not."""
        points = self.vertices[self.parts.direct & self.parts.of_bones("head")]
        if len(points) < MIN_BONE_VERTICES or self.face_angle > MAX_FACE_ANGLE:
            return False
        return bool(inside(self.camera, self.aspect, self.face_point, EDGE_MARGIN)[0])

    @cached_property
    def face_point(self) -> Array:
        """(3,) the middle of the eyes, or of the head, or the head's joint; the first there is, world metres."""
        at = self.posed.bone_positions()
        eyes = [p for b, p in at.items() if b in ("leftEye", "rightEye")]
        points = eyes or self.vertices[_vertices_of(self.parts, ("head",))]
        return np.asarray(np.mean(points, 0) if len(points) else at["head"])

    @cached_property
    def gaze_is_visible(self) -> bool:
        """True where a gaze changes the picture: bones turn the eyes, or all four look expressions change something."""
        avatar = self.posed.avatar
        if avatar.look_at is None:
            return False
        if avatar.look_at.type == "bone":
            return all(int(self.parts.of_bones(eye).sum()) >= MIN_BONE_VERTICES for eye in ("leftEye", "rightEye"))
        return {"lookLeft", "lookRight", "lookUp", "lookDown"} <= avatar.visible_expressions

    @cached_property
    def face_angle(self) -> float:
        """Angle between the face's direction and the direction to the camera, degrees."""
        forward = self.face_direction
        to_camera = np.asarray(self.camera.position) - self.posed.bone_positions()["head"]
        return angle_between(forward, to_camera)

    def face_azimuth(self, azimuth: float) -> float:
        """A camera's azimuth around the face's direction, in [−180, 180) degrees; + is the avatar's left."""
        x, _, z = self.face_direction
        return float((azimuth - np.degrees(np.arctan2(x, z)) + 180.0) % 360.0 - 180.0)

    @cached_property
    def face_direction(self) -> Array:
        """(3,) unit vector that the face points along, world frame: +Z at rest."""
        return self.axis("head", 2)

    def axis(self, bone: str, axis: int) -> Array:
        """(3,) world direction of an axis of the T-pose (0: x, 1: y, 2: z) after the bone has moved it."""
        now = self.posed.world_from_node[self.posed.avatar.humanoid[bone]][:3, :3]
        return np.asarray(now @ _rest_from_bone(self.parts, bone)[:, axis])

    def bone_vertices(self, name: str) -> NDArray[np.bool_]:
        """(V,) mask of the vertices of a bone with its fingers or toes, or of a region's bones."""
        return self.parts.direct & self.parts.of_bones(*_with_children(name))


_VERTICES: WeakKeyDictionary[BodyParts, dict[tuple[str, ...], NDArray[np.intp]]] = WeakKeyDictionary()
_INVERSES: WeakKeyDictionary[BodyParts, dict[str, Array]] = WeakKeyDictionary()


def _vertices_of(parts: BodyParts, bones: tuple[str, ...]) -> NDArray[np.intp]:
    """The vertices that some bones move directly; found once a body."""
    known = _VERTICES.setdefault(parts, {})
    if bones not in known:
        known[bones] = np.flatnonzero(parts.direct & parts.of_bones(*bones))
    return known[bones]


def _rest_from_bone(parts: BodyParts, bone: str) -> Array:
    """(3, 3) inverse of a bone's axes at rest; found once a body."""
    known = _INVERSES.setdefault(parts, {})
    if bone not in known:
        known[bone] = np.asarray(np.linalg.pinv(parts.axes[bone]), np.float64)
    return known[bone]


def _with_children(bone: str) -> tuple[str, ...]:
    """The bone; for a hand or a foot, its fingers or toes too; for a region, its bones."""
    if not bone.endswith(("Hand", "Foot")):
        return REGIONS.get(bone, (bone,))
    names = [bone]
    for b in BONE_NAMES:  # parents come before their children
        if PARENT[b] in names:
            names.append(b)
    return tuple(names)


def angle_between(a: Array, b: Array) -> float:
    """Degrees between two vectors (3,)."""
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    if lengths == 0:  # a head scaled to nothing faces nowhere
        return 180.0
    return float(np.degrees(np.arccos(np.clip(a @ b / lengths, -1.0, 1.0))))
