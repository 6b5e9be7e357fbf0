"""Orthographic pictures of an avatar's rest surface on the CPU: which triangle, with which UV, each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.orthographic import fragments, view_axes
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import part_colors
from vrm_synth.parts.surface import Surface

FILLED = 0.96  # share of the picture's side that the framed triangles take


@dataclass(frozen=True, eq=False)
class RestPicture:
    """An orthographic view of an avatar at rest; arrays have the top row first.

    triangle: (H, W) int32, −1 for the background.
    uv: (H, W, 2) float32, as the file has it.
    position: (H, W, 3) float32, world metres; NaN for the background.
    rgb: (H, W, 3) uint8, unlit color; white for the background.
    """

    triangle: NDArray[np.int32]
    uv: NDArray[np.float32]
    position: NDArray[np.float32]
    rgb: NDArray[np.uint8]


def draw_at_rest(
    surface: Surface, regions: ColorRegions, degrees: float, framed: NDArray[np.bool_], side: int
) -> RestPicture:
    """The view from `degrees` about +Y (0: from the front), which shows the triangles of `framed` (T,) whole."""
    right, above, toward = view_axes(degrees, 0.0)
    flat = surface.corners @ np.stack([right, -above, toward], 1)
    low, high = flat[framed][..., :2].min((0, 1)), flat[framed][..., :2].max((0, 1))
    scale = side * FILLED / max(float((high - low).max()), 1e-9)
    flat[..., :2] = (flat[..., :2] - (low + high) / 2) * scale + side / 2
    uvs, colors, material = regions.uvs, regions.colors, surface.triangles.material_of
    depth = np.full(side * side, -np.inf)
    triangle = np.full(side * side, -1, np.int32)
    weights = np.zeros((side * side, 3))
    for t, pixel, w in fragments(flat, side):
        z = np.einsum("nk,nk->n", w, flat[t, :, 2])
        shown = np.zeros(len(t), np.bool_)
        uv = np.einsum("nk,nkc->nc", w, uvs[t])
        for m, c in colors.items():
            here = material[t] == m
            shown[here] = c.drawn[c.texels(uv[here])]
        t, pixel, w, z = t[shown], pixel[shown], w[shown], z[shown]
        order = np.lexsort((z, pixel))
        t, pixel, w, z = t[order], pixel[order], w[order], z[order]
        kept = np.append(pixel[1:] != pixel[:-1], True) & (z >= depth[pixel])  # the nearest of each pixel
        depth[pixel[kept]], triangle[pixel[kept]], weights[pixel[kept]] = z[kept], t[kept], w[kept]
    hit = triangle >= 0
    own, w = triangle[hit], weights[hit]
    uv, position, rgb = np.zeros((side**2, 2)), np.full((side**2, 3), np.nan), np.full((side**2, 3), 255, np.uint8)
    uv[hit] = np.einsum("nk,nkc->nc", w, uvs[own])
    position[hit] = np.einsum("nk,nkc->nc", w, surface.corners[own])
    for m, c in colors.items():
        here = np.flatnonzero(hit)[material[own] == m]
        rgb[here] = c.pixels[c.texels(uv[here])]
    shape = (side, side)
    return RestPicture(
        triangle.reshape(shape),
        uv.reshape(*shape, 2).astype(np.float32),
        position.reshape(*shape, 3).astype(np.float32),
        rgb.reshape(*shape, 3),
    )


def painted(picture: RestPicture, labels: PartLabels) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the labels of a rest picture in their colors, on white."""
    label = labels.at(picture.triangle, picture.uv)
    return np.where((picture.triangle >= 0)[..., None], part_colors()[label], 255).astype(np.uint8)
