"""The thumbnail: the character's face splatted orthographically from its own triangles and textures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image

from vrm_synth.avatar.demo.materials import Library
from vrm_synth.avatar.demo.part import Part
from vrm_synth.avatar.demo.textures import Pixels
from vrm_synth.core.transforms import Array

SIZE, OVER = 256, 2


def portrait(groups: Mapping[str, Sequence[Part]], lib: Library) -> Pixels:
    """(256, 256, 4) uint8: head and shoulders from the front, in flat lit colours."""
    n = SIZE * OVER
    face = np.concatenate([p.positions for p in groups["Face"]])
    top, low = face[:, 1].max(), face[:, 1].min()
    half = (top - low) * 0.78
    middle = np.array([0.0, (top + low) / 2 + 0.02 * (top - low)])
    depth = np.full((n, n), -np.inf)
    color = np.tile(np.array([0.86, 0.90, 0.97]), (n, n, 1))
    parts = [p for name in ("Body", "Hair", "Face") for p in groups[name]]
    opaque = [p for p in parts if lib.materials[lib.index()[p.material]].alpha_mode != "BLEND"]
    for part in [*opaque, *(p for p in parts if not any(p is o for o in opaque))]:
        _splat(part, lib, middle, half, depth, color)
    small = PIL.Image.fromarray(np.round(np.clip(color, 0, 1) * 255).astype(np.uint8)).resize(
        (SIZE, SIZE), PIL.Image.Resampling.BOX
    )
    rgb = np.asarray(small)
    return np.concatenate([rgb, np.full((SIZE, SIZE, 1), 255, np.uint8)], -1)


def _splat(part: Part, lib: Library, middle: Array, half: float, depth: Array, color: Array) -> None:
    n = len(depth)
    scale = n / (2 * half)
    corners = part.positions[part.triangles]
    xy = (corners[..., :2] - middle) * [scale, -scale] + n / 2
    edge = np.maximum(np.ptp(xy[..., 0], 1), np.ptp(xy[..., 1], 1))
    front = part.normals[part.triangles[:, 0]][:, 2] > -0.3
    seen = front & (xy.max((1, 2)) > 0) & (xy.min((1, 2)) < n)
    # enough barycentric samples that neighbours lie less than a pixel apart
    for level in (2, 4, 8, 16, 32, 64):
        pick = seen & (edge <= level) & ((edge > level / 2) | (level == 2))
        if pick.any():
            i, j = np.meshgrid(np.arange(level + 1), np.arange(level + 1))
            keep = i + j <= level
            u, v = (i[keep] / level)[None, :], (j[keep] / level)[None, :]
            bary = np.stack([1 - u - v, u, v], -1)[0]
            _plot(part, part.triangles[pick], bary, lib, middle, scale, depth, color)


def _plot(
    part: Part, triangles: Array, bary: Array, lib: Library, middle: Array, scale: float, depth: Array, color: Array
) -> None:
    n = len(depth)
    p = np.einsum("kb,tbc->tkc", bary, part.positions[triangles]).reshape(-1, 3)
    uv = np.einsum("kb,tbc->tkc", bary, part.uvs[triangles]).reshape(-1, 2)
    col = np.floor((p[:, 0] - middle[0]) * scale + n / 2).astype(int)
    row = np.floor(n / 2 - (p[:, 1] - middle[1]) * scale).astype(int)
    inside = (col >= 0) & (col < n) & (row >= 0) & (row < n)
    p, uv, at = p[inside], uv[inside], (row * n + col)[inside]
    order = np.argsort(p[:, 2], kind="stable")
    p, uv, at = p[order], uv[order], at[order]
    last = np.unique(at[::-1], return_index=True)
    chosen = len(at) - 1 - last[1]
    at, z, uv = last[0], p[chosen, 2], uv[chosen]
    nearer = z > depth.reshape(-1)[at]
    at, z, uv = at[nearer], z[nearer], uv[nearer]
    rgb, alpha, solid = _sample(part.material, lib, uv)
    shown = alpha > 0.5 if solid else alpha > 0.01
    flat = color.reshape(-1, 3)
    a = np.ones_like(alpha[shown])[:, None] if solid else alpha[shown][:, None]
    flat[at[shown]] = flat[at[shown]] * (1 - a) + rgb[shown] * a
    depth.reshape(-1)[at[shown]] = z[shown]


def _sample(name: str, lib: Library, uv: Array) -> tuple[Array, Array, bool]:
    m = lib.materials[lib.index()[name]]
    factor = np.array(m.base_color_factor)
    rgb = np.broadcast_to(np.clip(factor[:3], 0, 1) ** (1 / 2.2), (len(uv), 3))
    alpha = np.full(len(uv), factor[3])
    if m.base_color_texture is not None:
        t = m.base_color_texture
        pixels = lib.images[lib.textures[t.texture].image].pixels
        h, w = pixels.shape[:2]
        s = uv * t.scale + t.offset
        x, y = (np.floor((s % 1.0) * [w, h]).astype(int) % [w, h]).T
        rgb, alpha = rgb * pixels[y, x, :3] / 255, alpha * pixels[y, x, 3] / 255
    return rgb, alpha, m.alpha_mode != "BLEND"
