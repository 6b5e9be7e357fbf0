"""Orthographic pictures of an avatar's rest surface on the CPU: which triangle, with which UV, each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.color_regions import corner_uvs
from vrm_synth.parts.orthographic import fragments
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.texture_colors import texture_colors
from vrm_synth.vrm.avatar import Avatar

SIDE = 512  # pixels
DEGREES = (0, 90, 180, 270, 35, 215)
HEAD_DEGREES = (0, 40, 320)


@dataclass(frozen=True, eq=False)
class RestPicture:
    """What one orthographic view shows.

    triangle: (H, W) int32, −1 for the background.
    uv: (H, W, 2) float32, as the file has it.
    position: (H, W, 3) float32, world metres.
    rgb: (H, W, 3) uint8, unlit color.
    """

    triangle: NDArray[np.int32]
    uv: NDArray[np.float32]
    position: NDArray[np.float32]
    rgb: NDArray[np.uint8]


def rest_pictures(avatar: Avatar, surface: Surface) -> list[RestPicture]:
    """The whole figure from six sides and the head from three, at rest."""
    everything = np.ones(len(surface.area), np.bool_)
    # Every triangle in the head's zone is framed, however far it sticks out.
    head = surface.in_zone("head", "eye")
    views = [(d, everything) for d in DEGREES] + [(d, head) for d in HEAD_DEGREES if head.any()]
    return [draw(avatar, surface, degrees, framed) for degrees, framed in views]


def draw(avatar: Avatar, surface: Surface, degrees: float, framed: NDArray[np.bool_], side: int = SIDE) -> RestPicture:
    """The view from `degrees` about +Y (0: from the front), which shows the triangles of `framed` (T,) whole."""
    a = np.radians(degrees)
    right, toward = np.array([np.cos(a), 0, -np.sin(a)]), np.array([np.sin(a), 0, np.cos(a)])
    flat = np.stack([surface.corners @ right, -surface.corners[..., 1], surface.corners @ toward], -1)
    low, high = flat[framed][..., :2].min((0, 1)), flat[framed][..., :2].max((0, 1))
    scale = side * 0.96 / max(float((high - low).max()), 1e-9)
    flat[..., :2] = (flat[..., :2] - (low + high) / 2) * scale + side / 2
    uvs = corner_uvs(avatar, surface)
    material = surface.triangles.material_of
    colors = {int(m): texture_colors(avatar, avatar.materials[m]) for m in np.unique(material)}
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
        last = np.append(pixel[1:] != pixel[:-1], True)
        t, pixel, w, z = t[last], pixel[last], w[last], z[last]
        nearer = z >= depth[pixel]
        depth[pixel[nearer]], triangle[pixel[nearer]], weights[pixel[nearer]] = z[nearer], t[nearer], w[nearer]
    hit = triangle >= 0
    t, w = triangle[hit], weights[hit]
    uv, position, rgb = np.zeros((side**2, 2)), np.full((side**2, 3), np.nan), np.full((side**2, 3), 255, np.uint8)
    uv[hit] = np.einsum("nk,nkc->nc", w, uvs[t])
    position[hit] = np.einsum("nk,nkc->nc", w, surface.corners[t])
    for m, c in colors.items():
        here = np.flatnonzero(hit)[material[t] == m]
        rgb[here] = c.pixels[c.texels(uv[here])]
    shape = (side, side)
    return RestPicture(
        triangle.reshape(shape),
        uv.reshape(*shape, 2).astype(np.float32),
        position.reshape(*shape, 3).astype(np.float32),
        rgb.reshape(*shape, 3),
    )
