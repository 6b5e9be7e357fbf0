"""Measurements of what a picture shows, on the posed body and the depth that was drawn: the source of Observations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.depth_test import DepthTest, inside
from vrm_synth.core.transforms import Array
from vrm_synth.pose.pose_library import Pose
from vrm_synth.pose.skinning import drawn_primitives
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES
from vrm_synth.shot.body_view import BodyView, angle_between

MIN_EXPRESSION_WEIGHT = 0.5  # least weight of an expression worth a word
ARMS = ("leftHand", "rightHand", "leftLowerArm", "rightLowerArm")  # what a torso or a head hides
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


@dataclass(frozen=True, eq=False)
class Visibility:
    """Measures what of one posed body is seen in one picture.

    view: the body before the picture's camera.
    depth: (H, W) float32, metres along the view axis that the picture shows; +inf for the background.
    """

    view: BodyView
    depth: NDArray[np.float32]

    def phrases(self, pose: Pose) -> tuple[str, ...]:
        """The pose's phrases that are true of this picture, most telling first; at most one about each bone."""
        if not self.view.parts.is_person:
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
        if not self.view.in_picture(bone):
            return False
        points = self.view.vertices[self.view.bone_vertices(bone)]
        middle = points.mean(0)
        return bone not in ARMS or not self._is_hidden(middle, float(np.linalg.norm(points - middle, axis=1).max()))

    def touching(self, a: str, b: str) -> bool:
        """True where the vertices of two bones, or of a bone and a region, come as near as cloth lies to skin.

        Two hands touch when they could hold each other, not with their fingertips or with crossed wrists; two palms
        when they also face each other.
        """
        from scipy.spatial import KDTree  # a tenth of a second that only some poses need

        one, other = (self.view.vertices[self.view.bone_vertices(n)] for n in (a, b))
        if min(len(one), len(other)) < MIN_BONE_VERTICES:
            return False
        if float(KDTree(one).query(other)[0].min()) > MAX_TOUCH_GAP * self.view.parts.hips_height:
            return False
        if {a, b} == PALMS:
            return self._palms_face_each_other
        return {a, b} != HANDS or (self._hand_distance <= MAX_HAND_DISTANCE and self._wrists_are_uncrossed)

    def expression(self, name: str) -> str:
        """The expression's name where it is active and what it changes in the face is in sight; else ""."""
        visible = name in self.view.posed.avatar.visible_expressions
        on = visible and self.view.posed.expressions.get(name, 0.0) >= MIN_EXPRESSION_WEIGHT
        return name if on and self.face_readable and self._change_is_visible(name) else ""

    @cached_property
    def face_readable(self) -> bool:
        """True where the face is in sight and large enough for its features to be read."""
        return (
            self.view.parts.is_person
            and self.face_in_sight
            and self.view.head_share * self.view.size[1] >= MIN_HEAD_PIXELS
        )

    def tails_in_sight(self, prefix: str) -> bool:
        """True where every tail of hair is in sight. A tail is what nodes named `prefix`…_number move."""
        nodes = self.view.posed.avatar.nodes
        tails: dict[str, list[int]] = {}
        for n, node in enumerate(nodes):
            if node.name.startswith(prefix):
                tails.setdefault(node.name.rpartition("_")[0], []).append(n)
        depth = TAIL_DEPTH * self.view.parts.hips_height
        return bool(tails) and all(
            self._visible_share(np.isin(self.view.parts.node, tail), depth) >= MIN_TAIL_SHARE for tail in tails.values()
        )

    @cached_property
    def face_in_sight(self) -> bool:
        """True where the face is turned to the camera, inside the picture and not hidden."""
        if not self.view.face_in_picture:
            return False
        points = self.view.vertices[self.view.parts.direct & self.view.parts.of_bones("head")]
        radius = float(np.linalg.norm(points - self.view.face_point, axis=1).max())
        return not self._is_hidden(self.view.face_point, radius)

    @property
    def _hand_distance(self) -> float:
        """Distance between the middles of the hands, in lengths of a hand."""
        left, right = (self.view.bone_vertices(hand) for hand in ("leftHand", "rightHand"))
        length = np.linalg.norm(self.view.parts.rest[left] - self.view.parts.landmarks["leftHand"], axis=1).max()
        return float(np.linalg.norm(self.view.vertices[left].mean(0) - self.view.vertices[right].mean(0)) / length)

    @property
    def _wrists_are_uncrossed(self) -> bool:
        bones = self.view.posed.bone_positions()
        across = bones["leftUpperArm"] - bones["rightUpperArm"]
        return float((bones["leftHand"] - bones["rightHand"]) @ across) > 0

    @property
    def _palms_face_each_other(self) -> bool:
        # Palms face down in the T-pose.
        left, right = (-self.view.axis(hand, 1) for hand in ("leftHand", "rightHand"))
        left_middle, right_middle = (
            self.view.vertices[self.view.bone_vertices(p)].mean(0) for p in ("leftPalm", "rightPalm")
        )
        return angle_between(left, -right) <= MAX_PALM_ANGLE and angle_between(left, right_middle - left_middle) < 90

    def _change_is_visible(self, expression: str) -> bool:
        """True where most of the vertices that an expression moves are in sight; or where it changes colours alone."""
        moved = self._moved_vertices(expression)
        if moved is None:
            e = self.view.posed.avatar.expressions[expression]
            return bool(e.material_color_binds or e.texture_transform_binds)
        depth = FACE_DEPTH * self._head_radius
        return self._visible_share(moved, depth) >= 0.5

    def _moved_vertices(self, expression: str) -> NDArray[np.bool_] | None:
        """(V,) mask of the vertices that the expression moves by a tenth of its largest movement; None for none."""
        binds = self.view.posed.avatar.expressions[expression].morph_target_binds
        far = []
        drawn = drawn_primitives(self.view.posed.avatar)
        for (node, _, primitive), used in zip(drawn, self.view.parts.used_vertices, strict=True):
            offset = np.zeros((len(primitive.positions), 3))
            for bind in binds:
                if bind.node == node and bind.index < len(primitive.morph_positions):
                    offset += bind.weight * primitive.morph_positions[bind.index]
            far.append(np.linalg.norm(offset[used], axis=1))
        distance = np.concatenate(far)
        return distance >= distance.max() / 10 if distance.max() > 0 else None

    def _visible_share(self, vertex_mask: NDArray[np.bool_], depth: float) -> float:
        """Share of a part's vertices in sight; surfaces up to `depth` metres in front of a vertex do not hide it.

        vertex_mask: (V,).
        """
        points = self.view.vertices[vertex_mask]
        if not len(points):
            return 0.0
        points = points[np.linspace(0, len(points) - 1, min(MAX_SAMPLES, len(points))).astype(np.intp)]
        framed = points[inside(self.view.camera, self.view.aspect, points)]
        hidden = self._depth_test.hidden(framed, depth)
        return float(np.count_nonzero(~hidden) / len(points))

    @property
    def _head_radius(self) -> float:
        points = self.view.vertices[self.view.bone_vertices("head")]
        return float(np.linalg.norm(points - points.mean(0), axis=1).max())

    def _is_hidden(self, point: Array, depth: float) -> bool:
        return bool(self._depth_test.hidden(point[None], depth)[0])

    @cached_property
    def _depth_test(self) -> DepthTest:
        return DepthTest(self.view.camera, self.depth)
