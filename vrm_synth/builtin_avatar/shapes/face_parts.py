"""Parts on the face: eyeballs, irises, catchlights, lashes, lids' folds, brows, blush, and the mouth's inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vrm_synth.builtin_avatar.shapes.face import eye_morphs, mouth_morphs
from vrm_synth.builtin_avatar.shapes.feature import (
    EYE_CENTER,
    EYE_POINTS,
    MOUTH_CENTER,
    MOUTH_POINTS,
    REST_MOUTH,
    EyeShape,
    MouthShape,
    loop,
)
from vrm_synth.builtin_avatar.shapes.head import front_z, on_face
from vrm_synth.builtin_avatar.shapes.loft import Ints, grid_triangles, smoothstep, unit
from vrm_synth.builtin_avatar.shapes.part import MeshPart, mirrored
from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y, EYE
from vrm_synth.core.transforms import Array, quat_axis_angle, quat_rotate

# columns of the texture of flat colors (see painted_textures.paint_palette)
PAINT = {"lash": 0, "lash_low": 1, "fold": 2, "brow": 3, "lip": 4, "cavity": 5, "tongue": 6, "teeth": 7, "wall": 8}
PAINT_SLOTS = 16
IRIS = (0.0146, 0.0172)  # painted half width and height, meters
IRIS_MARGIN = 1.25  # the disc is wider than the paint, so that the paint can shrink and grow
_IRIS_CENTER = EYE_CENTER + np.array([-0.0004, 0.0012])
LOWER_LASH_WIDTH = 0.0011  # at its outer end, meters
BROW_LIFT = 0.0120  # brows float in front of the fringe, as in drawings, so that they show through hair
_BALL = float(np.linalg.norm(np.array([EYE_CENTER[0], EYE_CENTER[1], front_z(*EYE_CENTER) - 0.0036]) - EYE))


def paint_uv(name: str, count: int) -> Array:
    """UVs (count, 2) of one flat color of the paint texture."""
    return np.tile([(PAINT[name] + 0.5) / PAINT_SLOTS, 0.5], (count, 1))


def _on_ball(xy: Array, radius: float) -> Array:
    d = xy - np.array(EYE)[:2]
    z = EYE[2] + np.sqrt(np.clip(radius**2 - np.sum(d * d, -1), 1e-6, None))
    return np.concatenate([xy, z[..., None]], -1)


def _disc(rows: int, columns: int) -> tuple[Array, Ints]:
    """(x, y), UV-like in −1…1, of a polar grid: (rows, columns + 1, 2), and its triangles facing +Z."""
    r = np.linspace(0, 1, rows)[:, None]
    a = np.linspace(0, 2 * np.pi, columns + 1)[None, :]
    return np.stack([r * np.cos(a), r * np.sin(a)], -1), grid_triangles(rows, columns + 1, flip=True)


def _flat(
    material: str, points: Array, triangles: Ints, uv: Array, joint: str, normal: Array | None = None
) -> MeshPart:
    p = points.reshape(-1, 3)
    q = p[triangles]
    area = np.linalg.norm(np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]), axis=1)
    n = np.tile([0.0, 0.12, 0.99], (len(p), 1)) if normal is None else normal.reshape(-1, 3)
    return MeshPart(material, p, triangles[area > 1e-13], uv.reshape(-1, 2), {joint: np.ones(len(p))}, unit(n))


def eyeball() -> list[MeshPart]:
    """Both whites (still) and irises and catchlights (on the eye bones); gazeUp… move the latter as morphs."""
    disc, t = _disc(5, 26)
    xy = disc * [0.0235, 0.0215] + EYE_CENTER
    white = _flat("EyeWhite", _on_ball(xy, _BALL - 0.0016), t, disc * [0.5, -0.5] + 0.5, "head")
    disc, t = _disc(5, 26)
    size = np.array(IRIS) * IRIS_MARGIN
    iris = _flat("Iris", _on_ball(disc * size + _IRIS_CENTER, _BALL), t, disc * [0.5, -0.5] + 0.5, "leftEye")
    lights = []
    # the light comes from the same side for both eyes: the pair is placed, not mirrored
    for side in (1, -1):
        for dx, dy, rx, ry in ((0.0046, 0.0068, 0.0036, 0.0045), (-0.0052, -0.0070, 0.0021, 0.0025)):
            light = _catchlight(_IRIS_CENTER + np.array([side * dx, dy]), np.array([rx, ry]), 1.25 if dy > 0 else 2.1)
            lights.append(_gazing(light if side == 1 else mirrored(light)))
    iris = _gazing(iris)
    return [white, mirrored(white), iris, _gazing(mirrored(replace(iris, morphs={}))), *lights]


def _catchlight(center: Array, size: Array, moist: float) -> MeshPart:
    """A white spot on the left eye; sad eyes are moist, their spots `moist` times as wide."""
    disc, t = _disc(3, 18)
    p, wide = (_on_ball(disc * size * k + center, _BALL + 0.0008) for k in (1.0, moist))
    part = _flat("EyeLight", p, t, disc * 0.5 + 0.5, "leftEye")
    return replace(part, morphs={"eyeSad": (wide - p).reshape(-1, 3)})


def _gazing(part: MeshPart) -> MeshPart:
    """The part with further targets that turn it about its eye, for files whose expressions move the gaze."""
    joint = next(iter(part.weights))
    center = np.array(EYE) * [1 if joint == "leftEye" else -1, 1, 1]
    turns = {
        "gazeUp": ((1, 0, 0), -7.0),
        "gazeDown": ((1, 0, 0), 7.0),
        "gazeLeft": ((0, 1, 0), 9.0),
        "gazeRight": ((0, 1, 0), -9.0),
    }
    arm = part.positions - center
    morphs = {k: quat_rotate(quat_axis_angle(a, np.radians(d)), arm) - arm for k, (a, d) in turns.items()}
    return replace(part, morphs={**part.morphs, **morphs})


def _upper(shape: EyeShape, t: Array) -> tuple[Array, Array]:
    """The upper lid's edge (n, 2), absolute, and its normals toward the brow."""
    p = shape.curve(t, upper=True)
    d = np.gradient(p, axis=0)
    n = np.stack([-d[:, 1], d[:, 0]], -1)
    return p + EYE_CENTER, n / np.linalg.norm(n, axis=1, keepdims=True)


def _ribbon_part(name: str, points: Callable[[EyeShape], Array], rest: EyeShape) -> MeshPart:
    p = points(rest)
    part = _flat("Paint", p, grid_triangles(*p.shape[:2]), paint_uv(name, p.shape[0] * p.shape[1]), "head")
    return replace(part, morphs=eye_morphs(points, rest))


def lashes(rest: EyeShape) -> list[MeshPart]:
    """Upper lash with its wing, lower lash and fold of the left and right eye."""
    parts = [
        _ribbon_part("lash", _upper_lash, rest),
        _ribbon_part("lash_low", _lower_lash, rest),
        _ribbon_part("fold", _fold, rest),
    ]
    return [*parts, *(mirrored(p) for p in parts)]


def _upper_lash(shape: EyeShape) -> Array:
    t = np.concatenate([np.linspace(-0.93, 0.6, 17), np.linspace(0.7, 1.0, 5)])
    edge, normal = _upper(shape, t)
    # end normals follow the corner's tangent, which would spread the ribbon: steer them upward
    normal = unit(normal + np.array([0, 0.9]))
    width = 0.0002 + 0.0034 * smoothstep(-1.0, -0.1, t) + 0.0006 * smoothstep(0.2, 0.9, t)
    corner, wing = edge[-1], np.array([0.0046, 0.0020])
    s = np.array([0.4, 0.75, 1.0])[:, None]
    inner = np.concatenate([edge - normal * 0.0007, corner + s * wing - normal[-1] * 0.0007 * (1 - s)])
    outer = np.concatenate(
        [edge + normal * width[:, None], corner + s * wing + normal[-1] * width[-1] * (1 - s) ** 1.2]
    )
    middle = (inner + outer) / 2
    lift = np.concatenate([0.0010 + 0.0012 * smoothstep(-1, 0.5, t), [0.0020, 0.0016, 0.0012]])
    return np.stack([on_face(inner, 0.0005), on_face(middle, lift * 0.9), on_face(outer, lift)])


def _lower_lash(shape: EyeShape) -> Array:
    t = np.linspace(-0.35, 1.0, 16)
    p = shape.curve(t, upper=False) + EYE_CENTER
    width = LOWER_LASH_WIDTH * smoothstep(-0.4, 0.75, t)
    return np.stack([on_face(p - np.stack([0 * t, width], -1), 0.0006), on_face(p + np.array([0, 0.0002]), 0.0006)])


def _fold(shape: EyeShape) -> Array:
    t = np.linspace(-0.72, 0.86, 18)
    edge, normal = _upper(shape, t)
    base = edge + normal * (0.0058 - 0.0012 * t**2)[:, None]
    width = 0.00055 * (1 - np.abs((t - 0.07) / 0.80) ** 3)
    return np.stack([on_face(base, 0.0004), on_face(base + normal * width[:, None], 0.0004)])


_BROWS = {  # target: rise, tilt (inner end down, outer end up), bend
    "browHappy": (0.0030, -0.0004, 0.0012),
    "browAngry": (-0.0042, 0.0072, -0.0022),
    "browSad": (0.0014, -0.0068, -0.0024),
    "browRelaxed": (0.0012, -0.0014, 0.0006),
    "browSurprised": (0.0060, 0.0, 0.0014),
}


def brows() -> list[MeshPart]:
    """Both eyebrows, with a target for each mood."""

    def points(rise: float, tilt: float, bend: float) -> Array:
        t = np.linspace(-1, 1, 15)
        x = 0.0195 * t + EYE_CENTER[0] + 0.0015
        y = EYE_CENTER[1] + 0.0296 + rise + (tilt - 0.0016) * t + (0.0030 + bend) * (1 - (t - 0.10) ** 2)
        width = 0.0034 * (1 - smoothstep(0.1, 1.0, t) * 0.85) * smoothstep(-1.12, -0.85, t)
        p = np.stack([x, y], -1)
        up = np.stack([0 * t, width / 2], -1)
        return np.stack([on_face(p - up, BROW_LIFT), on_face(p + up, BROW_LIFT)])

    rest = points(0, 0, 0)
    part = _flat("Paint", rest, grid_triangles(2, 15), paint_uv("brow", 30), "head")
    part = replace(part, morphs={k: (points(*v) - rest).reshape(-1, 3) for k, v in _BROWS.items()})
    return [part, mirrored(part)]


def cheeks() -> list[MeshPart]:
    """Two soft discs of blush that float over the cheeks."""
    disc, t = _disc(5, 20)
    p = on_face(disc * [0.0155, 0.0088] + [0.0445, CHIN_Y + 0.0585], 0.0007)
    left = _flat("Cheek", p, t, disc * [0.5, -0.5] + 0.5, "head")
    return [left, mirrored(left)]


def eye_walls(rest: EyeShape) -> list[MeshPart]:
    """The lids' thickness: from the opening's rim back past the eyeball."""

    def points(shape: EyeShape) -> Array:
        rim = loop(shape, EYE_POINTS)
        rim = np.concatenate([rim, rim[:1]])
        front = on_face(rim + EYE_CENTER)
        return np.stack([front, on_face(rim * 1.05 + EYE_CENTER, -0.0105)])

    p = points(rest)
    part = _flat("Paint", p, grid_triangles(*p.shape[:2]), paint_uv("wall", p.shape[0] * p.shape[1]), "head")
    part = replace(part, morphs=eye_morphs(points, rest))
    return [part, mirrored(part)]


def mouth() -> list[MeshPart]:
    """Lip lines, cavity, upper teeth and tongue: closed behind the lips at rest."""
    t = np.linspace(-1, 1, 21)

    def lip(upper: bool, thick: float) -> Callable[[MouthShape], Array]:
        def points(shape: MouthShape) -> Array:
            p = shape.curve(t, upper) + MOUTH_CENTER
            width = thick * (1 - np.abs(t) ** 4 * 0.8)
            sign = 1 if upper else -1
            a = p + np.stack([0 * t, sign * width], -1)
            return np.stack([on_face(p, 0.0004), on_face(a, 0.0004)][:: 1 if upper else -1])

        return points

    def cavity(shape: MouthShape) -> Array:
        rim = loop(shape, MOUTH_POINTS)
        rim = np.concatenate([rim, rim[:1]])
        middle = rim.mean(0)
        rows = [(1.0, 0.0), (1.06, -0.005), (0.9, -0.014), (0.45, -0.021), (0.0, -0.023)]
        return np.stack([on_face((rim - middle) * k + middle + MOUTH_CENTER, z) for k, z in rows])

    def teeth(shape: MouthShape) -> Array:
        s = np.linspace(-0.88, 0.88, 13)
        p = shape.curve(s, True) + MOUTH_CENTER
        down = np.stack([0 * s, 0.0034 * (1 - s**4)], -1)
        return np.stack([on_face(p - down, -0.0042), on_face(p + np.array([0, 0.002]), -0.0036)])

    def tongue(shape: MouthShape) -> Array:
        s = np.linspace(-0.74, 0.74, 13)
        low, high = shape.curve(s, False), shape.curve(s, True)
        top = low + (high - low) * (0.52 * (1 - (s / 0.76) ** 2))[:, None]
        return np.stack([on_face(low - [0, 0.002] + MOUTH_CENTER, -0.0075), on_face(top + MOUTH_CENTER, -0.0090)])

    made = [
        ("lip", lip(True, 0.00085)),
        ("lip", lip(False, 0.0004)),
        ("cavity", cavity),
        ("teeth", teeth),
        ("tongue", tongue),
    ]
    parts = []
    for name, points in made:
        p = points(REST_MOUTH)
        t3 = grid_triangles(*p.shape[:2])
        flat = p.reshape(-1, 3)
        uv = paint_uv(name, len(flat))
        n = np.tile(unit(np.array([0.0, 0.12, 0.99])), (len(flat), 1))
        parts.append(MeshPart("Paint", flat, t3, uv, {"head": np.ones(len(flat))}, n, mouth_morphs(points)))
    return parts
