"""Textures and samplers of one avatar on the GPU.

Every texture has its level 0, whatever the size of the picture. A fragment's level of detail is the screen derivative
of its UV times the texture's size: where triangles have UVs that are points or small areas (a palette), it is level 0
even in a picture of 128 pixels, and a sampler without mipmaps always reads level 0. Levels that no sampler of the file
reads are not made: for a picture whose samplers have none, there is no chain.

Tried and left: not uploading the top levels of large textures.
- By size, down to four times the picture's samples: wrong for palettes and for samplers without mipmaps (at 256 pixels
  for 42 of 911 real avatars).
- By the smallest UV density of a texture's triangles at rest: proves nothing, because morphs and skins stretch
  triangles without bound, and cameras come as near as they like.
- By a bound of each picture (posed triangles in the frustum, the smaller singular value of texels a metre, metres a
  sample at the nearest depth): 3.7 to 13 CPU-ms a picture, for m_expressive, boombox7, boombox_export4 and the
  built-in avatar, where uploading a 2048² level takes 10 ms once. At 512² with 2 × 2 samples it allows to leave out
  level 0 of one real texture of six, in 2 pictures of 30; most textures have a triangle somewhere that needs it.

What it costs (llvmpipe, chains found in the cache, first picture and memory, by size / now): six textures of 4096²
with mipmaps at 128²: 79 / 516 ms, 44 / 546 MiB; at 512² with 2 × 2 samples, the default: 624 / 619 ms, 545 / 545 MiB.
Without mipmaps, which most exporters write, there is nothing to make: 626 / 304 ms, 545 / 394 MiB, and 1,600 / 310 ms
where no chain is found in the cache. boombox7 at 128²: 27 / 47 ms, 20 / 60 MiB; crimsom: 20 / 11 ms, 11 / 9 MiB.
"""

from __future__ import annotations

from collections.abc import Sequence

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import RenderError
from vrm_synth.gltf.model import Sampler, Texture
from vrm_synth.render.gl.mip_cache import MipCache
from vrm_synth.render.gl.mips import mip_chain
from vrm_synth.vrm.avatar import Avatar

# Slots that hold colour are stored as sRGB and decoded by the sampler; the others hold plain numbers
# (MToon 1.0: shading shift, outline width and UV mask are linear; glTF: normals, metallic-roughness,
# occlusion).
COLOR_SLOTS = frozenset(
    {"base_color_texture", "emissive_texture", "shade_multiply_texture", "matcap_texture", "rim_multiply_texture"}
)
# three-vrm decodes the shading shift texture as sRGB, too.
COLOR_SLOTS_THREE_VRM = COLOR_SLOTS | {"shading_shift_texture"}
SRGB8_ALPHA8, RGBA8 = 0x8C43, 0x8058
MIN_CACHED_BYTES = 1 << 20  # of a picture; a smaller one's chain is made faster than it is read
NEAREST, LINEAR, REPEAT = 9728, 9729, 10497
_WITHOUT_MIPS = {9984: NEAREST, 9985: LINEAR, 9986: NEAREST, 9987: LINEAR}  # minFilters that read mip levels


class TextureStore:
    """The textures and samplers of an avatar on the GPU: each image once per colour space, with the levels that its
    samplers read."""

    def __init__(self, ctx: moderngl.Context, avatar: Avatar, mips: MipCache | None = None):
        self._ctx, self._avatar, self._mips = ctx, avatar, mips
        self._mipmapped = {t.image for t in avatar.textures if t.sampler.min_filter in _WITHOUT_MIPS}
        self._textures: dict[tuple[int, bool], moderngl.Texture] = {}
        self._samplers: dict[tuple[Sampler, bool], moderngl.Sampler] = {}
        self._limit = ctx.info["GL_MAX_TEXTURE_SIZE"]

    def get(self, texture: Texture, srgb: bool, mipmaps: bool) -> tuple[moderngl.Texture, moderngl.Sampler]:
        """The GL texture and sampler of `texture`, uploaded when first used.

        srgb: it holds colour; mipmaps: False reads level 0 alone, whatever the sampler says. Raises RenderError.
        """
        return self._texture(texture.image, srgb), self._sampler(texture.sampler, mipmaps)

    def _texture(self, image_index: int, srgb: bool) -> moderngl.Texture:
        key = (image_index, srgb)
        if key not in self._textures:
            image = self._avatar.images[image_index]
            assert image is not None, "the loader decodes every image that a texture of a material names"
            height, width = image.pixels.shape[:2]
            if max(width, height) > self._limit:
                raise RenderError(
                    "texture larger than the driver can hold",
                    got=f"{width}×{height}",
                    allowed=f"up to {self._limit}",
                    where=f"{self._avatar.source}: images[{image_index}]",
                )
            internal_format = SRGB8_ALPHA8 if srgb else RGBA8
            pixels = np.ascontiguousarray(image.pixels)
            levels = self._chain(image_index, pixels, srgb) if image_index in self._mipmapped else ()
            texture = self._ctx.texture((width, height), 4, pixels, internal_format=internal_format)
            self._ctx.extra.add_levels(texture.glo, internal_format, levels)
            self._textures[key] = texture
        return self._textures[key]

    def _chain(self, image_index: int, pixels: NDArray[np.uint8], srgb: bool) -> Sequence[NDArray[np.uint8]]:
        if self._mips is None or pixels.nbytes < MIN_CACHED_BYTES:
            return mip_chain(pixels, srgb)
        key = f"{self._avatar.sha256}-{image_index}-{'srgb' if srgb else 'linear'}"
        return self._mips.chain(key, pixels.shape[:2], lambda: mip_chain(pixels, srgb))

    def _sampler(self, sampler: Sampler, mipmaps: bool) -> moderngl.Sampler:
        key = (sampler, mipmaps)
        if key not in self._samplers:
            low = sampler.min_filter if mipmaps else _WITHOUT_MIPS.get(sampler.min_filter, sampler.min_filter)
            # moderngl has no mirrored repeat: the shader folds the coordinate and the sampler clamps.
            self._samplers[key] = self._ctx.sampler(
                repeat_x=sampler.wrap_s == REPEAT, repeat_y=sampler.wrap_t == REPEAT, filter=(low, sampler.mag_filter)
            )
        return self._samplers[key]

    def release(self) -> None:
        """Free everything on the GPU."""
        for texture in self._textures.values():
            texture.release()
        for sampler in self._samplers.values():
            sampler.release()
        self._textures.clear()
        self._samplers.clear()
