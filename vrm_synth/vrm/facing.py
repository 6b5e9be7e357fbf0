"""Determine which way a figure faces at rest, and turn it to face +Z.

VRM 1.0 files are to face +Z and VRM 0.x files −Z, and some do not. The left arm alone is not enough: it
lies on the wrong side of a figure that is turned, and also of one whose left and right bones are swapped or whose
mesh is mirrored. So four signs are measured, each a yaw: the arms' sides, the feet, the eyes, the face. A file gets
another turn than its version defines only where every sign that can be measured gives the same quarter, the arms'
among them; otherwise it keeps its version's turn, and an oddity lists the signs. A figure without feet, eyes and
face (a cube, a stick figure) has the arms' sign alone, and is then trusted to name left and right correctly.

Turns are multiples of 90° about the world's Y through the origin. Any other yaw (a root turned by 30°) is reported
and kept: a turn by a measured angle would move every figure whose arms are a little uneven.
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
FRONT_WITHIN = 35.0  # the same for feet, eyes and face, which never point exactly ahead
SHORTEST_REACH = 0.2  # of the hips-to-head distance; arms nearer to each other give no sign
TOES_AHEAD = 0.25  # of the foot bone's length; toes less far ahead (right below the ankle) give no sign
FOOT_AHEAD = 0.08  # of a foot's extent on the ground; smallest distance of its middle from the ankle
FEET_APART = 60.0  # degrees that a foot may deviate from the mean of the two
EYES_AHEAD = 0.2  # of the distance from head joint to eyes
FACE_AHEAD = 0.3  # of the distance from head joint to the vertices that expressions move
DETAIL_AHEAD = 0.12  # of the head's extent on the ground; smallest distance of the vertices' mean from its middle
FEWEST_VERTICES = 12  # of a foot or head whose shape is measured
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
    """Yaw of the figure's front by each sign: degrees in (−180, 180] about the world's Y, 0 at +Z, 90 at +X.

    None where the sign cannot be measured.

    Attributes:
        arms: the front of a figure whose left arm is on its left.
        feet: direction from ankles to toes, or to the middle of the feet's vertices.
        eyes: direction from the head joint to the eyes.
        face: direction from the head joint to what expressions move, or to where the head has most detail.
    """

    arms: float | None
    feet: float | None
    eyes: float | None
    face: float | None

    def turned(self, degrees: float) -> FrontSigns:
        """Return the signs of the same figure turned about Y."""
        return FrontSigns(*(None if yaw is None else _wrap_degrees(yaw + degrees) for yaw in astuple(self)))

    def measured(self) -> Iterator[tuple[str, float]]:
        """Yield (name, yaw) of the signs that could be measured."""
        return ((name, yaw) for name, yaw in asdict(self).items() if yaw is not None)

    def faces_front(self) -> bool:
        """Return True where feet, eyes and face give +Z as the front, and the arms lie to the sides.

        All of feet, eyes and face that are measured must agree, and one at least must be measured unless the arms are
        not either. The arms may lie to the wrong sides.
        """
        others = [yaw for name, yaw in self.measured() if name != "arms"]
        if self.arms is None:
            return all(abs(yaw) <= FRONT_WITHIN for yaw in others)
        to_the_sides = min(abs(self.arms), 180 - abs(self.arms)) <= ARMS_WITHIN
        return to_the_sides and bool(others) and all(abs(yaw) <= FRONT_WITHIN for yaw in others)

    def common_quarter(self) -> Turn | None:
        """Return the multiple of 90° that every measured sign gives, the arms' among them; else None."""
        if self.arms is None:
            return None
        quarter = nearest_quarter(self.arms)
        tolerance = {"arms": ARMS_WITHIN}
        agree = all(
            abs(_wrap_degrees(yaw - quarter)) <= tolerance.get(name, FRONT_WITHIN) for name, yaw in self.measured()
        )
        return quarter if agree else None


def turn_to_front(avatar: Avatar) -> Avatar:
    """Turn an avatar, still as its file places it, to face +Z.

    Adds an oddity for any turn other than its version's, and for signs that disagree.
    """
    signs = front_signs(avatar)
    version_turn = turn_of_version(avatar.vrm_version)
    quarter = signs.common_quarter()
    if quarter is None:
        turned = signs.turned(version_turn)
        oddity = _disagreement(turned)
        avatar = replace(avatar, front_known=turned.faces_front())
        turn = version_turn
    else:
        turn = nearest_quarter(-quarter)
        oddity = "" if turn == version_turn else _unusual_turn(avatar.vrm_version, quarter)
    if oddity:
        avatar = replace(avatar, oddities=(*avatar.oddities, oddity))
    return with_turn(avatar, turn)


def turn_of_version(version: str) -> Turn:
    """Return the turn that makes a file of this VRM version face +Z, where it faces the way its version defines."""
    return 180 if version == "0" else 0


def with_turn(avatar: Avatar, turn: Turn) -> Avatar:
    """Replace the avatar's turn root by one of `turn` degrees about Y.

    The gravity of the springs, which the file gives in world axes, turns with it.
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
    """Return the multiple of 90° nearest to an angle, in (−180, 180]."""
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


# ---------------------------------------------------------------- texts of oddities


def _unusual_turn(version: str, quarter: Turn) -> str:
    file = f"a VRM {'0.x' if version == '0' else '1.0'} file that faces {_AXES[quarter]}"
    way = {0: ", the 1.0 way", 180: ", the 0.x way"}.get(quarter, "")
    return f"{file}{way}; {'turned to face +Z' if quarter else 'not turned, so that it faces +Z'}"


def _disagreement(signs: FrontSigns) -> str:
    """Return the oddity of signs that disagree, "" for none; `signs` are those after the version's turn."""
    listed = ", ".join(f"{name} at {yaw:.0f}°" for name, yaw in signs.measured())
    if signs.arms is None:
        return "" if signs.faces_front() else f"it may not face +Z ({listed}); its arms have no sides, so it is left"
    if signs.faces_front():  # only the arms disagree
        return f"its left bones are on its right side ({listed}): swapped, or the figure is mirrored; left so"
    return f"it may not face +Z ({listed}); only what all agree on, a multiple of 90°, would be mended"


# ---------------------------------------------------------------- measuring the signs


def front_signs(avatar: Avatar) -> FrontSigns:
    """Measure the signs of an avatar at rest, in the axes of its nodes."""
    with np.errstate(over="ignore", invalid="ignore"):  # scales may overflow: then no sign is measured
        bones = bone_rest_positions(avatar.nodes, avatar.humanoid)
        size = float(np.linalg.norm(bones["head"] - bones["hips"]))
        return FrontSigns(
            arms=_arms(bones, size), feet=_feet(avatar, bones), eyes=_eyes(bones), face=_face(avatar, bones["head"])
        )


def _arms(bones: Mapping[str, Array], size: float) -> float | None:
    # Hands alone would mislead where a file crosses its arms, so the mean of the whole arm is taken.
    left, right = (
        np.mean([bones[side + part] for part in ("UpperArm", "LowerArm", "Hand")], 0)[[0, 2]]
        for side in ("left", "right")
    )
    x, z = left - right
    if not math.hypot(x, z) >= SHORTEST_REACH * size > 0:
        return None
    return _yaw(-z, x)


def _feet(avatar: Avatar, bones: Mapping[str, Array]) -> float | None:
    directions = [_foot(avatar, bones, side) for side in ("left", "right")]
    found = [v for v in directions if v is not None]
    if len(found) < 2:
        return None
    mean = _yaw(*np.add(*found))
    deviation = max(abs(_wrap_degrees(_yaw(*v) - mean)) for v in found)
    return mean if deviation <= FEET_APART else None


def _foot(avatar: Avatar, bones: Mapping[str, Array], side: str) -> Array | None:
    """Return the unit (x, z) from a foot's ankle to its toes, or to the middle of its vertices."""
    ankle, toes = bones[f"{side}Foot"], bones.get(f"{side}Toes")
    if toes is not None and _is_horizontal(toes - ankle, TOES_AHEAD * float(np.linalg.norm(toes - ankle))):
        return _unit(toes - ankle)
    points = _points(rest_parts(avatar, nodes_below(avatar, f"{side}Foot")))
    if len(points) < FEWEST_VERTICES:
        return None
    middle = (points.min(0) + points.max(0)) / 2 - ankle
    return (
        _unit(middle) if _is_horizontal(middle, FOOT_AHEAD * float(np.ptp(points[:, [0, 2]], axis=0).max())) else None
    )


def _eyes(bones: Mapping[str, Array]) -> float | None:
    if "leftEye" not in bones or "rightEye" not in bones:
        return None
    toward = (bones["leftEye"] + bones["rightEye"]) / 2 - bones["head"]
    return _yaw(toward[0], toward[2]) if _is_horizontal(toward, EYES_AHEAD * float(np.linalg.norm(toward))) else None


def _face(avatar: Avatar, head: Array) -> float | None:
    parts = list(rest_parts(avatar, nodes_below(avatar, "head")))
    moved = _moved_by_expressions(avatar, parts)
    if moved is not None:
        toward = moved - head
        return (
            _yaw(toward[0], toward[2]) if _is_horizontal(toward, FACE_AHEAD * float(np.linalg.norm(toward))) else None
        )
    # Without such expressions: eyes, nose and mouth have more vertices than the back of a head.
    bare = frozenset(avatar.humanoid[b] for b in ("head", "leftEye", "rightEye", "jaw") if b in avatar.humanoid)
    points = _points(rest_parts(avatar, bare))
    if len(points) < FEWEST_VERTICES:
        return None
    low, high, mean = points.min(0), points.max(0), points.mean(0)
    toward = mean - (low + high) / 2
    least = DETAIL_AHEAD * float((high - low)[[0, 2]].max())
    if not _is_horizontal(toward, least) or not _is_horizontal(mean - head, least):
        return None
    same = float(_unit(toward) @ _unit(mean - head)) >= math.cos(math.radians(45))
    return _yaw(toward[0], toward[2]) if same else None


def _moved_by_expressions(avatar: Avatar, parts: list[RestPart]) -> Array | None:
    """Return the mean (3,) of the head's vertices, weighted by how far preset expressions move them; or None."""
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


def _is_horizontal(v: Array, least: float) -> bool:
    """True where the horizontal part of v is at least `least` long."""
    return math.hypot(v[0], v[2]) >= max(least, 1e-9)


def _unit(v: Array) -> Array:
    return np.asarray(v[[0, 2]] / math.hypot(v[0], v[2]), np.float64)


def _yaw(x: float, z: float) -> float:
    return math.degrees(math.atan2(x, z))


def _wrap_degrees(degrees: float) -> float:
    """Return the angle in (−180, 180]."""
    return 180.0 - (180.0 - degrees) % 360.0
