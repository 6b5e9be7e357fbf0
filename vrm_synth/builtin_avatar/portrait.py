"""Draw the thumbnail: the head from the front, triangles painted back to front in flat colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw

from vrm_synth.builtin_avatar.shapes.part import MeshPart
from vrm_synth.builtin_avatar.surface.painted_textures import Pixels
from vrm_synth.builtin_avatar.surface.toon_materials import MaterialLibrary
from vrm_synth.core.transforms import Array

SIZE = 256  # pixels
SUPERSAMPLING = 2


def portrait(groups: Mapping[str, Sequence[MeshPart]], lib: MaterialLibrary) -> Pixels:
    """Draw head and shoulders, orthographic and unshaded: (256, 256, 4) uint8 RGBA."""
    n = SIZE * SUPERSAMPLING
    face = np.concatenate([p.positions for p in groups["Face"]])
    top, low = face[:, 1].max(), face[:, 1].min()
    scale = n / (1.5 * (top - low))
    middle = np.array([0.0, (top + low) / 2])
    polygons, colors, depths = [], [], []
    for part in (p for name in ("Body", "Hair", "Face") for p in groups[name]):
        corners = part.positions[part.triangles]
        xy = (corners[..., :2] - middle) * [scale, -scale] + n / 2
        visible = (xy.max(1) > 0).all(1) & (xy.min(1) < n).all(1) & (part.normals[part.triangles].mean(1)[:, 2] > -0.2)
        rgb, alpha = _colors(part, part.triangles[visible], lib)
        solid = alpha > 0.5
        polygons.append(xy[visible][solid])
        colors.append(rgb[solid])
        depths.append(corners[visible][solid][..., 2].mean(1))
    picture = PIL.Image.new("RGB", (n, n), (220, 230, 248))
    draw = PIL.ImageDraw.Draw(picture)
    shapes = np.concatenate(polygons).reshape(-1, 6)
    inks = np.concatenate(colors)
    for k in np.argsort(np.concatenate(depths), kind="stable"):
        draw.polygon(shapes[k].tolist(), fill=tuple(inks[k].tolist()))
    small = np.asarray(picture.resize((SIZE, SIZE), PIL.Image.Resampling.BOX))
    return np.concatenate([small, np.full((SIZE, SIZE, 1), 255, np.uint8)], -1)


def _colors(part: MeshPart, triangles: Array, lib: MaterialLibrary) -> tuple[Array, Array]:
    """(rgb (T, 3) uint8, alpha (T,)) at the triangles' middles."""
    m = lib.materials[lib.index()[part.material]]
    factor = np.array(m.base_color_factor)
    rgb = np.broadcast_to(np.clip(factor[:3], 0, 1) ** (1 / 2.2), (len(triangles), 3))
    alpha = np.full(len(triangles), factor[3])
    if m.base_color_texture is not None:
        t = m.base_color_texture
        pixels = lib.images[lib.textures[t.texture].image].pixels
        h, w = pixels.shape[:2]
        uv = part.uvs[triangles].mean(1) * t.scale + t.offset
        x, y = (np.floor((uv % 1.0) * [w, h]).astype(int) % [w, h]).T
        rgb, alpha = rgb * pixels[y, x, :3] / 255, alpha * pixels[y, x, 3] / 255
    return np.round(rgb * 255).astype(np.uint8), alpha
