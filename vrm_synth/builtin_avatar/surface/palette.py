"""Colors of one character: the chosen ones, and shades, highlights and outlines derived from them; sRGB in 0..1."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from vrm_synth.builtin_avatar.params import DemoParams, rgb, rgb_from_hex
from vrm_synth.core.color import linear_from_srgb

Rgb = tuple[float, float, float]

_SKIN: dict[str, tuple[str, str, str]] = {  # lit, shade, blush
    "fair": ("#ffeee4", "#f5c3b4", "#f98c87"),
    "light": ("#fde0cc", "#eab09a", "#ee7c70"),
    "tan": ("#eec29b", "#cf8f6b", "#db6a52"),
    "brown": ("#b97d57", "#8f5238", "#a8402f"),
    "dark": ("#83543c", "#5c3226", "#7c2a22"),
}


@dataclass(frozen=True)
class Palette:
    """The colors of one character, sRGB in 0..1.

    X, X_shade and X_line are the lit color, the shade and the outline of X (skin, hair, cloth, white, accent, dark).

    Attributes:
        blush: flushed skin.
        hair_light: highlights of the hair.
        eye: the iris.
        cloth: the outfit's main color.
        white: white cloth.
        accent: bows and trims.
        dark: dark cloth.
    """

    skin: Rgb
    skin_shade: Rgb
    blush: Rgb
    skin_line: Rgb
    hair: Rgb
    hair_shade: Rgb
    hair_light: Rgb
    hair_line: Rgb
    eye: Rgb
    cloth: Rgb
    cloth_shade: Rgb
    cloth_line: Rgb
    white: Rgb = (0.985, 0.98, 0.985)
    white_shade: Rgb = (0.80, 0.80, 0.90)
    accent: Rgb = (0.85, 0.22, 0.30)
    accent_shade: Rgb = (0.62, 0.10, 0.22)
    dark: Rgb = (0.20, 0.19, 0.24)
    dark_shade: Rgb = (0.11, 0.10, 0.15)


def mix(a: Rgb, b: Rgb, t: float) -> Rgb:
    """Interpolate: a at t = 0, b at t = 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def tone(c: Rgb, *, hue: float = 0.0, saturation: float = 1.0, value: float = 1.0) -> Rgb:
    """Shift the hue by `hue` turns, multiply saturation and value, and clamp to the gamut."""
    h, s, v = colorsys.rgb_to_hsv(*c)
    return colorsys.hsv_to_rgb((h + hue) % 1.0, min(1.0, s * saturation), min(1.0, v * value))


def shade(c: Rgb) -> Rgb:
    """Return a shade of a color: toward violet, as painters shade, never toward gray."""
    h, s, v = colorsys.rgb_to_hsv(*c)
    # yellows and oranges go toward red, or their shade turns khaki
    warm = max(0.0, 1.0 - abs(h - 0.13) / 0.09) * min(1.0, s * 2)
    deep = colorsys.hsv_to_rgb((h - 0.045 * warm) % 1.0, min(1.0, s * 1.12 + 0.06), v * (0.74 + 0.08 * warm))
    violet = mix(deep, (0.42 * v, 0.28 * v, 0.62 * v), 0.20 * (1 - 0.7 * warm))
    # colors without a hue are shaded in lavender
    return mix(violet, colorsys.hsv_to_rgb(0.68, 0.13, v * 0.84), max(0.0, 1.0 - s / 0.15))


def line(c: Rgb) -> Rgb:
    """Return a dark outline color of the same hue."""
    h, s, v = colorsys.rgb_to_hsv(*c)
    return colorsys.hsv_to_rgb(h, min(1.0, s * 0.9 + 0.25), min(0.34, v * 0.42))


def linear(c: Rgb) -> Rgb:
    """Convert sRGB to linear."""
    r, g, b = linear_from_srgb(c).tolist()
    return r, g, b


def palette(params: DemoParams) -> Palette:
    """Return the palette of a character's parameters."""
    skin, skin_shade, blush = (rgb_from_hex(t) for t in _SKIN[params.skin])
    hair, cloth = rgb(params, "hair_color"), rgb(params, "outfit_color")
    accent = (0.86, 0.24, 0.32)
    h, s, _ = colorsys.rgb_to_hsv(*cloth)
    if s > 0.35 and (h < 0.06 or h > 0.90):  # red on red would vanish
        accent = (0.97, 0.86, 0.55)
    return Palette(
        skin=skin,
        skin_shade=skin_shade,
        blush=blush,
        skin_line=tone(skin_shade, hue=-0.012, saturation=1.7, value=0.46),
        hair=hair,
        hair_shade=shade(hair),
        hair_light=mix(tone(hair, saturation=0.72, value=1.18), (1, 1, 1), 0.18),
        hair_line=mix(line(hair), tone(hair, saturation=1.5, value=0.50), 0.5),
        eye=rgb(params, "eye_color"),
        cloth=cloth,
        cloth_shade=shade(cloth),
        cloth_line=line(cloth),
        accent=accent,
        accent_shade=shade(accent),
    )
