"""Outfits: the garments and materials of a sailor uniform, a dress, and a hoodie with shorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vrm_synth.builtin_avatar.shapes import garments
from vrm_synth.builtin_avatar.shapes.body import arm, hand, leg, torso
from vrm_synth.builtin_avatar.shapes.locks import SpringChain
from vrm_synth.builtin_avatar.shapes.part import MeshPart
from vrm_synth.builtin_avatar.surface import painted_textures as paint
from vrm_synth.builtin_avatar.surface.palette import Palette, Rgb, line, linear, mix, shade, tone
from vrm_synth.builtin_avatar.surface.toon_materials import (
    BODY_OUTLINE,
    CLAMP,
    WRAP,
    MaterialLibrary,
    tiled,
    toon,
    white,
)
from vrm_synth.gltf.model import Material

PLEATS = 22
SHORTS_HEM_Y = 0.672  # hem of the fitted shorts under a skirt, meters; the skin of the legs ends inside them
CLOTH_SHIFT = -0.22  # cloth turns to shade early, so that light fabrics keep their form


@dataclass(frozen=True, eq=False)
class Outfit:
    """The clothes of one character.

    Attributes:
        parts: surfaces to draw, with the skin that shows.
        chains: spring chains of the skirt.
    """

    parts: list[MeshPart]
    chains: list[SpringChain] = field(default_factory=list)


def build_outfit(name: str) -> Outfit:
    """Build the outfit of a name in params.OUTFITS."""
    return _OUTFITS[name]()


def add_outfit_materials(lib: MaterialLibrary, p: Palette, name: str) -> None:
    """Add the materials that build_outfit(name) uses."""
    _MATERIALS[name](lib, p)
    _shoe_materials(lib, p, (0.36, 0.22, 0.17) if name != "hoodie" else mix(p.cloth, (1, 1, 1), 0.75))
    _flat(lib, "Dark", p.dark, p.dark_shade)


def _skin(arms_from: float, legs: tuple[float, float], chest_from: float = 1.10) -> list[MeshPart]:
    neck = torso("Skin", chest_from, 1.348, 20, columns=24)
    return [neck, *garments.both(arm("Skin", arms_from, 0.522, 15), leg("Skin", *legs, 17), *hand("Skin"))]


_SAILOR_SKIRT = (
    (0.968, 0.0985, 0.0780), (0.93, 0.113, 0.090), (0.88, 0.138, 0.109),
    (0.80, 0.164, 0.128), (0.70, 0.182, 0.141), (0.612, 0.197, 0.152),
)  # fmt: skip
_DRESS_SKIRT = (
    (0.968, 0.0985, 0.0780), (0.92, 0.118, 0.093), (0.86, 0.144, 0.114), 
    (0.76, 0.178, 0.142), (0.66, 0.204, 0.160), (0.565, 0.222, 0.173),
)  # fmt: skip


def _petticoat(rings: tuple[tuple[float, ...], ...], chains: list[SpringChain], below: float) -> MeshPart:
    y, rx, rz = rings[-1]
    lace = ((y + 0.016, rx - 0.020, rz - 0.020), (y, rx - 0.014, rz - 0.014), (y - below, rx - 0.009, rz - 0.009))
    return garments.skirt("Lace", lace, 12, 0.003, chains, sharp=False, rows=4)


def _sailor() -> Outfit:
    chains = garments.skirt_chains(_SAILOR_SKIRT)
    parts = [
        *_skin(0.165, (0.34, SHORTS_HEM_Y + 0.03)),
        garments.shirt("Top", 0.935, 0.0055, v_neck=0.052, flare=0.007),
        *garments.both(
            garments.sleeve("Top", 0.082, 0.205, 0.0085, 0.0085), garments.sleeve("Trim", 0.196, 0.214, 0.0125, rows=4)
        ),
        garments.sailor_collar("Collar"),
        *garments.bow("Accent", (0, 1.098, 0.093), 0.058, "upperChest", tails=1.15),
        garments.skirt("Skirt", _SAILOR_SKIRT, PLEATS, 0.011, chains, sharp=True),
        _petticoat(_SAILOR_SKIRT, chains, 0.020),
        *garments.shorts("Dark", SHORTS_HEM_Y, 0.0040),
        *garments.both(garments.sock("Sock", 0.375), *garments.shoe("Shoe", "Sole")),
    ]
    return Outfit(parts, chains)


def _dress() -> Outfit:
    chains = garments.skirt_chains(_DRESS_SKIRT, joints=4)
    parts = [
        *_skin(0.165, (0.14, SHORTS_HEM_Y + 0.03)),
        garments.shirt("Top", 0.935, 0.0050, flare=0.002),
        *garments.both(
            garments.sleeve("Top", 0.082, 0.195, 0.0100, 0.0160), garments.sleeve("Trim", 0.188, 0.206, 0.0110, rows=4)
        ),
        garments.round_collar("Collar"),
        *garments.bow("Accent", (0, 1.196, 0.045), 0.036, "upperChest", tails=1.3),
        garments.skirt("Skirt", _DRESS_SKIRT, 16, 0.010, chains, sharp=False, rows=14),
        _petticoat(_DRESS_SKIRT, chains, 0.024),
        garments.belt("Trim", 0.945, 0.975, 0.0085),
        *garments.bow("Trim", (0, 0.962, -0.082), 0.085, "spine", tails=1.6, facing=180),
        *garments.shorts("Dark", SHORTS_HEM_Y, 0.0040),
        *garments.both(garments.sock("Sock", 0.165), *garments.shoe("Shoe", "Sole")),
    ]
    return Outfit(parts, chains)


def _hoodie() -> Outfit:
    parts = [
        *_skin(0.46, (0.50, 0.80), 1.16),
        garments.shirt("Top", 0.868, 0.0165, flare=0.006),
        garments.belt("Rib", 0.842, 0.878, 0.0190),
        *garments.both(
            garments.sleeve("Top", 0.066, 0.480, 0.0125, 0.0070, 26),
            garments.sleeve("Rib", 0.472, 0.512, 0.0085, rows=5),
        ),
        garments.hood("Top"),
        garments.patch("Pocket", 0.905, 0.982, 0.62, 0.0300),
        garments.patch("Print", 1.005, 1.085, 0.46, 0.0200),
        *(garments.cord("Cord", s) for s in (1, -1)),
        *garments.shorts("Dark", 0.735, 0.0070, 0.010, rows=7),
        *garments.both(garments.sock("Sock", 0.600), *garments.shoe("Shoe", "Sole", 1.06, 0.010)),
    ]
    return Outfit(parts)


def _flat(
    lib: MaterialLibrary, name: str, lit: Rgb, dark: Rgb, width: float = BODY_OUTLINE, edge: Rgb | None = None
) -> None:
    """A material of one color and its shade; `edge` colors the outline, the lit color's own line by default."""
    mtoon = toon(line(lit) if edge is None else edge, width, shade_color_factor=linear(dark))
    lib.add(Material(name, "mtoon", (*linear(lit), 1.0), double_sided=True, mtoon=mtoon))


def _white_line(p: Palette) -> Rgb:
    """An outline that white cloth can wear without looking gray."""
    return mix(p.white_shade, (0.2, 0.2, 0.35), 0.75)


def _cloth(
    lib: MaterialLibrary, name: str, lit: paint.Pixels, dark: paint.Pixels, edge: Rgb, repeat: float = 1.0
) -> None:
    a, b = lib.texture(name, lit, WRAP), lib.texture(f"{name}Shade", dark, WRAP)
    if repeat != 1.0:
        a, b = tiled(a, (repeat, 1.0)), tiled(b, (repeat, 1.0))
    mtoon = toon(edge, BODY_OUTLINE, shade_multiply_texture=b, shading_shift_factor=CLOTH_SHIFT)
    lib.add(Material(name, "mtoon", white(), a, double_sided=True, mtoon=mtoon))


def _top(lib: MaterialLibrary, lit: Rgb, dark: Rgb, edge: Rgb) -> None:
    """The shirt: cloth with folds that gather at the waist and in the sleeves."""
    _cloth(lib, "Top", paint.folds_map(lit, dark), paint.folds_map(dark, mix(dark, tone(dark, value=0.82), 0.8)), edge)


def _lace(lib: MaterialLibrary, p: Palette, name: str, pixels: paint.Pixels, repeat: float) -> None:
    lace = lib.texture(name, pixels, WRAP if repeat > 1 else CLAMP)
    lace = tiled(lace, (repeat, 1.0)) if repeat > 1 else lace
    lib.add(
        Material(
            name, "mtoon", white(), lace, alpha_mode="MASK", alpha_cutoff=0.5, double_sided=True,
            mtoon=toon(p.white_shade, 0, shade_multiply_texture=lace, shade_color_factor=linear((0.86, 0.86, 0.95))),
        )
    )  # fmt: skip


def _shoe_materials(lib: MaterialLibrary, p: Palette, leather: Rgb) -> None:
    # outlines of shoes and bows keep their width on screen; the toe cap's shade sets in earlier
    cap = lib.texture("ShoeShift", paint.ramp([0.0] * 24 + [1.0] * 8), CLAMP)
    screen = {
        "outline_width_mode": "screenCoordinates",
        "outline_width_factor": 0.0030,
        "outline_color_factor": linear(line(leather)),
    }
    lib.add(
        Material(
            "Shoe",
            "mtoon",
            (*linear(leather), 1.0),
            double_sided=True,
            mtoon=toon(
                line(leather),
                0.0,
                shade_color_factor=linear(shade(leather)),
                shading_shift_texture=cap,
                shading_shift_texture_scale=-0.12,
                **screen,
            ),
        )
    )
    _flat(lib, "Sole", tone(leather, value=0.55), tone(leather, value=0.35), 0.0008)
    bow = lib.texture("Bow", paint.bow_map(p.accent, p.accent_shade), CLAMP)
    bow_shade = lib.texture("BowShade", paint.bow_map(p.accent_shade, tone(p.accent_shade, value=0.75)), CLAMP)
    accent = dict(screen, outline_color_factor=linear(line(p.accent)))
    lib.add(
        Material(
            "Accent",
            "mtoon",
            white(),
            bow,
            double_sided=True,
            mtoon=toon(line(p.accent), 0.0, shade_multiply_texture=bow_shade, **accent),
        )
    )


def _sailor_materials(lib: MaterialLibrary, p: Palette) -> None:
    _top(lib, p.white, p.white_shade, _white_line(p))
    stripes = ((0.74, 0.80), (0.86, 0.89))
    light = p.white if sum(p.cloth) < 2.2 else p.accent
    dim = mix(light, p.cloth_shade, 0.35)
    _cloth(
        lib,
        "Collar",
        paint.striped_map(p.cloth, light, stripes),
        paint.striped_map(p.cloth_shade, dim, stripes),
        p.cloth_line,
    )
    bands = ((0.35, 0.62),)
    _cloth(
        lib,
        "Trim",
        paint.striped_map(p.cloth, light, bands),
        paint.striped_map(p.cloth_shade, dim, bands),
        p.cloth_line,
    )
    _cloth(
        lib,
        "Skirt",
        paint.pleat_map(p.cloth, p.cloth_shade, light),
        paint.pleat_map(p.cloth_shade, tone(p.cloth_shade, value=0.8), dim),
        p.cloth_line,
        PLEATS,
    )
    _lace(lib, p, "Lace", paint.lace_map(p.white), 44)
    sock = mix(p.dark, p.cloth, 0.35)
    _flat(lib, "Sock", sock, shade(sock))


def _dress_materials(lib: MaterialLibrary, p: Palette) -> None:
    _top(lib, p.cloth, p.cloth_shade, p.cloth_line)
    _flat(lib, "Collar", p.white, p.white_shade, edge=p.cloth_line)
    _flat(lib, "Trim", p.white, p.white_shade, edge=p.cloth_line)
    light = p.white if sum(p.cloth) < 2.2 else p.accent
    _cloth(
        lib,
        "Skirt",
        paint.pleat_map(p.cloth, p.cloth_shade, light),
        paint.pleat_map(p.cloth_shade, tone(p.cloth_shade, value=0.8), mix(light, p.cloth_shade, 0.35)),
        p.cloth_line,
        16,
    )
    _lace(lib, p, "Lace", paint.lace_map(p.white), 48)
    _flat(lib, "Sock", p.white, p.white_shade, edge=_white_line(p))


def _hoodie_materials(lib: MaterialLibrary, p: Palette) -> None:
    _top(lib, p.cloth, p.cloth_shade, p.cloth_line)
    _cloth(
        lib,
        "Rib",
        paint.rib_map(p.cloth, p.cloth_shade),
        paint.rib_map(p.cloth_shade, tone(p.cloth_shade, value=0.8)),
        p.cloth_line,
        40,
    )
    edge = ((0.0, 0.03), (0.10, 0.13))
    deep = mix(p.cloth, p.cloth_shade, 0.6)
    _cloth(
        lib,
        "Pocket",
        paint.striped_map(p.cloth, deep, edge),
        paint.striped_map(p.cloth_shade, tone(p.cloth_shade, value=0.8), edge),
        p.cloth_line,
    )
    light = p.white if sum(p.cloth) < 2.2 else p.accent
    _lace(lib, p, "Print", paint.star_map(light), 1)
    _flat(lib, "Cord", p.white, p.white_shade)
    sock = mix(p.dark, p.cloth, 0.15)
    _flat(lib, "Sock", sock, shade(sock))


_OUTFITS: dict[str, Callable[[], Outfit]] = {"sailor": _sailor, "dress": _dress, "hoodie": _hoodie}
_MATERIALS: dict[str, Callable[[MaterialLibrary, Palette], None]] = {
    "sailor": _sailor_materials,
    "dress": _dress_materials,
    "hoodie": _hoodie_materials,
}
