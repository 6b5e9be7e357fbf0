"""Facts of the face of one picture: expression, eyes, mouth and gaze.

What the shot sets says what may be read; the features that it moves, seen in the drawn depth, say what can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.depth_test import inside
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.face_shapes import FaceShapes, Feature, Openings, face_shapes_of
from vrm_synth.facts.facts import Eyes, FaceFacts, Gaze, Mouth
from vrm_synth.pose.lookat import map_range
from vrm_synth.shot.body_view import EDGE_MARGIN, BodyView, angle_between

MIN_HEAD_HEIGHT = 48.0  # pixels, in pictures of any size: a face whose features can be read
MAX_FACE_ANGLE = 62.0  # degrees between the face and the camera up to which it can be read
MAX_FACE_ELEVATION = 48.0  # the same up and down, where lids and brows look as they are
MAX_LIPS_ELEVATION = 36.0  # the same for what is between the lips
MIN_FACE_PIXELS, MIN_EYE_PIXELS, MIN_MOUTH_PIXELS = 300.0, 14.0, 12.0  # of a picture of 512²
MOODS = ("happy", "angry", "sad", "relaxed", "surprised")
# The features that have to have moved, and to be in sight, for an emotion to be read, each with the least pixels of its
# movement: all of one line. A hand before the mouth leaves sad brows and eyes.
TELLING: dict[str, tuple[dict[str, float], ...]] = {
    "happy": ({"mouth": 2.0},),
    "angry": ({"brow": 3.0},),
    "sad": ({"brow": 2.8, "mouth": 2.4}, {"brow": 3.2, "eyes": 3.2}),
    "relaxed": ({"eyes": 3.4, "mouth": 0.9},),
    "surprised": ({"mouth": 3.0},),
}
MIN_WEIGHT, OTHER_WEIGHT = 0.7, 0.2  # least effective weight of the emotion, most of any other
SEEN, EYE_SEEN = 0.6, 0.5  # least part in sight of a feature, and of an eye, which a fringe covers in part
SAMPLES = 24  # vertices of a feature that are looked for
SLACK = 0.02  # heights of the head: what is drawn this little before a vertex is its own surface
CLOSED, HALF, OPEN = 0.14, (0.25, 0.5), 0.58  # of the eye at rest that the lids leave open: at most, in, at least
MOUTH_CLOSED, MOUTH_OPEN = 0.003, 0.012  # heights of the head: at most, at least
GAZING = 0.45  # of the eye at rest, that the lids leave open for a gaze to be read
MEETING, AVERTED = 8.0, 29.0  # degrees between a face that looks straight ahead and the camera: at most, at least
AVERTED_TURNED = 13.0  # the same at least where the eyes have turned away, too: drawn eyes turn by little
MAX_RESTING_ANGLE = 62.0  # degrees between face and camera up to which a painted face is read
MAX_WINK_ANGLE = 35.0  # degrees around the head up to which both eyes are seen well enough for a wink
MAX_MEETING_ANGLE = 28.0  # degrees between face and camera up to which turned eyes meet the viewer's
ASIDE = 25.0  # degrees of a gaze that is asked for, by which eyes are tested
MIN_TURN, MIN_LOOK_WEIGHT = 3.0, 0.25  # degrees that eyes turn then at least, or weight of the expression that does it


def face_facts(drawn: DrawnBody, gaze: Gaze, resting_expression: str = "") -> FaceFacts:
    """The facts that can be read on the face.

    gaze: viewer or away where the shot turns the eyes for its own camera, else "". resting_expression: the emotion that
    the face shows where no expression moves it, as painted brows do.
    """
    view = drawn.view
    if not _is_readable(drawn):
        return FaceFacts()
    shapes = face_shapes_of(view.posed.avatar, drawn.pixels.groups)
    face = DrawnFace(drawn, shapes, _without_gaze(view.posed.expressions))
    expression = face.expression
    if resting_expression and not face.weights and _angle(view) <= MAX_RESTING_ANGLE:
        expression = resting_expression
    return FaceFacts(expression, face.eyes, face.mouth, face.gaze(gaze))


def _is_readable(drawn: DrawnBody) -> bool:
    view = drawn.view
    if not view.parts.is_person or _angle(view) > MAX_FACE_ANGLE:
        return False
    large = view.head_share * view.size[1] >= MIN_HEAD_HEIGHT
    framed = bool(inside(view.camera, view.aspect, view.face_point, EDGE_MARGIN)[0])
    return large and framed and drawn.pixels.by_region.get("head", 0.0) >= MIN_FACE_PIXELS * drawn.scale


def _without_gaze(weights: Mapping[str, float]) -> dict[str, float]:
    return {n: w for n, w in weights.items() if w > 0 and not n.startswith("look")}


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """A face large enough to be read, in one picture. weights: effective weights of the expressions that are on."""

    drawn: DrawnBody
    shapes: FaceShapes
    weights: Mapping[str, float]

    @cached_property
    def expression(self) -> str:
        """The emotion that can be read; "" where another is on too, or what tells it does not show."""
        moods = {m: w for m in MOODS if (w := self.weights.get(m, 0.0)) > OTHER_WEIGHT}
        if len(moods) != 1 or not self._is_level:
            return ""
        ((name, weight),) = moods.items()
        if weight < MIN_WEIGHT:
            return ""
        features = self.shapes.features(name)
        if name != "angry" and not any(self._eye_is_seen(side) for side in ("left", "right")):
            return ""
        readable = any(all(self._shows(features.get(f), weight, s) for f, s in line.items()) for line in TELLING[name])
        return name if readable else ""

    @cached_property
    def eyes(self) -> Eyes:
        """How far the lids are open, where the eyes are in sight."""
        o = self.openings
        if o.left is None or o.right is None or not self._is_level:
            return ""
        left, right = _lid_name(o.left), _lid_name(o.right)
        sight = {side: self._eye_is_seen(side) for side in ("left", "right")}
        if left == right:
            if not any(sight.values()):
                return ""
            pixels = self._eye_pixels
            if left == "closed":
                return "closed" if pixels is None or pixels <= MIN_EYE_PIXELS * self.drawn.scale else ""
            return left if pixels is None or pixels >= MIN_EYE_PIXELS * self.drawn.scale else ""
        if not all(sight.values()) or _sideways(self.drawn.view) > MAX_WINK_ANGLE:
            return ""
        winks: dict[tuple[str, str], Eyes] = {("closed", "open"): "wink_left", ("open", "closed"): "wink_right"}
        return winks.get((left, right), "")

    @cached_property
    def mouth(self) -> Mouth:
        """Open or closed, where the mouth is in sight."""
        height = self.openings.mouth
        if height is None or self._elevation > MAX_LIPS_ELEVATION or self._pixels_of(self.shapes.height * 0.02) < 1.0:
            return ""
        lips = next((f["mouth"] for v in ("aa", "oh", "ou") if "mouth" in (f := self.shapes.features(v))), None)
        if lips is None or self._seen_share(lips.vertices) < SEEN:
            return ""
        if height >= MOUTH_OPEN:
            shown = self.drawn.pixels.by_part.get("mouth", 0.0) >= MIN_MOUTH_PIXELS * self.drawn.scale
            return "open" if shown else ""
        return "closed" if height <= MOUTH_CLOSED else ""

    @cached_property
    def openings(self) -> Openings:
        """The openings of the face as it is posed."""
        return self.shapes.openings(self.weights)

    def gaze(self, turned: Gaze) -> Gaze:
        """Where the eyes look. turned: where the shot turns them for its camera; "" where they look straight ahead."""
        o, pixels = self.openings, self.drawn.pixels.by_part.get("iris", 0.0)
        if o.left is None or o.right is None or min(o.left, o.right) < GAZING or not self.shapes.gaze_is_centered:
            return ""
        if pixels < MIN_EYE_PIXELS * self.drawn.scale or not self._is_level:
            return ""
        sight = [self._eye_is_seen(side) for side in ("left", "right")]
        view = self.drawn.view
        angle = _angle(view)
        if turned == "away":
            return "away" if any(sight) and _turns(view) and _sideways(view) >= AVERTED_TURNED else ""
        if turned == "viewer":
            return "viewer" if all(sight) and angle <= MAX_MEETING_ANGLE and _turns(view) else ""
        if angle <= MEETING:
            return "viewer" if all(sight) else ""
        return "away" if any(sight) and _sideways(view) >= AVERTED else ""

    @cached_property
    def _is_level(self) -> bool:
        """True where the face is not seen from far above or below its own level."""
        return self._elevation <= MAX_FACE_ELEVATION

    @cached_property
    def _elevation(self) -> float:
        """Degrees of the camera above or below the face's own level."""
        view = self.drawn.view
        to_camera = np.asarray(view.camera.position) - view.face_point
        up = view.axis("head", 1)
        sine = float(up @ to_camera) / max(float(np.linalg.norm(up) * np.linalg.norm(to_camera)), 1e-9)
        return round(float(np.degrees(np.arcsin(min(abs(sine), 1.0)))), 3)

    @property
    def _eye_pixels(self) -> float | None:
        """Pixels of irises and whites; None where the avatar has no such parts."""
        by_part = self.drawn.pixels.by_part
        named = [by_part[p] for p in ("iris", "eye_white") if p in by_part]
        return sum(named) if named else None

    def _eye_is_seen(self, side: str) -> bool:
        return self._seen_share(self.shapes.eye_vertices[side]) >= EYE_SEEN

    def _shows(self, feature: Feature | None, weight: float, least: float) -> bool:
        return (
            feature is not None
            and self._pixels_of(feature.size * weight) >= least
            and self._seen_share(feature.vertices) >= SEEN
        )

    def _pixels_of(self, metres: float) -> float:
        view = self.drawn.view
        return metres / self.shapes.height * view.head_share * view.size[1]

    def _seen_share(self, vertices: NDArray[np.intp]) -> float:
        """Share of some vertices in the picture with nothing before them."""
        if not len(vertices):
            return 0.0
        chosen = vertices[np.linspace(0, len(vertices) - 1, min(SAMPLES, len(vertices))).astype(np.intp)]
        x, y, distance = self.drawn.view.projected[chosen].T
        height, width = self.drawn.depth.shape
        edge = 1.0 - 2 * EDGE_MARGIN
        seen = (distance > 0) & (np.abs(x) <= edge) & (np.abs(y) <= edge)
        column = np.where(seen, (x + 1) / 2 * width, 0).astype(np.intp)
        row = np.where(seen, (1 - y) / 2 * height, 0).astype(np.intp)
        shown = self.drawn.depth[row, column] >= distance - SLACK * self.shapes.height
        return float(np.count_nonzero(seen & shown)) / len(chosen)


def _lid_name(opening: float) -> Eyes:
    if opening <= CLOSED:
        return "closed"
    if opening >= OPEN:
        return "open"
    return "half_closed" if HALF[0] <= opening <= HALF[1] else ""


def _angle(view: BodyView) -> float:
    """Degrees between the face's direction and that from the eyes to the camera."""
    return angle_between(view.face_direction, np.asarray(view.camera.position) - view.face_point)


def _sideways(view: BodyView) -> float:
    """Degrees between the face and the camera, around the head's own axis."""
    to_camera = np.asarray(view.camera.position) - view.face_point
    return float(np.degrees(np.arctan2(abs(view.axis("head", 0) @ to_camera), view.axis("head", 2) @ to_camera)))


def _turns(view: BodyView) -> bool:
    """True where the avatar's eyes turn far enough, when they are asked to, for it to be seen."""
    look = view.posed.avatar.look_at
    if look is None or not view.gaze_is_visible:
        return False
    least = min(map_range(m, ASIDE) for m in (look.horizontal_inner, look.horizontal_outer))
    return least >= (MIN_LOOK_WEIGHT if look.type == "expression" else MIN_TURN)
