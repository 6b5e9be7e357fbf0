"""The unlit color of a material at a point of its surface: base color texture × factor, wrapped as the sampler does."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.color import linear_from_srgb, srgb_from_linear
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Material, Sampler, TextureInfo
from vrm_synth.vrm.avatar import Avatar

_CLAMP, _MIRROR = 33071, 33648  # OpenGL's enumerants; anything else repeats


@dataclass(frozen=True, eq=False)
class TextureColors:
    """The base color of one material.

    pixels: (H, W, 3) uint8 sRGB with the factor applied, top row first; (1, 1, 3) without a texture.
    drawn: (H, W) bool, False where alpha leaves the material undrawn.
    info: transform of UVs and their set; None without a texture.
    sampler: how UVs outside 0..1 wrap.
    """

    pixels: NDArray[np.uint8]
    drawn: NDArray[np.bool_]
    info: TextureInfo | None = None
    sampler: Sampler = field(default_factory=Sampler)

    @property
    def reads_set_zero(self) -> bool:
        """True where the color of a point follows from its UV of set 0."""
        return self.info is None or self.info.tex_coord == 0

    def texels(self, uv: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(row, column) of the texels at `uv` (…, 2), as the file has it; UVs that are not finite count as 0."""
        height, width = self.drawn.shape
        if self.info is None:
            return np.zeros(uv.shape[:-1], np.intp), np.zeros(uv.shape[:-1], np.intp)
        c, s = np.cos(self.info.rotation), np.sin(self.info.rotation)
        x, y = (_finite(uv[..., k]) * self.info.scale[k] for k in (0, 1))
        u = _wrapped(_finite(c * x + s * y + self.info.offset[0]), self.sampler.wrap_s)
        v = _wrapped(_finite(c * y - s * x + self.info.offset[1]), self.sampler.wrap_t)
        return (np.minimum(v * height, height - 1).astype(np.intp), np.minimum(u * width, width - 1).astype(np.intp))


def texture_colors(avatar: Avatar, material: Material) -> TextureColors:
    """Read a material's base color. Where the image was not decoded, the factor alone counts."""
    factor = np.array(material.base_color_factor)
    info = material.base_color_texture
    image = None if info is None else avatar.images[avatar.textures[info.texture].image]
    least = material.alpha_cutoff if material.alpha_mode == "MASK" else 0.5 if material.alpha_mode == "BLEND" else -1.0
    if info is None or image is None:
        rgb = np.round(255 * srgb_from_linear(np.clip(factor[:3], 0, 1))).astype(np.uint8)
        return TextureColors(rgb.reshape(1, 1, 3), np.full((1, 1), factor[3] >= least))
    levels = srgb_from_linear(linear_from_srgb(np.arange(256) / 255)[:, None] * np.clip(factor[:3], 0, 1))
    table = np.round(255 * levels).astype(np.uint8)  # (256, 3)
    pixels = np.stack([table[image.pixels[..., k], k] for k in range(3)], -1)
    alpha = image.pixels[..., 3] / 255 * factor[3]
    return TextureColors(pixels, alpha >= least, info, avatar.textures[info.texture].sampler)


def _finite(x: Array) -> Array:
    return np.where(np.abs(x) < 1e9, x, 0.0)  # NaN is not less


def _wrapped(x: Array, mode: int) -> Array:
    if mode == _CLAMP:
        return np.clip(x, 0.0, 1.0)
    if mode == _MIRROR:
        return 1.0 - np.abs(np.mod(x, 2.0) - 1.0)
    return np.mod(x, 1.0)
