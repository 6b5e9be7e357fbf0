"""Regions of one color on an avatar's surface: what a person who looks at it sees as one patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.palette import NO_CLUSTER, ColorPalette, find_palette
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.texture_colors import TextureColors, texture_colors
from vrm_synth.vrm.avatar import Avatar

SUBDIVISIONS = (1, 2, 4, 8, 16)  # a triangle is sampled at the centers of n² equal ones
MOST_SAMPLES = 4_000_000
TEXELS_A_SAMPLE = 6.0  # texels that a sample stands for where the limit allows it
CODES = 256  # clusters of a triangle are numbered triangle · CODES + cluster
EDGE_POINTS = np.array([0.08, 0.29, 0.5, 0.71, 0.92])  # where along an edge the colors of both sides are compared
OWN_WEIGHT = 0.02  # weight of one primitive's colors beside those of all
INSET = 0.04  # how far from the edge, as a share of the triangle

Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ColorRegions:
    """N cells (all of one triangle that has one color) in R regions: cells of one color that touch.

    palette: the colors.
    clusters: material → (H, W) uint8, cluster of each texel of its base color texture; (1, 1) without a texture.
    colors: material → its base color.
    code: (N,) int64, triangle · CODES + cluster of each cell, ascending.
    area: (N,) square metres.
    center: (N, 3) mean position of the cell, world metres.
    low, high: (N, 3) box around the cell, world metres.
    region: (N,) int32, region of each cell.
    cluster: (R,) cluster of each region.
    uvs: (T, 3, 2) texture coordinates of the triangles' corners, as the file has them.
    """

    palette: ColorPalette
    clusters: dict[int, NDArray[np.uint8]]
    colors: dict[int, TextureColors]
    code: NDArray[np.int64]
    area: Array
    center: Array
    low: Array
    high: Array
    region: Ids
    cluster: NDArray[np.intp]
    uvs: Array

    @property
    def triangle(self) -> NDArray[np.intp]:
        """(N,) triangle of each cell."""
        return (self.code // CODES).astype(np.intp)

    @property
    def color(self) -> NDArray[np.intp]:
        """(N,) cluster of each cell."""
        return (self.code % CODES).astype(np.intp)


def find_color_regions(avatar: Avatar, surface: Surface) -> ColorRegions:
    """Sample the base colors of all drawn triangles and group them into regions."""
    material_of = surface.triangles.material_of
    colors = {int(m): texture_colors(avatar, avatar.materials[m]) for m in np.unique(material_of)}
    uvs = corner_uvs(avatar, surface)
    triangle, weights = _sample_points(surface, uvs, colors)
    rgb, drawn = _look_up(colors, material_of, triangle, np.einsum("nk,nkc->nc", weights, uvs[triangle]))
    share = surface.area[triangle] / np.maximum(np.bincount(triangle, minlength=len(material_of)), 1)[triangle]
    palette = find_palette(rgb[drawn], _palette_weight(surface, triangle[drawn], share[drawn]))
    clusters = {m: np.where(c.drawn, palette.nearest(c.pixels), NO_CLUSTER).astype(np.uint8) for m, c in colors.items()}
    cluster = np.where(drawn, palette.nearest(rgb), NO_CLUSTER)
    kept = cluster != NO_CLUSTER
    positions = np.einsum("nk,nkc->nc", weights[kept], surface.corners[triangle[kept]])
    codes, back = np.unique(triangle[kept].astype(np.int64) * CODES + cluster[kept], return_inverse=True)
    area = sum_by(back, share[kept], len(codes))
    center = np.stack([sum_by(back, share[kept] * positions[:, k], len(codes)) for k in range(3)], -1)
    low, high = np.full((len(codes), 3), np.inf), np.full((len(codes), 3), -np.inf)
    np.minimum.at(low, back, positions)
    np.maximum.at(high, back, positions)
    region = _join(surface, uvs, colors, clusters, codes)
    first = np.unique(region, return_index=True)[1]
    return ColorRegions(
        palette=palette,
        clusters=clusters,
        colors=colors,
        code=codes,
        area=area,
        center=center / np.maximum(area, 1e-30)[:, None],
        low=low,
        high=high,
        region=region,
        cluster=(codes[first] % CODES).astype(np.intp),
        uvs=uvs,
    )


def _palette_weight(surface: Surface, triangle: NDArray[np.intp], area: Array) -> Array:
    """(S,) weight of samples by area, with some for every primitive, so that an iris has its colors, too."""
    primitive = surface.triangles.primitive_of[triangle]
    own = sum_by(primitive, area, len(surface.triangles.primitives))
    return area / max(float(area.sum()), 1e-30) + OWN_WEIGHT * area / np.maximum(own, 1e-30)[primitive]


def corner_uvs(avatar: Avatar, surface: Surface) -> Array:
    """(T, 3, 2) the texture coordinates that the base color reads; zeros where a primitive has none."""
    parts = [np.zeros((0, 3, 2))]
    for p in surface.triangles.primitives:
        info = avatar.materials[p.material].base_color_texture
        k = 0 if info is None else info.tex_coord
        known = k < len(p.tex_coords)
        parts.append(p.tex_coords[k][p.indices].astype(np.float64) if known else np.zeros((len(p.indices), 3, 2)))
    return np.concatenate(parts)


def _sample_points(surface: Surface, uvs: Array, colors: dict[int, TextureColors]) -> tuple[NDArray[np.intp], Array]:
    """(S,) triangle and (S, 3) barycentric weights of the points at which colors are looked up."""
    sides = np.array([[1, 1]] * (1 + max(colors, default=0)))
    for m, c in colors.items():
        sides[m] = c.drawn.shape[::-1] if c.info is not None else (0, 0)
    scale = sides[surface.triangles.material_of]
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = ((uvs[:, k] - uvs[:, 0]) * scale for k in (1, 2))
        texels = np.nan_to_num(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2, nan=0.0, posinf=1e9)
    wanted = np.sqrt(texels / TEXELS_A_SAMPLE)
    step = np.maximum(np.searchsorted(SUBDIVISIONS[:-1], wanted), 1)
    while step.any() and (np.array(SUBDIVISIONS)[step] ** 2).sum() > MOST_SAMPLES:
        step = np.maximum(step - 1, 0)  # many large triangles on one texture: fewer samples each
    triangle, weights = [np.zeros(0, np.intp)], [np.zeros((0, 3))]
    for k, n in enumerate(SUBDIVISIONS):
        chosen = np.flatnonzero(step == k)
        points = _subdivided(n)
        triangle.append(np.repeat(chosen, len(points)))
        weights.append(np.tile(points, (len(chosen), 1)))
    return np.concatenate(triangle), np.concatenate(weights)


def _subdivided(n: int) -> Array:
    """(n², 3) barycentric centers of the n² equal triangles of a triangle."""
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    up, down = i + j < n, i + j < n - 1
    u = np.concatenate([(i[up] + 1 / 3) / n, (i[down] + 2 / 3) / n])
    v = np.concatenate([(j[up] + 1 / 3) / n, (j[down] + 2 / 3) / n])
    return np.stack([1 - u - v, u, v], -1)


def _look_up(
    colors: dict[int, TextureColors], material_of: Ids, triangle: NDArray[np.intp], uv: Array
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rgb, drawn = np.zeros((len(triangle), 3), np.uint8), np.zeros(len(triangle), np.bool_)
    for m, c in colors.items():
        here = np.flatnonzero(material_of[triangle] == m)
        at = c.texels(uv[here])
        rgb[here], drawn[here] = c.pixels[at], c.drawn[at]
    return rgb, drawn


def _join(
    surface: Surface,
    uvs: Array,
    colors: dict[int, TextureColors],
    clusters: dict[int, NDArray[np.uint8]],
    codes: NDArray[np.int64],
) -> Ids:
    """(N,) region of each cell: cells of neighbors are one where their shared edge has the cell's color on both."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = surface.neighbors
    sides = _edge_clusters(surface, uvs, colors, clusters)
    same = (sides[0] == sides[1]) & (sides[0] != NO_CLUSTER)
    edge, _ = np.nonzero(same)
    left, right = (pairs[edge, k].astype(np.int64) * CODES + sides[0][same] for k in (0, 1))
    a, b = np.searchsorted(codes, left), np.searchsorted(codes, right)
    last = max(len(codes) - 1, 0)
    if not len(codes):
        return np.zeros(0, np.int32)
    known = (codes[np.minimum(a, last)] == left) & (codes[np.minimum(b, last)] == right)
    a, b = a[known], b[known]
    graph = coo_array((np.ones(len(a), np.int32), (a, b)), shape=(len(codes), len(codes)))
    return connected_components(graph, directed=False)[1].astype(np.int32)


def _edge_clusters(
    surface: Surface, uvs: Array, colors: dict[int, TextureColors], clusters: dict[int, NDArray[np.uint8]]
) -> list[NDArray[np.uint8]]:
    """For both triangles of each pair, (E, len(EDGE_POINTS)): clusters along the shared edge, in the same order."""
    pairs, out = surface.neighbors, []
    span = np.maximum(np.ptp(surface.corners.reshape(-1, 3), axis=0).max(), 1e-9) if len(surface.corners) else 1.0
    for side in (0, 1):
        own, other = surface.corners[pairs[:, side]], surface.corners[pairs[:, 1 - side]]
        apart = np.linalg.norm(own[:, :, None] - other[:, None], axis=-1).min(2)  # (E, 3): small for shared corners
        apex = apart.argmax(1)
        ends = np.stack([(apex + 1) % 3, (apex + 2) % 3], 1)
        e = np.arange(len(pairs))[:, None]
        # The same direction on both sides: by the ends' positions, which are equal but for rounding.
        keys = np.round(own[e, ends] / (span * 1e-4)) @ np.array([1.0, 1e5, 1e10])
        ends = np.where((keys[:, :1] <= keys[:, 1:]), ends, ends[:, ::-1])
        uv = uvs[pairs[:, side]]
        start, end, top = uv[e[:, 0], ends[:, 0]], uv[e[:, 0], ends[:, 1]], uv[e[:, 0], apex]
        t = EDGE_POINTS[None, :, None]
        points = (start[:, None] * (1 - t) + end[:, None] * t) * (1 - INSET) + top[:, None] * INSET
        at_points = np.full(points.shape[:2], NO_CLUSTER, np.uint8)
        material = surface.triangles.material_of[pairs[:, side]]
        for m, c in colors.items():
            here = material == m
            at_points[here] = clusters[m][c.texels(points[here])]
        out.append(at_points)
    return out
