"""Read glTF and MToon 1.0 materials (VRMC_materials_mtoon), textures and samplers."""

from __future__ import annotations

from typing import Any

import pygltflib

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.json_reader import JsonObject, out_of_range
from vrm_synth.gltf.model import Material, MToon, Sampler, Texture, TextureInfo, Vec3
from vrm_synth.gltf.oddities import Oddities

# MToon 1.0's fields by type → their names in the file. Defaults are those of model.MToon.
_MTOON_NUMBERS = {
    "shading_shift_factor": "shadingShiftFactor",
    "shading_toony_factor": "shadingToonyFactor",
    "gi_equalization_factor": "giEqualizationFactor",
    "rim_lighting_mix_factor": "rimLightingMixFactor",
    "parametric_rim_fresnel_power_factor": "parametricRimFresnelPowerFactor",
    "parametric_rim_lift_factor": "parametricRimLiftFactor",
    "outline_width_factor": "outlineWidthFactor",
    "outline_lighting_mix_factor": "outlineLightingMixFactor",
    "uv_animation_scroll_x_speed_factor": "uvAnimationScrollXSpeedFactor",
    "uv_animation_scroll_y_speed_factor": "uvAnimationScrollYSpeedFactor",
    "uv_animation_rotation_speed_factor": "uvAnimationRotationSpeedFactor",
}
_MTOON_COLORS = {
    "shade_color_factor": "shadeColorFactor",
    "matcap_factor": "matcapFactor",
    "parametric_rim_color_factor": "parametricRimColorFactor",
    "outline_color_factor": "outlineColorFactor",
}
_MTOON_TEXTURES = {
    "shade_multiply_texture": "shadeMultiplyTexture",
    "shading_shift_texture": "shadingShiftTexture",
    "matcap_texture": "matcapTexture",
    "rim_multiply_texture": "rimMultiplyTexture",
    "outline_width_multiply_texture": "outlineWidthMultiplyTexture",
    "uv_animation_mask_texture": "uvAnimationMaskTexture",
}


class Textures:
    """The file's textures, and the images that its materials turn out to use.

    Attributes:
        textures: the file's textures, in its order.
        has_image: for each texture, True where it names an image that can be read (otherwise it names one only
            through an unknown extension, and is dropped where it is used).
        used_images: indices of the images that were used so far.
        oddities: collects textures that are dropped.
    """

    def __init__(self, gltf: pygltflib.GLTF2, oddities: Oddities):
        self.oddities = oddities
        self.used_images: set[int] = set()
        self.textures: list[Texture] = []
        self.has_image: list[bool] = []
        for i, texture in enumerate(gltf.textures):
            json_path = f"textures[{i}]"
            if texture.source is not None and texture.source >= len(gltf.images):
                raise out_of_range("images", texture.source, len(gltf.images), f"{json_path}.source")
            if texture.sampler is not None and texture.sampler >= len(gltf.samplers):
                raise out_of_range("samplers", texture.sampler, len(gltf.samplers), f"{json_path}.sampler")
            sampler = Sampler() if texture.sampler is None else _sampler(gltf.samplers[texture.sampler])
            self.has_image.append(texture.source is not None)
            self.textures.append(Texture(texture.source or 0, sampler, texture.name))

    def use(
        self,
        texture: int,
        where: str,
        *,
        tex_coord: int = 0,
        offset: tuple[float, float] = (0.0, 0.0),
        rotation: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> TextureInfo | None:
        """Return a material's reference to a texture; None, with an oddity, where the texture has no image."""
        if texture >= len(self.textures):
            raise out_of_range("textures", texture, len(self.textures), where)
        if not self.has_image[texture]:
            self.oddities.add(f"{where} uses textures[{texture}], which has no picture that can be read")
            return None
        self.used_images.add(self.textures[texture].image)
        return TextureInfo(texture, tex_coord, offset, rotation, scale)

    def info(self, parent: JsonObject, key: str) -> TextureInfo | None:
        """Read a glTF textureInfo with KHR_texture_transform; None where it is absent."""
        f = parent.child(key)
        if f is None:
            return None
        texture = f.entry_index("index", len(self.textures), "textures")
        if texture is None:
            return None
        tex_coord = f.index("texCoord", 256, "TEXCOORD sets") or 0
        transform = f.extension("KHR_texture_transform")
        if transform is None:
            return self.use(texture, f.path, tex_coord=tex_coord)
        transform_set = transform.index("texCoord", 256, "TEXCOORD sets")
        ox, oy = transform.vector("offset", (0.0, 0.0))
        sx, sy = transform.vector("scale", (1.0, 1.0))
        return self.use(
            texture,
            f.path,
            tex_coord=tex_coord if transform_set is None else transform_set,
            offset=(ox, oy),
            rotation=transform.number("rotation", 0.0),
            scale=(sx, sy),
        )


def read_material(f: JsonObject, textures: Textures) -> Material:
    """Read one glTF material: MToon 1.0 where it has VRMC_materials_mtoon, else unlit, else PBR."""
    pbr = f.child_or_empty("pbrMetallicRoughness")
    normal, occlusion = f.child_or_empty("normalTexture"), f.child_or_empty("occlusionTexture")
    mtoon = f.extension("VRMC_materials_mtoon")
    unlit = f.extension("KHR_materials_unlit") is not None
    r, g, b, a = pbr.vector("baseColorFactor", (1.0, 1.0, 1.0, 1.0))
    return Material(
        name=f.text("name"),
        kind="mtoon" if mtoon is not None else "unlit" if unlit else "pbr",
        base_color_factor=(r, g, b, a),
        base_color_texture=textures.info(pbr, "baseColorTexture"),
        metallic_factor=pbr.number("metallicFactor", 1.0),
        roughness_factor=pbr.number("roughnessFactor", 1.0),
        metallic_roughness_texture=textures.info(pbr, "metallicRoughnessTexture"),
        normal_texture=textures.info(f, "normalTexture"),
        normal_scale=normal.number("scale", 1.0),
        occlusion_texture=textures.info(f, "occlusionTexture"),
        occlusion_strength=occlusion.number("strength", 1.0),
        emissive_factor=vec3(f, "emissiveFactor", (0.0, 0.0, 0.0)),
        emissive_strength=_emissive_strength(f),
        emissive_texture=textures.info(f, "emissiveTexture"),
        alpha_mode=f.choice("alphaMode", ("OPAQUE", "MASK", "BLEND"), "OPAQUE"),
        alpha_cutoff=f.number("alphaCutoff", 0.5),
        double_sided=f.flag("doubleSided"),
        mtoon=None if mtoon is None else _mtoon(mtoon, textures),
    )


def vec3(f: JsonObject, key: str, default: Vec3) -> Vec3:
    """Read three numbers: a color, a point or a direction."""
    x, y, z = f.vector(key, default)
    return x, y, z


def _emissive_strength(f: JsonObject) -> float:
    strength = f.extension("KHR_materials_emissive_strength")
    if strength is not None:
        return strength.number("emissiveStrength", 1.0)
    # The archived extension that KHR_materials_emissive_strength replaced.
    multiplier = f.extension("VRMC_materials_hdr_emissiveMultiplier")
    return 1.0 if multiplier is None else multiplier.number("emissiveMultiplier", 1.0)


def _mtoon(f: JsonObject, textures: Textures) -> MToon:
    default = MToon()
    values: dict[str, Any] = {k: f.number(name, getattr(default, k)) for k, name in _MTOON_NUMBERS.items()}
    values |= {k: vec3(f, name, getattr(default, k)) for k, name in _MTOON_COLORS.items()}
    values |= {k: textures.info(f, name) for k, name in _MTOON_TEXTURES.items()}
    shift = f.child_or_empty("shadingShiftTexture")
    return MToon(
        transparent_with_z_write=f.flag("transparentWithZWrite"),
        render_queue_offset_number=queue_offset(f),
        shading_shift_texture_scale=shift.number("scale", 1.0),
        outline_width_mode=f.choice("outlineWidthMode", ("none", "worldCoordinates", "screenCoordinates"), "none"),
        **values,
    )


def queue_offset(f: JsonObject) -> int:
    """Read renderQueueOffsetNumber, −9 to 9."""
    value = f.integer("renderQueueOffsetNumber", 0)
    if not -9 <= value <= 9:
        raise AvatarError("out of range", got=value, allowed="-9 to 9", where=f.at("renderQueueOffsetNumber"))
    return value


def _sampler(s: pygltflib.Sampler) -> Sampler:
    return Sampler(s.magFilter, s.minFilter, s.wrapS, s.wrapT)
