"""Measurements of what a picture shows, taken on the posed body and the camera: the source of Observations."""

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
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES, BodyParts

EDGE_MARGIN = 0.01  # what is this near the picture's edge, as a fraction of it, counts as cut
MAX_FACE_ANGLE = 70.0  # degrees between the face and the camera up to which an expression can be read
MAX_EYE_CONTACT_ANGLE = 30.0  # the same for eyes that can meet the viewer's
MIN_EXPRESSION_WEIGHT = 0.5  # least weight of an expression worth a word
ARMS = ("leftHand", "rightHand", "leftLowerArm", "rightLowerArm")  # what a torso or a head hides
BONES_CUT_BY_CROP = {"face": ("hips",), "bust": ("hips",), "cowboy": ("leftFoot", "rightFoot")}
MAX_TOUCH_GAP = 0.06  # of the hips' height
MAX_HAND_DISTANCE = 0.7  # of a hand's length: distance between the middles of two hands that hold each other
HANDS = {"leftHand", "rightHand"}
MAX_PALM_ANGLE = 40.0  # degrees by which palms may miss facing each other
PALMS = {"leftPalm", "rightPalm"}
MIN_HEAD_PIXELS = 48  # height of a head, pixels, from which a face can be read
MAX_SAMPLES = 16  # vertices of a part that are tested
FACE_DEPTH = 0.25  # of the head's radius: what is no farther in front of a feature is the face itself, or its fringe
MIN_TAIL_SHARE = 0.3  # least part of a tail of hair that must be in sight for it to be named
TAIL_DEPTH = 0.1  # of the hips' height: thickness of a tail of hair
MIN_CLOSE_UP_SHARE = 0.35  # least share of the picture's height that the head takes in a close-up


@dataclass(frozen=True, eq=False)
class Visibility:
    """Measures what of one posed body one camera sees.

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

    def phrases(self, pose: Pose) -> tuple[str, ...]:
        """The pose's phrases that are true of this picture, most telling first; at most one about each bone."""
        if not self.parts.is_person:
            return ()
        texts: list[str] = []
        described: set[str] = set()
        for phrase in pose.phrases:
            shown = described.isdisjoint(phrase.shows) and all(self.in_sight(bone) for bone in phrase.shows)
            if shown and all(self.touching(*pair) for pair in phrase.touch):
                texts.append(phrase.text)
                described |= set(phrase.shows)
        return tuple(texts)

    def in_sight(self, bone: str) -> bool:
        """True where the middle of a bone's vertices is in the picture and, for arms, not hidden behind the body."""
        points = self.vertices[self._bone_vertices(bone)]
        if len(points) < MIN_BONE_VERTICES:
            return False
        middle = points.mean(0)
        if not bool(inside(self.camera, self.aspect, middle, EDGE_MARGIN)[0]):
            return False
        return bone not in ARMS or not self._is_hidden(middle, float(np.linalg.norm(points - middle, axis=1).max()))

    def touching(self, a: str, b: str) -> bool:
        """True where the vertices of two bones, or of a bone and a region, come as near as cloth lies to skin.

        Two hands touch when they could hold each other, not with their fingertips or with crossed wrists; two palms
        when they also face each other.
        """
        from scipy.spatial import KDTree  # a tenth of a second that only some poses need

        one, other = (self.vertices[self._bone_vertices(n)] for n in (a, b))
        if min(len(one), len(other)) < MIN_BONE_VERTICES:
            return False
        if float(KDTree(one).query(other)[0].min()) > MAX_TOUCH_GAP * self.parts.hips_height:
            return False
        if {a, b} == PALMS:
            return self._palms_face_each_other
        return {a, b} != HANDS or (self._hand_distance <= MAX_HAND_DISTANCE and self._wrists_are_uncrossed)

    def framing(self, crop: str) -> str:
        """The framing of the picture: "full" where every vertex is inside, the crop's name where the picture cuts the
        bones that such a crop cuts, else "" (the knees of a crouching body reach into its portrait)."""
        if bool(inside(self.camera, self.aspect, self.vertices).all()):
            return "full"
        if not self.parts.is_person:
            return ""
        bones = self.posed.bone_positions()
        cut = np.array([bones[b] for b in BONES_CUT_BY_CROP.get(crop, ()) if b in bones]).reshape(-1, 3)
        cuts = len(cut) > 0 and not bool(inside(self.camera, self.aspect, cut).any())
        near = crop != "face" or self._head_share() >= MIN_CLOSE_UP_SHARE
        return crop if cuts and near and self.in_sight("head") else ""

    def expression(self, name: str) -> str:
        """The expression's name where it is active and what it changes in the face is in sight; else ""."""
        visible = name in self.posed.avatar.visible_expressions
        on = visible and self.posed.expressions.get(name, 0.0) >= MIN_EXPRESSION_WEIGHT
        return name if on and self.face_readable and self._change_is_visible(name) else ""

    @cached_property
    def face_readable(self) -> bool:
        """True where the face is in sight and large enough for its features to be read."""
        return self.parts.is_person and self.face_in_sight and self._head_share() * self.size[1] >= MIN_HEAD_PIXELS

    def tails_in_sight(self, prefix: str) -> bool:
        """True where every tail of hair is in sight. A tail is what nodes named `prefix`…_number move."""
        nodes = self.posed.avatar.nodes
        tails: dict[str, list[int]] = {}
        for n, node in enumerate(nodes):
            if node.name.startswith(prefix):
                tails.setdefault(node.name.rpartition("_")[0], []).append(n)
        depth = TAIL_DEPTH * self.parts.hips_height
        return bool(tails) and all(
            self._visible_share(np.isin(self.parts.node, tail), depth) >= MIN_TAIL_SHARE for tail in tails.values()
        )

    @cached_property
    def face_in_sight(self) -> bool:
        """True where the face is turned to the camera, inside the picture and not hidden."""
        points = self.vertices[self.parts.direct & self.parts.of_bones("head")]
        if len(points) < MIN_BONE_VERTICES or self.face_angle > MAX_FACE_ANGLE:
            return False
        eyes = [p for b, p in self.posed.bone_positions().items() if b in ("leftEye", "rightEye")]
        point = np.mean(eyes, 0) if eyes else points.mean(0)
        radius = float(np.linalg.norm(points - point, axis=1).max())
        return bool(inside(self.camera, self.aspect, point, EDGE_MARGIN)[0]) and not self._is_hidden(point, radius)

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
        return _angle(forward, to_camera)

    def face_azimuth(self, azimuth: float) -> float:
        """A camera's azimuth around the face's direction, in [−180, 180) degrees; + is the avatar's left."""
        x, _, z = self.face_direction
        return float((azimuth - np.degrees(np.arctan2(x, z)) + 180.0) % 360.0 - 180.0)

    def face_elevation(self, azimuth: float, elevation: float) -> float:
        """A camera's elevation relative to the head, degrees: a bent head is seen from above."""
        a, e = np.radians((azimuth, elevation))
        to_camera = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
        return 90.0 - _angle(self._axis("head", 1), to_camera)

    @cached_property
    def face_direction(self) -> Array:
        """(3,) unit vector that the face points along, world frame: +Z at rest."""
        return self._axis("head", 2)

    def _axis(self, bone: str, axis: int) -> Array:
        """(3,) world direction of an axis of the T-pose (0: x, 1: y, 2: z) after the bone has moved it."""
        now = self.posed.world_from_node[self.posed.avatar.humanoid[bone]][:3, :3]
        return np.asarray(now @ np.linalg.pinv(self.parts.axes[bone])[:, axis])

    def _bone_vertices(self, name: str) -> NDArray[np.bool_]:
        """(V,) mask of the vertices of a bone with its fingers or toes, or of a region's bones."""
        return self.parts.direct & self.parts.of_bones(*_with_children(name))

    @property
    def _hand_distance(self) -> float:
        """Distance between the middles of the hands, in lengths of a hand."""
        left, right = (self._bone_vertices(hand) for hand in ("leftHand", "rightHand"))
        length = np.linalg.norm(self.parts.rest[left] - self.parts.landmarks["leftHand"], axis=1).max()
        return float(np.linalg.norm(self.vertices[left].mean(0) - self.vertices[right].mean(0)) / length)

    @property
    def _wrists_are_uncrossed(self) -> bool:
        bones = self.posed.bone_positions()
        across = bones["leftUpperArm"] - bones["rightUpperArm"]
        return float((bones["leftHand"] - bones["rightHand"]) @ across) > 0

    @property
    def _palms_face_each_other(self) -> bool:
        # Palms face down in the T-pose.
        left, right = (-self._axis(hand, 1) for hand in ("leftHand", "rightHand"))
        left_middle, right_middle = (self.vertices[self._bone_vertices(p)].mean(0) for p in ("leftPalm", "rightPalm"))
        return _angle(left, -right) <= MAX_PALM_ANGLE and _angle(left, right_middle - left_middle) < 90

    def _change_is_visible(self, expression: str) -> bool:
        """True where most of the vertices that an expression moves are in sight; or where it changes colours alone."""
        moved = self._moved_vertices(expression)
        if moved is None:
            e = self.posed.avatar.expressions[expression]
            return bool(e.material_color_binds or e.texture_transform_binds)
        depth = FACE_DEPTH * self._head_radius
        return self._visible_share(moved, depth) >= 0.5

    def _moved_vertices(self, expression: str) -> NDArray[np.bool_] | None:
        """(V,) mask of the vertices that the expression moves by a tenth of its largest movement; None for none."""
        binds = self.posed.avatar.expressions[expression].morph_target_binds
        far = []
        drawn = drawn_primitives(self.posed.avatar)
        for (node, _, primitive), used in zip(drawn, self.parts.used_vertices, strict=True):
            offset = np.zeros((len(primitive.positions), 3))
            for bind in binds:
                if bind.node == node and bind.index < len(primitive.morph_positions):
                    offset += bind.weight * primitive.morph_positions[bind.index]
            far.append(np.linalg.norm(offset[used], axis=1))
        distance = np.concatenate(far)
        return distance >= distance.max() / 10 if distance.max() > 0 else None

    def _visible_share(self, vertex_mask: NDArray[np.bool_], depth: float) -> float:
        """Share of a part's vertices in sight; surfaces up to `depth` metres in front of a vertex do not hide it.

        part: (V,) mask.
        """
        points = self.vertices[vertex_mask]
        if not len(points):
            return 0.0
        points = points[np.linspace(0, len(points) - 1, min(MAX_SAMPLES, len(points))).astype(np.intp)]
        framed = points[inside(self.camera, self.aspect, points)]
        hidden = self._line_of_sight.blocked(framed, np.full(len(framed), depth))
        return float(np.count_nonzero(~hidden) / len(points))

    @property
    def _head_radius(self) -> float:
        points = self.vertices[self._bone_vertices("head")]
        return float(np.linalg.norm(points - points.mean(0), axis=1).max())

    def _head_share(self) -> float:
        points = self.vertices[self.parts.direct & self.parts.of_bones("head")]
        return float(np.ptp(project(self.camera, self.aspect, points)[:, 1])) / 2

    def _is_hidden(self, point: Array, depth: float) -> bool:
        return bool(self._line_of_sight.blocked(point[None], np.array([depth]))[0])

    @cached_property
    def _line_of_sight(self) -> LineOfSight:
        return LineOfSight(self.camera.position, self.vertices, self.parts.triangles)


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
