"""Textures and samplers of one avatar on the GPU."""

from __future__ import annotations

import moderngl
import numpy as np

from vrm_synth.avatar.model import Avatar, Sampler, Texture
from vrm_synth.core.errors import RenderError
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
NEAREST, LINEAR, REPEAT = 9728, 9729, 10497
_WITHOUT_MIPS = {9984: NEAREST, 9985: LINEAR, 9986: NEAREST, 9987: LINEAR}


class TextureStore:
    """Uploads each image once per colour space, and makes each sampler once."""

    def __init__(self, ctx: moderngl.Context, avatar: Avatar):
        self._ctx, self._avatar = ctx, avatar
        self._textures: dict[tuple[int, bool], moderngl.Texture] = {}
        self._samplers: dict[tuple[Sampler, bool], moderngl.Sampler] = {}
        self._limit = ctx.info["GL_MAX_TEXTURE_SIZE"]

    def bind(self, texture: Texture, unit: int, srgb: bool, mipmaps: bool) -> None:
        """Make `texture` current on a texture unit."""
        self._texture(texture.image, srgb).use(unit)
        self._sampler(texture.sampler, mipmaps).use(unit)

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
            texture = self._ctx.texture((width, height), 4, pixels, internal_format=internal_format)
            self._ctx.extra.add_levels(texture.glo, internal_format, mip_chain(pixels, srgb))
            self._textures[key] = texture
        return self._textures[key]

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
