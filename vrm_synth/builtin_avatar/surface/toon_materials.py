"""Build the MToon 1.0 materials of one character, and the textures that they share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vrm_synth.builtin_avatar.surface import painted_textures as paint
from vrm_synth.builtin_avatar.surface.palette import Palette, Rgb, linear
from vrm_synth.gltf.model import (
    CLAMP_TO_EDGE,
    LINEAR,
    LINEAR_MIPMAP_LINEAR,
    NEAREST,
    REPEAT,
    Image,
    Material,
    MToon,
    Sampler,
    Texture,
    TextureInfo,
    Vec2,
)

WRAP = Sampler(LINEAR, LINEAR_MIPMAP_LINEAR, REPEAT, REPEAT)
CLAMP = Sampler(LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE, CLAMP_TO_EDGE)
FLAT_COLORS = Sampler(NEAREST, NEAREST, CLAMP_TO_EDGE, CLAMP_TO_EDGE)  # neighboring colors of a palette must not mix
HEAD_OUTLINE = 0.0011  # width of the outlines of face and hair, meters
BODY_OUTLINE = 0.0012  # of skin and clothes


@dataclass
class MaterialLibrary:
    """Images, textures and materials of a character in the order in which they are added; texture i shows image i.

    Attributes:
        images: the images.
        textures: one for each image.
        materials: the materials; their names are unique.
    """

    images: list[Image] = field(default_factory=list)
    textures: list[Texture] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)

    def texture(self, name: str, pixels: paint.Pixels, sampler: Sampler = WRAP) -> TextureInfo:
        """Add an image with its texture; return a reference to the texture."""
        self.images.append(Image(name, "image/png", pixels))
        self.textures.append(Texture(len(self.images) - 1, sampler, name))
        return TextureInfo(len(self.textures) - 1)

    def add(self, material: Material) -> None:
        """Add a material; its name must be new."""
        self.materials.append(material)

    def index(self) -> dict[str, int]:
        """Return material name → index."""
        return {m.name: i for i, m in enumerate(self.materials)}


def white(alpha: float = 1.0) -> tuple[float, float, float, float]:
    """Return a base color that leaves the texture unchanged."""
    return 1.0, 1.0, 1.0, alpha


def tiled(info: TextureInfo, scale: Vec2, offset: Vec2 = (0.0, 0.0)) -> TextureInfo:
    """Return the texture reference with a UV transform (KHR_texture_transform)."""
    return replace(info, scale=scale, offset=offset)


def toon(line: Rgb, width: float, **more: object) -> MToon:
    """Return MToon with the character's usual shading border, and an outline of `width` meters in the color `line`."""
    base = MToon(
        shade_color_factor=(1.0, 1.0, 1.0),
        shading_shift_factor=-0.05,
        shading_toony_factor=0.95,
        gi_equalization_factor=0.9,
        rim_lighting_mix_factor=1.0,
        outline_width_mode="worldCoordinates" if width else "none",
        outline_width_factor=width,
        outline_color_factor=linear(line) if width else (0.0, 0.0, 0.0),
        outline_lighting_mix_factor=0.0,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def add_face_materials(lib: MaterialLibrary, p: Palette) -> None:
    """Add the materials of face, eyes, lashes, mouth and blush."""
    lit = lib.texture("Face", paint.face_map(p, p.skin), CLAMP)
    shade = lib.texture("FaceShade", paint.face_map(p, p.skin_shade), CLAMP)
    width = lib.texture("FaceOutline", paint.face_outline_map(), CLAMP)
    lib.add(
        Material(
            "Face",
            "mtoon",
            white(),
            lit,
            mtoon=toon(
                p.skin_line,
                HEAD_OUTLINE,
                shade_multiply_texture=shade,
                shading_shift_factor=-0.08,
                outline_width_multiply_texture=width,
            ),
        )
    )
    # "Paint" is whatever of the face is drawn in one flat color: lashes, folds of the lids, brows, lips and the inside
    # of the mouth. They share a palette texture, in which the UVs of each point at its color (face_parts.PAINT).
    flat = lib.texture("Paint", paint.paint_palette(p), FLAT_COLORS)
    lib.add(
        Material(
            "Paint", "mtoon", white(), flat, double_sided=True, mtoon=toon(p.skin_line, 0, shade_multiply_texture=flat)
        )
    )
    eye_white = lib.texture("EyeWhite", paint.white_map(), CLAMP)
    lib.add(
        Material(
            "EyeWhite",
            "mtoon",
            white(),
            eye_white,
            mtoon=toon(p.skin_line, 0, shade_multiply_texture=eye_white, shade_color_factor=linear((0.95, 0.93, 0.97))),
        )
    )
    iris = lib.texture("Iris", paint.iris_map(p), CLAMP)
    lib.add(
        Material(
            "Iris",
            "mtoon",
            white(),
            iris,
            alpha_mode="BLEND",
            mtoon=toon(p.skin_line, 0, shade_multiply_texture=iris, render_queue_offset_number=-1),
        )
    )
    lib.add(Material("EyeLight", "unlit", white()))
    cheek = lib.texture("Cheek", paint.cheek_map(p), CLAMP)
    lib.add(
        Material(
            "Cheek",
            "mtoon",
            white(0.28),
            cheek,
            alpha_mode="BLEND",
            mtoon=toon(p.skin_line, 0, shade_multiply_texture=cheek),
        )
    )


def add_skin_material(lib: MaterialLibrary, p: Palette) -> None:
    """Add the material of the body's skin."""
    lit = lib.texture("Skin", paint.skin_map(p, p.skin), CLAMP)
    shade = lib.texture("SkinShade", paint.skin_map(p, p.skin_shade), CLAMP)
    lib.add(
        Material("Skin", "mtoon", white(), lit, mtoon=toon(p.skin_line, BODY_OUTLINE, shade_multiply_texture=shade))
    )


def add_hair_materials(lib: MaterialLibrary, p: Palette) -> None:
    """Add the hair's material: a matcap shine, a rim at the tips, and outlines that thin toward the tips."""
    lit = lib.texture("Hair", paint.hair_map(p, True))
    shade = lib.texture("HairShade", paint.hair_map(p, False))
    shine = lib.texture("HairShine", paint.matcap_map(p), CLAMP)
    rim = lib.texture("HairRim", paint.ramp(np.linspace(0.15, 1.0, 64)), CLAMP)
    width = lib.texture("HairOutline", paint.ramp(np.clip(1.25 - np.linspace(0, 1, 64), 0.35, 1.0)), CLAMP)
    lib.add(
        Material(
            "Hair",
            "mtoon",
            white(),
            lit,
            double_sided=True,
            mtoon=toon(
                p.hair_line,
                HEAD_OUTLINE,
                shading_shift_factor=-0.14,
                shade_multiply_texture=shade,
                matcap_texture=shine,
                rim_multiply_texture=rim,
                parametric_rim_color_factor=tuple(0.22 * c for c in linear(p.hair_light)),
                parametric_rim_fresnel_power_factor=4.0,
                parametric_rim_lift_factor=0.02,
                outline_width_multiply_texture=width,
            ),
        )
    )
