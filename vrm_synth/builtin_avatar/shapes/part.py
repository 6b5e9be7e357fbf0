"""The type MeshPart, a piece of surface with skin weights and morph targets, and its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from vrm_synth.builtin_avatar.shapes.loft import Ints, drop_degenerate, grid_triangles, grid_uv, smooth_normals
from vrm_synth.core.transforms import Array


@dataclass(frozen=True, eq=False)
class MeshPart:
    """A piece of surface with V vertices and T triangles, of one material.

    Attributes:
        material: name of its material.
        positions: (V, 3) float64, meters.
        triangles: (T, 3) vertex indices.
        uvs: (V, 2), v down.
        weights: joint name → (V,) weight, any positive scale.
        normals: (V, 3) unit vectors.
        morphs: morph target name → (V, 3) displacement, meters.
    """

    material: str
    positions: Array
    triangles: Ints
    uvs: Array
    weights: Mapping[str, Array]
    normals: Array
    morphs: Mapping[str, Array] = field(default_factory=dict)


def make_part(
    material: str,
    positions: ArrayLike,
    triangles: Ints,
    weights: Mapping[str, ArrayLike],
    uvs: ArrayLike | None = None,
    normals: ArrayLike | None = None,
    morphs: Mapping[str, Array] | None = None,
) -> MeshPart:
    """Build a MeshPart with broadcast weights, smooth normals unless given, and no degenerate triangles."""
    p = np.asarray(positions, np.float64).reshape(-1, 3)
    triangles = drop_degenerate(p, np.asarray(triangles, np.int64))
    n = smooth_normals(p, triangles) if normals is None else np.asarray(normals, np.float64).reshape(-1, 3)
    uv = np.full((len(p), 2), 0.5) if uvs is None else np.asarray(uvs, np.float64).reshape(-1, 2)
    full = {j: np.broadcast_to(np.asarray(w, np.float64), (len(p),)).copy() for j, w in weights.items()}
    return MeshPart(material, p, triangles, uv, full, n, dict(morphs or {}))


def grid_part(
    material: str,
    points: Array,
    weights: Mapping[str, ArrayLike],
    *,
    box: tuple[float, float, float, float] = (0, 0, 1, 1),
    flip: bool = False,
    normals: Array | None = None,
) -> MeshPart:
    """Build a MeshPart from a grid of points (R, C, 3); weights are (R, C) or broadcast to it."""
    rows, columns = points.shape[:2]
    flat = {j: np.broadcast_to(np.asarray(w, np.float64), (rows, columns)).reshape(-1) for j, w in weights.items()}
    return make_part(
        material, points, grid_triangles(rows, columns, flip), flat, grid_uv(rows, columns, box), normals=normals
    )


def mirrored(part: MeshPart) -> MeshPart:
    """Mirror a part to the other side: x negated, left joints and targets swapped for right."""
    flip = np.array([-1.0, 1.0, 1.0])
    return replace(
        part,
        positions=part.positions * flip,
        normals=part.normals * flip,
        triangles=part.triangles[:, ::-1].copy(),
        weights={other_side(j): w for j, w in part.weights.items()},
        morphs={other_side(k): d * flip for k, d in part.morphs.items()},
    )


def other_side(name: str) -> str:
    """Swap left and right in a name: leftHand ↔ rightHand, blinkLeft ↔ blinkRight; other names are unchanged."""
    for a, b in (("left", "right"), ("Left", "Right")):
        for x, y in ((a, b), (b, a)):
            if x in name:
                return name.replace(x, y)
    return name


def join(parts: Sequence[MeshPart]) -> MeshPart:
    """Join parts of one material into one MeshPart."""
    counts = np.cumsum([0] + [len(p.positions) for p in parts])
    total = int(counts[-1])

    def scatter(key: str, name: str, shape: tuple[int, ...]) -> Array:
        out = np.zeros(shape)
        for p, start in zip(parts, counts, strict=False):
            value = getattr(p, key).get(name)
            if value is not None:
                out[start : start + len(p.positions)] = value
        return out

    joints = sorted({j for p in parts for j in p.weights})
    targets = sorted({t for p in parts for t in p.morphs})
    return MeshPart(
        parts[0].material,
        np.concatenate([p.positions for p in parts]),
        np.concatenate([p.triangles + start for p, start in zip(parts, counts, strict=False)]),
        np.concatenate([p.uvs for p in parts]),
        {j: scatter("weights", j, (total,)) for j in joints},
        np.concatenate([p.normals for p in parts]),
        {t: scatter("morphs", t, (total, 3)) for t in targets},
    )


def by_material(parts: Sequence[MeshPart]) -> list[MeshPart]:
    """Join parts into one MeshPart per material, in the order in which the materials first appear."""
    names = list(dict.fromkeys(p.material for p in parts))
    return [join([p for p in parts if p.material == name]) for name in names]


def top_four(weights: Mapping[str, Array], joint_index: Mapping[str, int]) -> tuple[Array, Array]:
    """Return (joints (V, 4) int, weights (V, 4) that sum to 1) from weights by joint name.

    Unused slots hold joint 0 with weight 0, as glTF asks.
    """
    names = list(weights)
    table = np.stack([weights[n] for n in names], 1)
    table = np.concatenate([table, np.zeros((len(table), max(0, 4 - table.shape[1])))], 1)
    order = np.argsort(-table, axis=1, kind="stable")[:, :4]
    w = np.take_along_axis(table, order, 1)
    w = np.where(w < 1e-4 * w.sum(1, keepdims=True), 0.0, w)
    w = w / w.sum(1, keepdims=True)
    index = np.array([joint_index[n] for n in names] + [0] * 4)[order]
    return np.where(w > 0, index, 0), w
