"""Which way a figure faces at rest, and the turn that makes it face +Z.

VRM 1.0 files are to face +Z and VRM 0.x files −Z, and some do not. The left arm alone does not settle the matter: it
lies on the wrong side of a figure that is turned, and also of one whose left and right bones are swapped or whose
mesh is mirrored. So four signs are read, each a yaw: the arms' sides, the feet, the eyes, the face. A file is turned
otherwise than its version asks for only where every sign that can be read gives the same quarter, the arms' among
them; otherwise it keeps its version's turn, and an oddity says what the signs are. A figure without feet, eyes and
face (a cube, a stick figure) has the arms' sign alone, and by VRM's own names its left is its left.

Turns are multiples of 90° about the world's Y through the origin. Any other yaw (a root turned by 30°) is reported
and left: a turn by a measured angle would move every figure whose arms are a little uneven.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, replace

import numpy as np

from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Node, Vec3, Vec4
from vrm_synth.vrm.avatar import Avatar, Spring, Turn
from vrm_synth.vrm.humanoid import bone_rest_positions
from vrm_synth.vrm.rest_mesh import RestPart, nodes_below, rest_parts

ARMS_WITHIN = 20.0  # degrees from a multiple of 90° up to which the arms give that quarter
FRONT_WITHIN = 35.0  # the same for feet, eyes and face, which are never quite straight
SHORTEST_REACH = 0.2  # of the hips-to-head distance: arms nearer to each other have no sides
TOES_AHEAD = 0.25  # of the foot bone's length: toes less far ahead (straight below the ankle) point nowhere
FOOT_AHEAD = 0.08  # of a foot's extent on the ground: how far its middle must lie from the ankle
FEET_APART = 60.0  # degrees by which a foot may miss the mean of the two
EYES_AHEAD = 0.2  # of the distance from head joint to eyes
FACE_AHEAD = 0.3  # of the distance from head joint to the vertices that expressions move
DETAIL_AHEAD = 0.12  # of the head's extent on the ground: how far the vertices' mean lies from the head's middle
FEWEST_VERTICES = 12
TURN_NAMES: Mapping[Turn, str] = {
    180: "half turn to face +Z",
    90: "quarter turn left to face +Z",
    -90: "quarter turn right to face +Z",
}
_ROTATIONS: Mapping[Turn, Vec4] = {
    180: (0.0, 1.0, 0.0, 0.0),
    90: (0.0, math.sqrt(0.5), 0.0, math.sqrt(0.5)),
    -90: (0.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5)),
}
_COS_SIN: Mapping[Turn, tuple[int, int]] = {0: (1, 0), 90: (0, 1), 180: (-1, 0), -90: (0, -1)}
_AXES: Mapping[Turn, str] = {0: "+Z", 90: "+X", 180: "-Z", -90: "-X"}


@dataclass(frozen=True)
class FrontSigns:
    """The front's yaw by each sign: degrees in (−180, 180] about the world's Y, 0 at +Z, 90 at +X; None where the
    sign cannot be read."""

    arms: float | None  # the front of a figure whose left arm is on its left
    feet: float | None  # from ankles to toes, or to the middle of the feet's vertices
    eyes: float | None  # from the head joint to the eyes
    face: float | None  # from the head joint to what expressions move, or to where the head has most detail

    def turned(self, degrees: float) -> FrontSigns:
        """The signs of the same figure turned about Y."""
        return FrontSigns(*(None if yaw is None else _wrapped(yaw + degrees) for yaw in astuple(self)))

    def readable(self) -> Iterator[tuple[str, float]]:
        """(name, yaw) of the signs that can be read."""
        return ((name, yaw) for name, yaw in asdict(self).items() if yaw is not None)

    def ahead(self) -> bool:
        """Whether feet, eyes and face give +Z as the front (all that can be read, and one at least unless the arms
        cannot be read either) and the arms lie to the sides, the right ones or not."""
        others = [yaw for name, yaw in self.readable() if name != "arms"]
        if self.arms is None:
            return all(abs(yaw) <= FRONT_WITHIN for yaw in others)
        to_the_sides = min(abs(self.arms), 180 - abs(self.arms)) <= ARMS_WITHIN
        return to_the_sides and bool(others) and all(abs(yaw) <= FRONT_WITHIN for yaw in others)

    def quarter(self) -> Turn | None:
        """The multiple of 90° that every readable sign gives, the arms' among them; else None."""
        if self.arms is None:
            return None
        quarter = nearest_quarter(self.arms)
        within = {"arms": ARMS_WITHIN}
        agree = all(abs(_wrapped(yaw - quarter)) <= within.get(name, FRONT_WITHIN) for name, yaw in self.readable())
        return quarter if agree else None


def turn_to_front(avatar: Avatar) -> Avatar:
    """The avatar, as its file places it, turned to face +Z; `oddities` tells of any turn but the version's own, and of
    signs that disagree."""
    signs = front_signs(avatar)
    usual = turn_of_version(avatar.vrm_version)
    seen = signs.quarter()
    if seen is None:
        left = signs.turned(usual)
        oddity = _unclear(left)
        avatar = replace(avatar, front_known=left.ahead())
        turn = usual
    else:
        turn = nearest_quarter(-seen)
        oddity = "" if turn == usual else _turned_otherwise(avatar.vrm_version, seen)
    if oddity:
        avatar = replace(avatar, oddities=(*avatar.oddities, oddity))
    return with_turn(avatar, turn)


def turn_of_version(version: str) -> Turn:
    """The turn that makes a file of this VRM version face +Z where it faces the way that its version asks for."""
    return 180 if version == "0" else 0


def with_turn(avatar: Avatar, turn: Turn) -> Avatar:
    """The avatar under a turn root of `turn` degrees about Y in place of the one it has.

    What the file gives in its world's axes, which is the gravity of its springs, turns with it.
    """
    if turn == avatar.turn:
        return avatar
    nodes, scene = avatar.nodes, avatar.scene_nodes
    if avatar.turn:
        nodes, scene = tuple(replace(n, parent=-1) if n.parent == len(nodes) - 1 else n for n in nodes[:-1]), scene[1:]
    if turn:
        scene = (len(nodes), *scene)
        nodes = _under_root(nodes, tuple(n for n in scene[1:] if nodes[n].parent == -1), turn)
    springs = tuple(_gravity_turned(s, nearest_quarter(turn - avatar.turn)) for s in avatar.springs)
    return replace(avatar, nodes=nodes, scene_nodes=scene, springs=springs, turn=turn)


def nearest_quarter(degrees: float) -> Turn:
    """The multiple of 90° nearest to an angle, in (−180, 180]."""
    quarters: tuple[Turn, ...] = (0, 90, 180, -90)
    return quarters[round(degrees / 90) % 4]


def _under_root(nodes: tuple[Node, ...], tops: tuple[int, ...], turn: Turn) -> tuple[Node, ...]:
    root = len(nodes)
    moved = tuple(replace(n, parent=root) if i in tops else n for i, n in enumerate(nodes))
    return (*moved, Node(TURN_NAMES[turn], -1, tops, (0.0, 0.0, 0.0), _ROTATIONS[turn], (1.0, 1.0, 1.0)))


def _gravity_turned(spring: Spring, turn: Turn) -> Spring:
    cos, sin = _COS_SIN[turn]

    def direction(v: Vec3) -> Vec3:
        return cos * v[0] + sin * v[2], v[1], cos * v[2] - sin * v[0]

    return replace(spring, joints=tuple(replace(j, gravity_dir=direction(j.gravity_dir)) for j in spring.joints))


# ---------------------------------------------------------------- what is told


def _turned_otherwise(version: str, seen: Turn) -> str:
    file = f"a VRM {'0.x' if version == '0' else '1.0'} file that faces {_AXES[seen]}"
    way = {0: ", the 1.0 way", 180: ", the 0.x way"}.get(seen, "")
    return f"{file}{way}; {'turned to face +Z' if seen else 'not turned, so that it faces +Z'}"


def _unclear(signs: FrontSigns) -> str:
    """The oddity of signs that disagree; `signs` as they are once the version's turn is made."""
    if signs.arms is None:
        return "" if signs.ahead() else f"it may not face +Z ({_listed(signs)}); its arms have no sides, so it is left"
    if signs.ahead():  # the arms are all that disagrees
        return f"its left bones are on its right side ({_listed(signs)}): swapped, or the figure is mirrored; left so"
    return f"it may not face +Z ({_listed(signs)}); only what all agree on, a multiple of 90°, would be mended"


def _listed(signs: FrontSigns) -> str:
    return ", ".join(f"{name} at {yaw:.0f}°" for name, yaw in signs.readable())


# ---------------------------------------------------------------- reading the signs


def front_signs(avatar: Avatar) -> FrontSigns:
    """The signs of an avatar in the axes of its nodes, measured at rest."""
    with np.errstate(over="ignore", invalid="ignore"):  # scales beyond numbers: no comparison holds, no sign is read
        marks = bone_rest_positions(avatar.nodes, avatar.humanoid)
        size = float(np.linalg.norm(marks["head"] - marks["hips"]))
        return FrontSigns(
            arms=_arms(marks, size), feet=_feet(avatar, marks), eyes=_eyes(marks), face=_face(avatar, marks["head"])
        )


def _arms(marks: Mapping[str, Array], size: float) -> float | None:
    # Hands alone would mislead where a file crosses its arms, so the mean of the whole arm is taken.
    left, right = (
        np.mean([marks[side + part] for part in ("UpperArm", "LowerArm", "Hand")], 0)[[0, 2]]
        for side in ("left", "right")
    )
    x, z = left - right
    if not math.hypot(x, z) >= SHORTEST_REACH * size > 0:
        return None
    return _yaw(-z, x)


def _feet(avatar: Avatar, marks: Mapping[str, Array]) -> float | None:
    ahead = [_foot(avatar, marks, side) for side in ("left", "right")]
    found = [v for v in ahead if v is not None]
    if len(found) < 2:
        return None
    mean = _yaw(*np.add(*found))
    astray = max(abs(_wrapped(_yaw(*v) - mean)) for v in found)
    return mean if astray <= FEET_APART else None


def _foot(avatar: Avatar, marks: Mapping[str, Array], side: str) -> Array | None:
    """Unit (x, z) from a foot's ankle to its toes, or to the middle of its vertices."""
    ankle, toes = marks[f"{side}Foot"], marks.get(f"{side}Toes")
    if toes is not None and _ahead(toes - ankle, TOES_AHEAD * float(np.linalg.norm(toes - ankle))):
        return _unit(toes - ankle)
    points = _points(rest_parts(avatar, nodes_below(avatar, f"{side}Foot")))
    if len(points) < FEWEST_VERTICES:
        return None
    middle = (points.min(0) + points.max(0)) / 2 - ankle
    return _unit(middle) if _ahead(middle, FOOT_AHEAD * float(np.ptp(points[:, [0, 2]], axis=0).max())) else None


def _eyes(marks: Mapping[str, Array]) -> float | None:
    if "leftEye" not in marks or "rightEye" not in marks:
        return None
    toward = (marks["leftEye"] + marks["rightEye"]) / 2 - marks["head"]
    return _yaw(toward[0], toward[2]) if _ahead(toward, EYES_AHEAD * float(np.linalg.norm(toward))) else None


def _face(avatar: Avatar, head: Array) -> float | None:
    parts = list(rest_parts(avatar, nodes_below(avatar, "head")))
    moved = _moved_by_expressions(avatar, parts)
    if moved is not None:
        toward = moved - head
        return _yaw(toward[0], toward[2]) if _ahead(toward, FACE_AHEAD * float(np.linalg.norm(toward))) else None
    # Eyes, nose and mouth need more vertices than the back of a head does.
    bare = frozenset(avatar.humanoid[b] for b in ("head", "leftEye", "rightEye", "jaw") if b in avatar.humanoid)
    points = _points(rest_parts(avatar, bare))
    if len(points) < FEWEST_VERTICES:
        return None
    low, high, mean = points.min(0), points.max(0), points.mean(0)
    toward = mean - (low + high) / 2
    least = DETAIL_AHEAD * float((high - low)[[0, 2]].max())
    if not _ahead(toward, least) or not _ahead(mean - head, least):
        return None
    same = float(_unit(toward) @ _unit(mean - head)) >= math.cos(math.radians(45))
    return _yaw(toward[0], toward[2]) if same else None


def _moved_by_expressions(avatar: Avatar, parts: list[RestPart]) -> Array | None:
    """The mean (3,) of the head's vertices weighted by how far the preset expressions move them, or None."""
    total, weighted = 0.0, np.zeros(3)
    binds = {(b.node, b.index) for e in avatar.expressions.values() if e.is_preset for b in e.morph_target_binds}
    for part in parts:
        targets = [i for node, i in sorted(binds) if node == part.node and i < len(part.primitive.morph_positions)]
        for i in targets:
            moves = np.linalg.norm(part.primitive.morph_positions[i][part.rows].astype(np.float64), axis=1)
            weighted += moves @ part.positions
            total += float(moves.sum())
    return weighted / total if total > 0 else None


def _points(parts: Iterator[RestPart]) -> Array:
    return np.concatenate([np.zeros((0, 3)), *(part.positions for part in parts)])


def _ahead(v: Array, least: float) -> bool:
    return math.hypot(v[0], v[2]) >= max(least, 1e-9)


def _unit(v: Array) -> Array:
    return np.asarray(v[[0, 2]] / math.hypot(v[0], v[2]), np.float64)


def _yaw(x: float, z: float) -> float:
    return math.degrees(math.atan2(x, z))


def _wrapped(degrees: float) -> float:
    """The angle in (−180, 180]."""
    return 180.0 - (180.0 - degrees) % 360.0
