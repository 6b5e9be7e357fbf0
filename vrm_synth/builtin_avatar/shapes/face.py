"""The face's skin: a triangulated head with openings for eyes and mouth, whose rims move in expressions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import Delaunay

from vrm_synth.builtin_avatar.shapes.feature import (
    EYE_CENTER,
    EYE_POINTS,
    MOUTH_CENTER,
    MOUTH_POINTS,
    MOUTHS,
    REST_MOUTH,
    EyeShape,
    MouthShape,
    eye_targets,
    loop,
)
from vrm_synth.builtin_avatar.shapes.head import CROWN_Y, head, locate, nose, on_face, soft_normals
from vrm_synth.builtin_avatar.shapes.loft import Ints, grid_triangles, smooth_normals
from vrm_synth.builtin_avatar.shapes.part import MeshPart, mirrored
from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y
from vrm_synth.core.transforms import Array

_RHO = np.array([0.0, 0.10, 0.24, 0.44, 0.70, 1.0])
UV_WIDTH, UV_HEIGHT, UV_TOP = 0.24, 0.27, CROWN_Y + 0.012

# expression part → morph target of the eyes; the blink has one target a side
EYE_TARGETS = {
    "blink": "blinkLeft",
    "happy": "eyeHappy",
    "relaxed": "eyeRelaxed",
    "angry": "eyeAngry",
    "sad": "eyeSad",
    "surprised": "eyeSurprised",
    "up": "gazeUp",
    "down": "gazeDown",
}


def mouth_target(name: str) -> str:
    """Morph target of a mouth shape."""
    return f"mouth{name.capitalize()}"


def face_uv(points: Array) -> Array:
    """UV (..., 2) of the face's texture: the front view, orthographic."""
    return np.stack([0.5 + points[..., 0] / UV_WIDTH, (UV_TOP - points[..., 1]) / UV_HEIGHT], -1)


def eye_morphs(points: Callable[[EyeShape], Array], rest: EyeShape) -> dict[str, Array]:
    """Displacements (V, 3) of every eye target of something that follows the left eye's outline."""
    base = points(rest).reshape(-1, 3)
    return {EYE_TARGETS[k]: points(shape).reshape(-1, 3) - base for k, shape in eye_targets(rest).items()}


def mouth_morphs(points: Callable[[MouthShape], Array]) -> dict[str, Array]:
    """Displacements (V, 3) of every mouth target of something that follows the mouth's outline."""
    base = points(REST_MOUTH).reshape(-1, 3)
    return {mouth_target(k): points(shape).reshape(-1, 3) - base for k, shape in MOUTHS.items()}


def _rings(
    shape: EyeShape | MouthShape, rest: EyeShape | MouthShape, n: int, center: Array, outer: tuple[float, float, float]
) -> Array:
    """Rings (len(_RHO), 2n - 2, 3) from the opening's rim out to a fixed ellipse (half width, up, down)."""
    rim, moved = loop(rest, n), loop(shape, n)
    angle = np.linspace(-np.pi, np.pi, len(rim), endpoint=False)
    ellipse = np.stack([np.cos(angle), np.sin(angle)], -1)
    ellipse *= np.where(ellipse[:, 1:] > 0, [[outer[0], outer[1]]], [[outer[0], outer[2]]])
    rho = _RHO[:, None, None]
    xy = rim * (1 - rho) + ellipse * rho + (moved - rim) * (1 - rho) ** 1.5 + center
    return on_face(xy) + nose(xy[..., 0], xy[..., 1])[..., None] * [0, 0, 1]


def eye_rings(shape: EyeShape, rest: EyeShape) -> Array:
    """The skin round the left eye."""
    return _rings(shape, rest, EYE_POINTS, EYE_CENTER, (0.0280, 0.0290, 0.0240))


def mouth_rings(shape: MouthShape) -> Array:
    """The skin round the mouth."""
    return _rings(shape, REST_MOUTH, MOUTH_POINTS, MOUTH_CENTER, (0.0250, 0.0130, 0.0255))


def _ring_triangles(rings: Array) -> Ints:
    rows, n = rings.shape[:2]
    t = grid_triangles(rows, n + 1, flip=True)
    return t // (n + 1) * n + t % (n + 1) % n


def _field(rest: EyeShape) -> tuple[Array, Ints]:
    """Positions and triangles of the head around the three outer rings."""
    eye = eye_rings(rest, rest)[-1]
    holes = [eye[:, :2], eye[:, :2] * [-1, 1], mouth_rings(REST_MOUTH)[-1][:, :2]]
    gx, gy = np.meshgrid(np.linspace(-0.0115, 0.0115, 11), CHIN_Y + np.linspace(0.0475, 0.076, 13))
    nose_xy = np.stack([gx, gy], -1).reshape(-1, 2)
    # columns close up toward the face, rows toward the chin
    t = np.linspace(-1, 1, 47)
    theta, v = np.meshgrid(np.pi * np.sign(t) * np.abs(t) ** 1.35, -0.08 + 1.08 * np.linspace(0, 1, 28) ** 1.18)
    grid = np.stack([theta, v], -1).reshape(-1, 2)
    p = head(grid[:, 0], grid[:, 1])
    facing = np.cos(grid[:, 0]) > 0.2
    keep = np.ones(len(grid), bool)
    for ring in holes:
        middle = ring.mean(0)
        reach = np.hypot(*((p[:, :2] - middle) / (np.ptp(ring, axis=0) / 2)).T)
        keep &= ~(facing & (reach < 1.16))
    box = np.abs(p[:, 0]) < 0.0135
    keep &= ~(facing & box & (p[:, 1] > CHIN_Y + 0.045) & (p[:, 1] < CHIN_Y + 0.079))
    inside = np.zeros(len(nose_xy), bool)
    for ring in holes:
        inside |= np.hypot(*((nose_xy - ring.mean(0)) / (np.ptp(ring, axis=0) / 2)).T) < 1.06
    features = np.concatenate([*holes, nose_xy[~inside]])
    located = np.stack(locate(features[:, 0], features[:, 1]), -1)
    plane = np.concatenate([located, grid[keep]])
    triangles = Delaunay(plane * [0.078, 0.30]).simplices.astype(np.int64)
    q = plane[triangles]
    turn = np.cross(
        np.append(q[:, 1] - q[:, 0], np.zeros((len(q), 1)), 1), np.append(q[:, 2] - q[:, 0], np.zeros((len(q), 1)), 1)
    )
    triangles = np.where(turn[:, 2:] < 0, triangles[:, ::-1], triangles)
    owner = np.concatenate([np.full(len(h), k) for k, h in enumerate(holes)] + [np.full(len(plane), -1)])[: len(plane)]
    same = owner[triangles]
    opening = (same[:, 0] >= 0) & (same[:, 0] == same[:, 1]) & (same[:, 1] == same[:, 2])
    return head(plane[:, 0], plane[:, 1]), triangles[~opening]


def face_skin(rest: EyeShape) -> MeshPart:
    """The head's skin as one surface, with the targets of eyes and mouth."""
    field, field_triangles = _field(rest)
    bump = nose(field[:, 0], field[:, 1]) * (field[:, 2] > 0.04)
    base = [field, eye_rings(rest, rest).reshape(-1, 3), mouth_rings(REST_MOUTH).reshape(-1, 3)]
    base.insert(2, base[1] * [-1, 1, 1])
    starts = np.cumsum([0] + [len(b) for b in base])
    eye_t = _ring_triangles(eye_rings(rest, rest))
    triangles = np.concatenate(
        [
            field_triangles,
            eye_t + starts[1],
            eye_t[:, ::-1] + starts[2],
            _ring_triangles(mouth_rings(REST_MOUTH)) + starts[3],
        ]
    )
    smooth = np.concatenate(base)
    positions = smooth + np.concatenate([bump, np.zeros(len(smooth) - len(bump))])[:, None] * [0, 0, 1]
    morphs = _assemble(rest, starts, len(positions))
    normals = soft_normals(smooth, smooth_normals(smooth, triangles))
    weights = {"head": np.ones(len(positions))}
    return MeshPart("Face", positions, triangles, face_uv(positions), weights, normals, morphs)


def _assemble(rest: EyeShape, starts: Array, count: int) -> dict[str, Array]:
    flip = np.array([-1.0, 1.0, 1.0])
    out: dict[str, Array] = {}

    def put(name: str, start: int, d: Array) -> None:
        out.setdefault(name, np.zeros((count, 3)))[start : start + len(d)] = d

    for name, d in eye_morphs(lambda s: eye_rings(s, rest), rest).items():
        put(name, int(starts[1]), d)
        put("blinkRight" if name == "blinkLeft" else name, int(starts[2]), d * flip)
    for name, d in mouth_morphs(mouth_rings).items():
        put(name, int(starts[3]), d)
    return out


def ear() -> list[MeshPart]:
    """Both ears: a leaf that stands off the head, hollow in front."""
    rows, columns = 7, 17
    r = np.linspace(0.0, 1.0, rows)[:, None]
    a = np.linspace(0, 2 * np.pi, columns)[None, :]
    y = 0.0265 * r * np.sin(a) * (1 - 0.22 * np.sin(a) * -1)
    z = 0.0160 * r * np.cos(a)
    rim = np.exp(-(((r - 0.80) / 0.16) ** 2)) * 0.0040 - 0.0030 * np.exp(-((r / 0.5) ** 2))
    out = 0.0075 * (1 - r**6) + rim
    tilt = np.radians(-14)
    yy, zz = y * np.cos(tilt) - z * np.sin(tilt), y * np.sin(tilt) + z * np.cos(tilt)
    lean = np.broadcast_to(out - zz * 0.42, yy.shape)
    points = np.stack([0.0695 + lean, CHIN_Y + 0.086 + yy, -0.004 + zz], -1)
    t = grid_triangles(rows, columns)
    flat = points.reshape(-1, 3)
    n = smooth_normals(flat, t)
    if n[:columns, 0].mean() < 0:
        t = t[:, ::-1].copy()
        n = -n
    uv = np.tile([0.5, 0.12], (len(flat), 1))
    weights = {"head": np.ones(len(flat))}
    front = MeshPart("Face", flat, t, uv, weights, n)
    # seen from behind an ear needs a back of its own
    back = MeshPart("Face", flat - n * 0.0012, t[:, ::-1].copy(), uv, weights, -n)
    return [front, back, mirrored(front), mirrored(back)]
