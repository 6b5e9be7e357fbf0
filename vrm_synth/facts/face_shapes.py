"""An avatar's face seen straight from the front, without hair: what expressions do to its eyes, mouth and brows.

Measured on the avatar at rest, once for each expression and weight that is asked for, by orthographic drawings on the
CPU: how much of the eyes the lids leave open, how far the lips are apart, which vertices an expression moves. It needs
no lips and no lids of their own: the parts that show there (eyes, the inside of a mouth) are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.surface_groups import SurfaceGroups
from vrm_synth.core.transforms import Array
from vrm_synth.parts.orthographic import fragments
from vrm_synth.parts.part_names import PART_IDS, UNKNOWN
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.shot.body_parts import HEAD, BodyParts, body_parts_of, posed_vertices
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

SIDE = 64  # pixels of a drawing of the eyes or of the mouth
STEPS = 4  # weights of an expression that are drawn; between them openings are interpolated
MIN_EYE = 20  # pixels of a drawing that an eye takes at rest, for its opening to be measured
STILL = 1e-3  # heights of the head: what moves less stays as it is
OFF_CENTER = 0.1  # of an eye's width, by which an iris that looks straight ahead may be off its middle
MIN_FEATURE = 3  # vertices of a feature that is looked for
MOVED = 0.3  # of a feature's largest movement, from which on a vertex counts as moved
BEFORE_FACE = (
    "hair", "hair_front", "hair_back", "hair_tail", "hat", "glasses", "ornament", "animal_ears", "held_thing",
)  # fmt: skip
EYE = ("iris", "eye_white")
VOWELS = ("aa", "oh", "ou", "ee", "ih")

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Openings:
    """How far a face is open. left, right: part of each eye at rest that its lids leave in sight, None where not known.
    mouth: height of what shows between the lips, in heights of the face; None where not known."""

    left: float | None
    right: float | None
    mouth: float | None


@dataclass(frozen=True, eq=False)
class Feature:
    """A feature of the face that an expression moves: vertices (of BodyParts) seen from the front; size: the largest
    movement at weight 1, metres."""

    vertices: Indices
    size: float


@dataclass(frozen=True, eq=False)
class FaceShapes:
    """The face of one avatar at rest: n vertices, t triangles.

    avatar_ref: weak, because the face is kept as long as the avatar lives. parts: its body.
    vertices: (n,) indices into the body's vertices. triangles: (t, 3) indices into
    `vertices`. part: (t,) ids of parts. height: of the head, metres. middle: x of the head, metres.
    """

    avatar_ref: ReferenceType[Avatar]
    parts: BodyParts
    vertices: Indices
    triangles: Indices
    part: NDArray[np.uint8]
    height: float
    middle: float
    _moves: dict[str, Array] = field(default_factory=dict)
    _openings: dict[tuple[tuple[str, float], ...], Openings] = field(default_factory=dict)
    _features: dict[str, dict[str, Feature]] = field(default_factory=dict)

    @property
    def avatar(self) -> Avatar:
        """The avatar."""
        avatar = self.avatar_ref()
        assert avatar is not None
        return avatar

    def openings(self, weights: Mapping[str, float]) -> Openings:
        """The openings under the effective weights of expressions (others than those of the gaze)."""
        on = [(n, w) for n, w in sorted(weights.items()) if w > 0 and self._is_moved(n)]
        if not on:
            return self._drawn(())
        if len(on) > 1:
            return self._drawn(tuple((n, round(w * STEPS) / STEPS) for n, w in on))
        (name, weight) = on[0]
        step = min(int(weight * STEPS), STEPS - 1)
        share = round(weight * STEPS - step, 6)
        below, above = (self._drawn(((name, k / STEPS),) if k else ()) for k in (step, step + 1))
        return below if share == 0 else above if share == 1 else _mix(below, above, share)

    def features(self, expression: str) -> dict[str, Feature]:
        """brow, eyes and mouth → what an expression moves of them; those that it does not move are left out."""
        if expression not in self._features:
            self._features[expression] = _moved_features(self, expression)
        return self._features[expression]

    def move(self, expression: str) -> Array:
        """(n, 3) by which an expression moves the face at weight 1, world metres."""
        if expression not in self._moves:
            self._moves[expression] = _displacement(self.avatar, self.parts, expression)[self.vertices]
        return self._moves[expression]

    @cached_property
    def eyes(self) -> tuple[Array, Array] | None:
        """(low, high) corner x, y of a square around both eyes, metres; None where nothing tells where they are."""
        distance = self._blink_distance
        if distance is not None:
            return _square(self._rest[distance >= MOVED * distance.max()])
        own = np.isin(self.part, [PART_IDS[p] for p in EYE])
        bones = self.parts.of_bones("leftEye", "rightEye")[self.vertices]
        for corners in (self._rest[self.triangles[own]].reshape(-1, 3), self._rest[bones]):
            if len(corners) >= MIN_FEATURE:
                return _square(corners)
        return None

    @cached_property
    def mouth(self) -> tuple[Array, Array] | None:
        """The same around the mouth, wherever vowels move it; None where none does."""
        vowels = [np.linalg.norm(self.move(v), axis=1) for v in VOWELS if self._is_moved(v)]
        if not vowels:
            return None
        distance = np.max(vowels, axis=0)
        return _square(self._rest[distance >= MOVED * distance.max()])

    @cached_property
    def eye_vertices(self) -> dict[str, Indices]:
        """left and right → vertices (of BodyParts) of the eye and its lids that are seen from the front; empty where
        nothing tells."""
        none = {"left": np.zeros(0, np.intp), "right": np.zeros(0, np.intp)}
        if self.eyes is None:
            return none
        distance = self._blink_distance
        moved = np.zeros(len(self.vertices), np.bool_) if distance is None else distance >= MOVED * distance.max()
        if distance is None:
            moved[self.triangles[np.isin(self.part, [PART_IDS[p] for p in EYE])].ravel()] = True
        chosen = np.flatnonzero(moved)
        chosen = chosen[
            _seen_from_front(self, self._rest, chosen) & _seen_from_front(self, self._rest + self._blink, chosen)
        ]
        is_left = self._rest[chosen, 0] > self.middle
        return {"left": self.vertices[chosen[is_left]], "right": self.vertices[chosen[~is_left]]}

    @cached_property
    def gaze_is_centered(self) -> bool:
        """True where the irises lie alike in the middle of the eyes: the face looks straight ahead at rest."""
        offsets = []
        for side in ("left", "right"):
            iris, eye = (self._eye_xs(side, names) for names in (("iris",), EYE))
            if len(iris) < MIN_EYE / 4 or len(eye) < MIN_EYE:
                return False
            offsets.append(float(iris.mean() - (eye.min() + eye.max()) / 2) / max(float(np.ptp(eye)), 1e-9))
        return max(map(abs, offsets)) <= OFF_CENTER

    def _eye_xs(self, side: str, names: tuple[str, ...]) -> NDArray[np.floating]:
        """x in pixels of what the drawing at rest shows of one eye's parts."""
        if self.eyes is None:
            return np.zeros(0)
        seen = np.flatnonzero(np.isin(self._part_seen(self._eyes_at_rest), [PART_IDS[n] for n in names]))
        x = seen % SIDE + 0.5
        return x[(self._world_x(x) > self.middle) == (side == "left")]

    @property
    def _rest(self) -> Array:
        return self.parts.rest[self.vertices]

    @cached_property
    def _eyes_at_rest(self) -> NDArray[np.int32]:
        assert self.eyes is not None
        return self._draw(self._rest, self.eyes)[0]

    @cached_property
    def _eye_pixels(self) -> NDArray[np.bool_]:
        """(2, SIDE²) what shows the right and the left eye at rest, by the avatar's sides; empty where not known."""
        assert self.eyes is not None
        seen = self._is_eye(self._eyes_at_rest)
        if self._blink_distance is not None:
            seen &= ~self._is_eye(self._draw(self._rest + self._blink, self.eyes)[0]) | self._named_eyes
        left = self._world_x(np.arange(SIDE * SIDE) % SIDE + 0.5) > self.middle
        return np.stack([seen & ~left, seen & left])

    @cached_property
    def _named_eyes(self) -> bool:
        """True where the eyes are triangles of their own, not all that a blink does not move."""
        distance = self._blink_distance
        return (
            distance is None
            or not (self._eye_triangles == (distance[self.triangles].max(1) < 0.1 * distance.max())).all()
        )

    def _is_eye(self, triangle: NDArray[np.int32]) -> NDArray[np.bool_]:
        return np.append(self._eye_triangles, False)[triangle]

    @cached_property
    def _eye_triangles(self) -> NDArray[np.bool_]:
        """(t,) the eyes by their parts' names, or else by their bones, or else all that a blink does not move."""
        labeled: NDArray[np.bool_] = np.isin(self.part, [PART_IDS[p] for p in EYE])
        by_bone = np.asarray(self.parts.of_bones("leftEye", "rightEye")[self.vertices][self.triangles].all(1))
        for own in (labeled, by_bone):
            if own.any() and self._blinks_cover(own):
                return own
        distance = self._blink_distance
        if distance is None:
            return labeled if labeled.any() else by_bone
        return np.asarray(distance[self.triangles].max(1) < 0.1 * distance.max())

    def _blinks_cover(self, own: NDArray[np.bool_]) -> bool:
        """True where a blink hides most of some triangles (t,), or where the avatar has none."""
        if self.eyes is None or self._blink_distance is None:
            return True
        seen = [np.append(own, False)[self._draw(p, self.eyes)[0]] for p in (self._rest, self._rest + self._blink)]
        before, after = (int(np.count_nonzero(s)) for s in seen)
        return before >= 2 * MIN_EYE and after <= 0.3 * before

    @cached_property
    def _blink(self) -> Array:
        """(n, 3) by which a blink of both eyes moves the face."""
        names = ("blink",) if self._is_moved("blink") else ("blinkLeft", "blinkRight")
        return np.sum([self.move(b) for b in names if self._is_moved(b)] + [np.zeros((len(self.vertices), 3))], axis=0)

    @cached_property
    def _blink_distance(self) -> Array | None:
        distance = np.linalg.norm(self._blink, axis=1)
        return distance if distance.any() else None

    def _part_seen(self, triangle: NDArray[np.int32]) -> NDArray[np.uint8]:
        return np.append(self.part, np.uint8(0))[triangle]

    def _world_x(self, x: NDArray[np.floating]) -> Array:
        assert self.eyes is not None
        low, high = self.eyes
        return np.asarray(low[0] + x / SIDE * (high[0] - low[0]), np.float64)

    def _is_moved(self, name: str) -> bool:
        return name in self.avatar.visible_expressions and bool(self.move(name).any())

    def _drawn(self, weights: tuple[tuple[str, float], ...]) -> Openings:
        if weights not in self._openings:
            move = sum((w * self.move(n) for n, w in weights), np.zeros((len(self.vertices), 3)))
            rest = self._drawn(()) if weights else None
            left, right, mouth = (None, None, None) if rest is None else (rest.left, rest.right, rest.mouth)
            if self.eyes is not None and (rest is None or self._moves_within(move, self.eyes)):
                now = self._is_eye(self._draw(self._rest + move, self.eyes)[0])
                right, left = (_share(now, own) for own in self._eye_pixels)
            if self.mouth is not None and (rest is None or self._moves_within(move, self.mouth)):
                mouth = self._mouth_height(self._rest + move, self.mouth)
            self._openings[weights] = Openings(left, right, mouth)
        return self._openings[weights]

    def _moves_within(self, move: Array, box: tuple[Array, Array]) -> bool:
        xy = self._rest[:, :2]
        near = ((xy >= box[0]) & (xy <= box[1])).all(1)
        return float(np.abs(move[near]).max(initial=0.0)) > STILL * self.height

    def _mouth_height(self, points: Array, box: tuple[Array, Array]) -> float | None:
        if not (self.part == PART_IDS["mouth"]).any():
            return None
        seen = self._part_seen(self._draw(points, box)[0]) == PART_IDS["mouth"]
        return float(seen.reshape(SIDE, SIDE).sum(0).max()) / SIDE * float(box[1][1] - box[0][1]) / self.height

    def _draw(self, points: Array, box: tuple[Array, Array]) -> tuple[NDArray[np.int32], Array]:
        """(SIDE²,) the nearest triangle of each pixel, −1 for none, and (SIDE²,) its z; top row first."""
        low, high = box
        scale = SIDE / (high - low)
        flat = points[self.triangles]
        flat[..., 0] = (flat[..., 0] - low[0]) * scale[0]
        flat[..., 1] = (high[1] - flat[..., 1]) * scale[1]
        near = np.flatnonzero(((flat[..., :2].max(1) > 0) & (flat[..., :2].min(1) < SIDE)).all(1))
        triangle, depth = np.full(SIDE * SIDE, -1, np.int32), np.full(SIDE * SIDE, -np.inf)
        for t, pixel, w in fragments(flat[near], SIDE):
            z = np.einsum("nk,nk->n", w, flat[near][t, :, 2])
            order = np.lexsort((z, pixel))
            t, pixel, z = t[order], pixel[order], z[order]
            last = np.append(pixel[1:] != pixel[:-1], True) & (z >= depth[pixel])
            triangle[pixel[last]], depth[pixel[last]] = near[t[last]], z[last]
        return triangle, depth


_FACES: WeakKeyDictionary[Avatar, dict[SurfaceGroups, FaceShapes]] = WeakKeyDictionary()


def face_shapes_of(avatar: Avatar, groups: SurfaceGroups) -> FaceShapes:
    """The avatar's face, measured at the first call. groups: of its surface, which say what is iris, brow or mouth."""
    known = _FACES.setdefault(avatar, {})
    if groups not in known:
        known[groups] = _measure(avatar, groups)
    return known[groups]


def _measure(avatar: Avatar, groups: SurfaceGroups) -> FaceShapes:
    parts = body_parts_of(avatar)
    head = parts.of_bones(*HEAD) & parts.direct & ~parts.spring_driven
    drawn = drawn_triangles(avatar)
    label = groups.parts_of(drawn.vertices_of[:, 2])
    corners, start = [], 0
    for primitive, used in zip(drawn.primitives, parts.used_vertices, strict=True):
        index = np.full(len(primitive.positions), -1, np.intp)
        index[used] = start + np.arange(len(used))
        start += len(used)
        corners.append(index[primitive.indices])
    triangles = np.concatenate(corners)
    own = (triangles >= 0).all(1) & head[triangles].all(1)
    own &= ~np.isin(label, [PART_IDS[p] for p in BEFORE_FACE])
    # Lenses and blushes: what is behind them shows.
    blends = np.array([m.alpha_mode == "BLEND" for m in avatar.materials], np.bool_)[drawn.material_of]
    own &= ~(blends & (label == UNKNOWN))
    vertices, back = np.unique(triangles[own], return_inverse=True)
    y = parts.rest[parts.direct & parts.of_bones("head"), 1]
    height = max(float(np.ptp(y)), 1e-6) if len(y) else 1.0
    middle = float(parts.landmarks["head"][0])
    return FaceShapes(ref(avatar), parts, vertices.astype(np.intp), back.reshape(-1, 3), label[own], height, middle)


def _displacement(avatar: Avatar, parts: BodyParts, expression: str) -> Array:
    """(V, 3) by which an expression moves the body's vertices at rest, metres."""
    rest = evaluate(avatar)
    weights = {node: w.copy() for node, w in rest.morph_weights.items()}
    for bind in avatar.expressions[expression].morph_target_binds:
        if bind.node in weights and bind.index < len(weights[bind.node]):
            weights[bind.node][bind.index] += bind.weight
    return posed_vertices(parts, replace(rest, morph_weights=weights)) - parts.rest


def _moved_features(face: FaceShapes, expression: str) -> dict[str, Feature]:
    if face.eyes is None or expression not in face.avatar.visible_expressions:
        return {}
    move = face.move(expression)
    distance = np.linalg.norm(move, axis=1)
    rest = face.parts.rest[face.vertices]
    low, high = face.eyes
    is_brow = np.zeros(len(rest), np.bool_)
    is_brow[face.triangles[face.part == PART_IDS["brow"]].ravel()] = True
    middle = (low[1] + high[1]) / 2
    span = _eye_span(face)
    groups = {"mouth": ~is_brow & (rest[:, 1] < middle - 1.2 * span), "brow": is_brow}
    if not is_brow.any():
        groups["brow"] = rest[:, 1] > middle + 0.75 * span
    groups["eyes"] = ~groups["brow"] & (np.abs(rest[:, 1] - middle) <= 0.75 * span)
    out = {}
    for name, group in groups.items():
        size = float(distance[group].max(initial=0.0))
        if size <= STILL * face.height:
            continue
        chosen = np.flatnonzero(group & (distance >= MOVED * size))
        chosen = chosen[_seen_from_front(face, rest + move, chosen)]
        if len(chosen) >= MIN_FEATURE:
            out[name] = Feature(face.vertices[chosen], size)
    return out


def _eye_span(face: FaceShapes) -> float:
    """Height of the eyes, metres: of what is drawn of them, or a third of their square."""
    assert face.eyes is not None
    low, high = face.eyes
    rows = np.flatnonzero(face._eye_pixels.any(0).reshape(SIDE, SIDE).any(1))
    share = float(np.ptp(rows) + 1) / SIDE if len(rows) else 1 / 3
    return share * float(high[1] - low[1])


def _seen_from_front(face: FaceShapes, points: Array, chosen: Indices) -> NDArray[np.bool_]:
    """(k,) which vertices nothing of the face itself hides from the front."""
    low, high = face.parts.rest[face.vertices].min(0), face.parts.rest[face.vertices].max(0)
    box = low[:2], low[:2] + float(np.ptp(np.stack([low[:2], high[:2]]), axis=0).max()) * 1.02
    _, depth = face._draw(points, box)
    at = points[chosen]
    x, y = ((at[:, k] - box[0][k]) / (box[1][k] - box[0][k]) * SIDE for k in (0, 1))
    column, row = np.clip(x, 0, SIDE - 1).astype(np.intp), np.clip(SIDE - y, 0, SIDE - 1).astype(np.intp)
    return np.asarray(at[:, 2] >= depth[row * SIDE + column] - 0.03 * face.height)


def _square(points: Array) -> tuple[Array, Array]:
    """(low, high) x, y of the square around points (k, 3), a little wider."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    half = max(float((high - low).max()) * 0.58, 1e-6)
    middle = (low + high) / 2
    return middle - half, middle + half


def _share(now: NDArray[np.bool_], own: NDArray[np.bool_]) -> float | None:
    count = int(np.count_nonzero(own))
    return float(np.count_nonzero(now & own)) / count if count >= MIN_EYE else None


def _mix(a: Openings, b: Openings, share: float) -> Openings:
    def between(x: float | None, y: float | None) -> float | None:
        return None if x is None or y is None else x * (1 - share) + y * share

    return Openings(between(a.left, b.left), between(a.right, b.right), between(a.mouth, b.mouth))
