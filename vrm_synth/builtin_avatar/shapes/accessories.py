"""Accessories on the head: hair ribbon, glasses, hairclip."""

from __future__ import annotations

import numpy as np

from vrm_synth.builtin_avatar.shapes.feature import EYE_CENTER
from vrm_synth.builtin_avatar.shapes.garments import bow
from vrm_synth.builtin_avatar.shapes.head import SKULL, front_z
from vrm_synth.builtin_avatar.shapes.locks import shell
from vrm_synth.builtin_avatar.shapes.loft import (
    frames_along,
    grid_triangles,
    ring_angles,
    smooth_normals,
    superellipse,
    tube,
)
from vrm_synth.builtin_avatar.shapes.part import MeshPart, grid_part, mirrored
from vrm_synth.builtin_avatar.surface.palette import Palette, linear
from vrm_synth.builtin_avatar.surface.toon_materials import MaterialLibrary, toon, white
from vrm_synth.gltf.model import Material, Vec3

FRAME_RADIUS = 0.0011  # of the wire that glasses are made of, meters


def accessory_parts(name: str, anchors: tuple[Vec3, ...]) -> list[MeshPart]:
    """Build an accessory's parts on the head bone, in base proportions.

    anchors: where tails of hair start; without a ribbon they get hair ties.
    """
    parts: list[MeshPart] = []
    if name == "ribbon" and anchors:
        for a in anchors:
            yaw = float(np.degrees(np.arctan2(a[0], a[2] - SKULL[2]))) if len(anchors) == 1 else np.sign(a[0]) * 58.0
            out = np.array([np.sin(np.radians(yaw)), 0, np.cos(np.radians(yaw))])
            parts += bow("Accent", np.array(a) + out * 0.020, 0.052, "head", tails=1.3, facing=yaw)
    elif name == "ribbon":
        at = shell(38.0, 0.62, 0.024)
        parts += bow("Accent", at, 0.044, "head", tails=0.0, facing=34.0)
    elif anchors:
        parts += [_tie(a) for a in anchors]
    if name == "glasses":
        parts += _glasses()
    if name == "hairclip":
        parts += _clips()
    return parts


def _torus(material: str, center: Vec3, axis: str, radius: float, thick: float) -> MeshPart:
    a = ring_angles(20)
    c, s, zero = radius * np.cos(a), radius * np.sin(a), 0 * a
    plane = {"x": (zero, c, s), "y": (s, zero, c), "z": (c, s, zero)}[axis]
    path = np.stack(plane, -1)
    radial = path / radius
    along = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}[axis]
    points = tube(
        path + center, np.broadcast_to(along, path.shape) * thick, radial * thick, superellipse(ring_angles(8))
    )
    return _outward(grid_part(material, points, {"head": 1.0}), np.array(center))


def _outward(part: MeshPart, center: np.ndarray) -> MeshPart:
    """Flip a part's triangles where they do not face away from `center`."""
    if np.sum(part.normals * (part.positions - center)) >= 0:
        return part
    flipped = part.triangles[:, ::-1].copy()
    return MeshPart(part.material, part.positions, flipped, part.uvs, part.weights, -part.normals)


def _tie(anchor: Vec3) -> MeshPart:
    return _torus("Accent", anchor, "x" if abs(anchor[0]) > 0.03 else "z", 0.017, 0.007)


def _glasses() -> list[MeshPart]:
    t = ring_angles(36)
    x, y = superellipse(t, 2.6)
    xy = np.stack([x * 0.0265, y * 0.0205], -1) + EYE_CENTER + np.array([0.001, -0.0015])
    z = float(front_z(EYE_CENTER[0], EYE_CENTER[1])) + 0.008 - 0.22 * (xy[:, 0] - EYE_CENTER[0])
    rim = np.concatenate([xy, z[:, None]], -1)
    side = np.tile([0.0, 0.0, FRAME_RADIUS], (len(rim), 1))
    away = np.concatenate([xy - EYE_CENTER, np.zeros((len(xy), 1))], -1)
    away = FRAME_RADIUS * away / np.linalg.norm(away, axis=1, keepdims=True)
    frame = grid_part("Frame", tube(rim, side, away, superellipse(ring_angles(6))), {"head": 1.0})
    hinge = rim[np.argmax(xy[:, 0])]
    temple = np.stack(
        [
            hinge,
            hinge + np.array([0.016, 0.002, -0.012]),
            (0.0815, hinge[1] + 0.004, 0.010),
            (0.080, hinge[1] - 0.008, -0.012),
        ]
    )
    inner = rim[np.argmin(xy[:, 0])]
    bridge = np.stack([inner, (0.0, inner[1] + 0.004, inner[2] + 0.004), inner * [-1, 1, 1]])
    lens_xy = np.concatenate([[EYE_CENTER + np.array([0.001, -0.0015])], xy])
    lens_z = np.concatenate([[z.mean()], z])
    lens = np.concatenate([lens_xy, lens_z[:, None]], -1)
    fan = np.stack([np.zeros(len(rim) - 1, int), np.arange(1, len(rim)), np.arange(2, len(rim) + 1)], 1)
    glass = MeshPart(
        "Lens", lens, fan, np.full((len(lens), 2), 0.5), {"head": np.ones(len(lens))}, smooth_normals(lens, fan)
    )
    half = [_outward(frame, rim.mean(0)), _wire(temple), glass]
    return [*half, *(mirrored(p) for p in half), _wire(bridge)]


def _wire(path: np.ndarray) -> MeshPart:
    _, side, normal = frames_along(path, (0.0, 1.0, 0.0))
    points = tube(path, side * FRAME_RADIUS, normal * FRAME_RADIUS, superellipse(ring_angles(6)))
    t = grid_triangles(*points.shape[:2])
    flat = points.reshape(-1, 3)
    n = flat - np.repeat(path, points.shape[1], 0)
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    q = flat[t]
    if np.sum(np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]) * n[t[:, 0]]) < 0:
        t = t[:, ::-1].copy()
    return MeshPart("Frame", flat, t, np.full((len(flat), 2), 0.5), {"head": np.ones(len(flat))}, n)


def _clips() -> list[MeshPart]:
    """Two crossed bars over the left temple."""
    parts = []
    for h0, h1 in ((0.98, 1.10), (1.10, 0.98)):
        path = shell(np.linspace(46, 62, 7), np.linspace(h0, h1, 7), 0.0265)
        out = path - SKULL
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        tangent = np.gradient(path, axis=0)
        across = np.cross(out, tangent)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        taper = np.array([0.25, 0.9, 1, 1, 1, 0.9, 0.25])[:, None]
        points = tube(path, across * 0.0042 * taper, out * 0.0020 * taper, superellipse(ring_angles(10), 3.0))
        parts.append(_outward(grid_part("Accent", points, {"head": 1.0}), path.mean(0)))
    return parts


def add_accessory_materials(lib: MaterialLibrary, p: Palette, name: str) -> None:
    """Add the materials that an accessory needs beyond the outfit's."""
    if name != "glasses":
        return
    frame = (0.23, 0.13, 0.15)
    lib.add(
        Material(
            "Frame", "mtoon", (*linear(frame), 1.0), mtoon=toon(frame, 0, shade_color_factor=linear((0.14, 0.08, 0.11)))
        )
    )
    lib.add(
        Material(
            "Lens", "mtoon", white(0.14), alpha_mode="BLEND", mtoon=toon(p.white, 0, transparent_with_z_write=False)
        )
    )
