"""Textures and samplers of one avatar on the GPU."""

from __future__ import annotations

from collections.abc import Sequence

import moderngl
import numpy as np
from numpy.typing import NDArray

from vrm_synth.avatar.model import Avatar, Sampler, Texture
from vrm_synth.core.errors import RenderError
from vrm_synth.render.gl.mip_cache import MipCache
from vrm_synth.render.gl.mips import mip_chain

# Slots that hold colour are stored as sRGB and decoded by the sampler; the others hold plain numbers
# (MToon 1.0: shading shift, outline width and UV mask are linear; glTF: normals, metallic-roughness,
# occlusion).
COLOR_SLOTS = frozenset(
    {"base_color_texture", "emissive_texture", "shade_multiply_texture", "matcap_texture", "rim_multiply_texture"}
)
# three-vrm decodes the shading shift texture as sRGB, too.
COLOR_SLOTS_THREE_VRM = COLOR_SLOTS | {"shading_shift_texture"}
SRGB8_ALPHA8, RGBA8 = 0x8C43, 0x8058
ROOM_TO_LOOK_CLOSER = 4
WORTH_KEEPING = 1 << 20  # bytes; the chain of less is made faster than it is found
NEAREST, LINEAR, REPEAT = 9728, 9729, 10497
_WITHOUT_MIPS = {9984: NEAREST, 9985: LINEAR, 9986: NEAREST, 9987: LINEAR}


def skipped_levels(side: int, longest: int | None) -> int:
    """How many of a texture's levels, from the top, a drawing of `longest` samples a side can do without.

    side: of the texture. It keeps ROOM_TO_LOOK_CLOSER times the texels that the whole drawing has samples.
    """
    skipped = 0
    while longest is not None and side >> (skipped + 1) >= ROOM_TO_LOOK_CLOSER * longest:
        skipped += 1
    return skipped


class TextureStore:
    """Uploads each image once per colour space, no larger than its pictures need, and makes each sampler once."""

    def __init__(self, ctx: moderngl.Context, avatar: Avatar, mips: MipCache | None = None):
        self._ctx, self._avatar, self._mips = ctx, avatar, mips
        self._textures: dict[tuple[int, bool, int], moderngl.Texture] = {}
        self._samplers: dict[tuple[Sampler, bool], moderngl.Sampler] = {}
        self._limit = ctx.info["GL_MAX_TEXTURE_SIZE"]

    def get(self, texture: Texture, srgb: bool, longest: int | None) -> tuple[moderngl.Texture, moderngl.Sampler]:
        """What shows `texture` in a drawing of `longest` samples a side; None: without mips."""
        return self._texture(texture.image, srgb, longest), self._sampler(texture.sampler, longest is not None)

    def _texture(self, image_index: int, srgb: bool, longest: int | None) -> moderngl.Texture:
        image = self._avatar.images[image_index]
        skipped = 0 if image is None else skipped_levels(max(image.pixels.shape[:2]), longest)
        key = (image_index, srgb, skipped)
        if key not in self._textures:
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
            top, *below = [pixels, *self._chain(image_index, pixels, srgb)][skipped:]
            texture = self._ctx.texture(top.shape[1::-1], 4, top, internal_format=internal_format)
            self._ctx.extra.add_levels(texture.glo, internal_format, below)
            self._textures[key] = texture
        return self._textures[key]

    def _chain(self, image_index: int, pixels: NDArray[np.uint8], srgb: bool) -> Sequence[NDArray[np.uint8]]:
        if self._mips is None or pixels.nbytes < WORTH_KEEPING:
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
        """Free the GPU's copies."""
        for texture in self._textures.values():
            texture.release()
        for sampler in self._samplers.values():
            sampler.release()
        self._textures.clear()
        self._samplers.clear()
