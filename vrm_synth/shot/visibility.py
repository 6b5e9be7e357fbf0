"""What a finished picture can be said to show: measured on the posed figure and the camera, never assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project
from vrm_synth.camera.line_of_sight import LineOfSight, inside
from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.pose.pose_library import REGIONS, Pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import drawn_primitives
from vrm_synth.shot.body_parts import FLESH, BodyParts

EDGE = 0.01  # what is this near the picture's edge, as a fraction of it, counts as cut
FACING = 70.0  # degrees between the face and the camera up to which an expression can be read
MEETING = 30.0  # the same for eyes that can meet the viewer's
EXPRESSED = 0.5  # least weight of an expression worth a word
ARMS = ("leftHand", "rightHand", "leftLowerArm", "rightLowerArm")  # what a torso or a head hides
CUT_BY = {"face": ("hips",), "bust": ("hips",), "cowboy": ("leftFoot", "rightFoot")}
TOUCHING = 0.06  # of the hips' height
TOGETHER = 0.7  # of a hand's length: how far apart the middles of two hands may be that hold each other
HANDS = {"leftHand", "rightHand"}
PARALLEL = 40.0  # degrees by which palms may miss facing each other
PALMS = {"leftPalm", "rightPalm"}
READABLE = 48  # pixels of a head's height from which a face can be read
SAMPLED = 16  # vertices of a part that are looked for in the picture
FACE_SKIN = 0.25  # of the head's radius: what is no farther in front of a feature is the face itself, or its fringe
TAIL_SHARE = 0.3  # least part of a tail of hair that must be in sight for it to be told of
TAIL = 0.1  # of the hips' height: how thick a tail of hair may be
CLOSE = 0.35  # least share of the picture's height that the head takes in a close-up


@dataclass(frozen=True, eq=False)
class ShotObserver:
    """One posed figure before one camera. vertices: (V, 3) of `body`, posed, world metres; size: pixels."""

    body: BodyParts
    posed: PosedAvatar
    vertices: Array
    camera: Camera
    size: tuple[int, int]

    @property
    def aspect(self) -> float:
        """The picture's width / height."""
        return self.size[0] / self.size[1]

    def phrases(self, pose: Pose) -> tuple[str, ...]:
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
        flesh = self.vertices[self._flesh(bone)]
        if len(flesh) < FLESH:
            return False
        middle = flesh.mean(0)
        if not bool(inside(self.camera, self.aspect, middle, EDGE)[0]):
            return False
        return bone not in ARMS or not self._hidden(middle, float(np.linalg.norm(flesh - middle, axis=1).max()))

    def touch(self, a: str, b: str) -> bool:
        """Whether the flesh of two bones, or of a bone and a region, comes as near as cloth and skin lie apart.

        Two hands touch when they could hold each other, not with their fingertips or with crossed wrists; two palms
        when they face each other, too.
        """
        from scipy.spatial import KDTree  # a tenth of a second that only some poses need

        one, other = (self.vertices[self._flesh(n)] for n in (a, b))
        if min(len(one), len(other)) < FLESH:
            return False
        if float(KDTree(one).query(other)[0].min()) > TOUCHING * self.body.hips_height:
            return False
        if {a, b} == PALMS:
            return self._palms_face
        return {a, b} != HANDS or (self._hands_apart <= TOGETHER and self._wrists_uncrossed)

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
        """The expression's name where it is on the face and what it changes there is in sight; else ""."""
        visible = name in self.posed.avatar.visible_expressions
        on = visible and self.posed.expressions.get(name, 0.0) >= EXPRESSED
        return name if on and self.face_readable and self._change_in_sight(name) else ""

    @cached_property
    def face_readable(self) -> bool:
        """Whether there is a face in sight, drawn large enough for its features to be told apart."""
        return self.body.person and self.face_in_sight and self._head_share() * self.size[1] >= READABLE

    def tails_in_sight(self, prefix: str) -> bool:
        """Whether every tail of hair is in the picture: a tail is moved by nodes named `prefix`… and a number."""
        nodes = self.posed.avatar.nodes
        tails: dict[str, list[int]] = {}
        for n, node in enumerate(nodes):
            if node.name.startswith(prefix):
                tails.setdefault(node.name.rpartition("_")[0], []).append(n)
        skin = TAIL * self.body.hips_height
        return bool(tails) and all(
            self._share_in_sight(np.isin(self.body.node, tail), skin) >= TAIL_SHARE for tail in tails.values()
        )

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
        return {"lookLeft", "lookRight", "lookUp", "lookDown"} <= avatar.visible_expressions

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

    def face_elevation(self, azimuth: float, elevation: float) -> float:
        """A camera's elevation in degrees as the face would tell it: a bent head is seen from above."""
        a, e = np.radians((azimuth, elevation))
        to_camera = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
        return 90.0 - _angle(self._axis("head", 1), to_camera)

    @cached_property
    def face_direction(self) -> Array:
        """(3,) where the face points, world frame: +Z at rest."""
        return self._axis("head", 2)

    def _axis(self, bone: str, axis: int) -> Array:
        """(3,) where a bone carries an axis of the T-pose, world frame."""
        now = self.posed.world_from_node[self.posed.avatar.humanoid[bone]][:3, :3]
        return np.asarray(now @ np.linalg.pinv(self.body.axes[bone])[:, axis])

    def _flesh(self, name: str) -> NDArray[np.bool_]:
        return self.body.own & self.body.of(*_with_children(name))

    @property
    def _hands_apart(self) -> float:
        """Between the hands' middles, in lengths of a hand."""
        left, right = (self._flesh(hand) for hand in ("leftHand", "rightHand"))
        length = np.linalg.norm(self.body.rest[left] - self.body.landmarks["leftHand"], axis=1).max()
        return float(np.linalg.norm(self.vertices[left].mean(0) - self.vertices[right].mean(0)) / length)

    @property
    def _wrists_uncrossed(self) -> bool:
        bones = self.posed.bone_positions()
        across = bones["leftUpperArm"] - bones["rightUpperArm"]
        return float((bones["leftHand"] - bones["rightHand"]) @ across) > 0

    @property
    def _palms_face(self) -> bool:
        """Palms look down in the T-pose."""
        left, right = (-self._axis(hand, 1) for hand in ("leftHand", "rightHand"))
        between = self.vertices[self._flesh("rightPalm")].mean(0) - self.vertices[self._flesh("leftPalm")].mean(0)
        return _angle(left, -right) <= PARALLEL and _angle(left, between) < 90

    def _change_in_sight(self, expression: str) -> bool:
        """Whether most of the vertices that an expression moves are in sight; one of colours alone needs the face."""
        moved = self._moved_by(expression)
        if moved is None:
            e = self.posed.avatar.expressions[expression]
            return bool(e.material_color_binds or e.texture_transform_binds)
        skin = FACE_SKIN * self._head_radius
        return self._share_in_sight(moved, skin) >= 0.5

    def _moved_by(self, expression: str) -> NDArray[np.bool_] | None:
        """(V,) the vertices that the expression moves by a tenth of what it moves any; None: it moves none."""
        binds = self.posed.avatar.expressions[expression].morph_target_binds
        far = []
        for (node, _, primitive), used in zip(drawn_primitives(self.posed.avatar), self.body.used, strict=True):
            offset = np.zeros((len(primitive.positions), 3))
            for bind in binds:
                if bind.node == node and bind.index < len(primitive.morph_positions):
                    offset += bind.weight * primitive.morph_positions[bind.index]
            far.append(np.linalg.norm(offset[used], axis=1))
        distance = np.concatenate(far)
        return distance >= distance.max() / 10 if distance.max() > 0 else None

    def _share_in_sight(self, part: NDArray[np.bool_], skin: float) -> float:
        """How much of a part's vertices is in the picture with no more than `skin` metres before it."""
        points = self.vertices[part]
        if not len(points):
            return 0.0
        points = points[np.linspace(0, len(points) - 1, min(SAMPLED, len(points))).astype(np.intp)]
        seen = points[inside(self.camera, self.aspect, points)]
        hidden = self._sight.blocked(seen, np.full(len(seen), skin))
        return float(np.count_nonzero(~hidden) / len(points))

    @property
    def _head_radius(self) -> float:
        flesh = self.vertices[self._flesh("head")]
        return float(np.linalg.norm(flesh - flesh.mean(0), axis=1).max())

    def _head_share(self) -> float:
        flesh = self.vertices[self.body.own & self.body.of("head")]
        return float(np.ptp(project(self.camera, self.aspect, flesh)[:, 1])) / 2

    def _hidden(self, point: Array, skin: float) -> bool:
        return bool(self._sight.blocked(point[None], np.array([skin]))[0])

    @cached_property
    def _sight(self) -> LineOfSight:
        return LineOfSight(self.camera.position, self.vertices, self.body.triangles)


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
