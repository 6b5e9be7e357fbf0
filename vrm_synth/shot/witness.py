"""What a finished picture can be said to show: measured on the posed figure and the camera, never assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project
from vrm_synth.camera.visibility import blocked, inside
from vrm_synth.core.humanoid import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.pose.library import REGIONS, NamedPose
from vrm_synth.pose.posed import PosedAvatar
from vrm_synth.shot.body import FLESH, Body

EDGE = 0.01  # what is this near the picture's edge, as a fraction of it, counts as cut
FACING = 70.0  # degrees between the face and the camera up to which an expression can be read
MEETING = 30.0  # the same for eyes that can meet the viewer's
EXPRESSED = 0.5  # least weight of an expression worth a word
ARMS = ("leftHand", "rightHand", "leftLowerArm", "rightLowerArm")  # what a torso or a head hides
CUT_BY = {"face": ("hips",), "bust": ("hips",), "cowboy": ("leftFoot", "rightFoot")}
TOUCHING = 0.06  # of the hips' height
CLOSE = 0.35  # least share of the picture's height that the head takes in a close-up


@dataclass(frozen=True, eq=False)
class Witness:
    """One posed figure before one camera. vertices: (V, 3) of `body`, posed, world metres."""

    body: Body
    posed: PosedAvatar
    vertices: Array
    camera: Camera
    aspect: float

    def phrases(self, pose: NamedPose) -> tuple[str, ...]:
        """The pose's phrases that this picture bears out, most telling first, none about bones already told of."""
        if not self.body.person:
            return ()
        said: list[str] = []
        told: set[str] = set()
        for phrase in pose.phrases:
            shown = not told & set(phrase.shows) and all(self.shows(bone) for bone in phrase.shows)
            if shown and all(self.touch(*pair) for pair in phrase.touch):
                said.append(phrase.text)
                told |= set(phrase.shows)
        return tuple(said)

    def shows(self, bone: str) -> bool:
        """Whether the middle of a bone's flesh is in the picture; for arms, also not hidden behind the body."""
        flesh = self.vertices[self.body.own & self.body.of(*_with_children(bone))]
        if len(flesh) < FLESH:
            return False
        middle = flesh.mean(0)
        if not bool(inside(self.camera, self.aspect, middle, EDGE)[0]):
            return False
        return bone not in ARMS or not self._hidden(middle, float(np.linalg.norm(flesh - middle, axis=1).max()))

    def touch(self, a: str, b: str) -> bool:
        """Whether the flesh of two bones, or of a bone and a region, comes as near as cloth and skin lie apart."""
        from scipy.spatial import KDTree  # a tenth of a second that only some poses need

        one, other = (self.vertices[self.body.own & self.body.of(*_with_children(n))] for n in (a, b))
        if min(len(one), len(other)) < FLESH:
            return False
        return float(KDTree(one).query(other)[0].min()) <= TOUCHING * self.body.hips_height

    def framing(self, crop: str) -> str:
        """ "full" where the whole figure is in the picture; the crop's name where it cuts what such a crop cuts;
        "" where neither is so (a crouching figure's knees reach into its portrait)."""
        if bool(inside(self.camera, self.aspect, self.vertices).all()):
            return "full"
        if not self.body.person:
            return ""
        bones = self.posed.bone_positions()
        cut = np.array([bones[b] for b in CUT_BY.get(crop, ()) if b in bones]).reshape(-1, 3)
        cuts = len(cut) > 0 and not bool(inside(self.camera, self.aspect, cut).any())
        near = crop != "face" or self._head_share() >= CLOSE
        return crop if cuts and near and self.shows("head") else ""

    def expression(self, name: str) -> str:
        """The expression's name where it is on the face and the face is in sight; else ""."""
        on = self.posed.expressions.get(name, 0.0) >= EXPRESSED and self.posed.avatar.expressions[name].is_bound
        return name if on and self.face_in_sight else ""

    @cached_property
    def face_in_sight(self) -> bool:
        """Whether the face is turned to the camera, inside the picture and with nothing in front of it."""
        flesh = self.vertices[self.body.own & self.body.of("head")]
        if len(flesh) < FLESH or self.face_angle > FACING:
            return False
        eyes = [p for b, p in self.posed.bone_positions().items() if b in ("leftEye", "rightEye")]
        point = np.mean(eyes, 0) if eyes else flesh.mean(0)
        radius = float(np.linalg.norm(flesh - point, axis=1).max())
        return bool(inside(self.camera, self.aspect, point, EDGE)[0]) and not self._hidden(point, radius)

    @cached_property
    def eyes_move(self) -> bool:
        """Whether a gaze changes the picture: eyes that bones turn, or expressions that draw each glance."""
        avatar = self.posed.avatar
        if avatar.look_at is None:
            return False
        if avatar.look_at.type == "bone":
            return all(int(self.body.of(eye).sum()) >= FLESH for eye in ("leftEye", "rightEye"))
        glances = [avatar.expressions.get(n) for n in ("lookLeft", "lookRight", "lookUp", "lookDown")]
        return all(e is not None and e.is_bound for e in glances)

    @cached_property
    def face_angle(self) -> float:
        """Degrees between where the face points and the camera."""
        forward = self.face_direction
        to_camera = np.asarray(self.camera.position) - self.posed.bone_positions()["head"]
        return _angle(forward, to_camera)

    def face_azimuth(self, azimuth: float) -> float:
        """A camera's azimuth as seen from where the face points, in [−180, 180) degrees; + is the avatar's left."""
        x, _, z = self.face_direction
        return float((azimuth - np.degrees(np.arctan2(x, z)) + 180.0) % 360.0 - 180.0)

    @cached_property
    def face_direction(self) -> Array:
        """(3,) where the face points, world frame: +Z at rest."""
        head = self.posed.avatar.humanoid["head"]
        return np.asarray(self.posed.world_from_node[head][:3, :3] @ np.linalg.pinv(self.body.head_rest)[:, 2])

    def _head_share(self) -> float:
        flesh = self.vertices[self.body.own & self.body.of("head")]
        return float(np.ptp(project(self.camera, self.aspect, flesh)[:, 1])) / 2

    def _hidden(self, point: Array, skin: float) -> bool:
        eye = self.camera.position
        return bool(blocked(eye, point[None], np.array([skin]), self.vertices, self.body.triangles)[0])


def _with_children(bone: str) -> tuple[str, ...]:
    """The bone; for a hand or a foot, its fingers or toes too; for a region, its bones."""
    if not bone.endswith(("Hand", "Foot")):
        return REGIONS.get(bone, (bone,))
    names = [bone]
    for b in BONE_NAMES:  # parents come before their children
        if PARENT[b] in names:
            names.append(b)
    return tuple(names)


def _angle(a: Array, b: Array) -> float:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    if lengths == 0:  # a head scaled to nothing faces nowhere
        return 180.0
    return float(np.degrees(np.arccos(np.clip(a @ b / lengths, -1.0, 1.0))))
