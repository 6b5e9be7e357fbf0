"""Plain backgrounds by name, each a colour that a caption can name without argument."""

from __future__ import annotations

import re

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.vectors import Vec4

# sRGB, 8 bit. Muted, so that toon colours stand out; light ones outnumber dark ones, as on a drawing board.
_COLORS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "light gray": (214, 214, 216),
    "gray": (140, 142, 146),
    "dark gray": (62, 64, 70),
    "black": (12, 12, 14),
    "light blue": (186, 214, 240),
    "blue": (78, 128, 204),
    "dark blue": (34, 48, 92),
    "light green": (196, 228, 196),
    "green": (84, 168, 100),
    "light pink": (248, 214, 224),
    "pink": (240, 158, 186),
    "light yellow": (252, 244, 200),
    "yellow": (246, 214, 92),
    "beige": (236, 224, 204),
    "orange": (244, 166, 92),
    "lavender": (214, 204, 238),
    "purple": (132, 98, 178),
    "red": (196, 66, 66),
}
TRANSPARENT = "transparent"
NAMES: tuple[str, ...] = tuple(_COLORS)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def background(name: str) -> Vec4 | None:
    """Straight sRGB RGBA in 0..1 of a name or "#rrggbb"; None for "transparent". Raises RecipeError."""
    if name == TRANSPARENT:
        return None
    if _HEX.fullmatch(name):
        r, g, b = (int(name[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return r, g, b, 1.0
    if name not in _COLORS:
        what = f"unknown background{did_you_mean(name, NAMES)}"
        raise RecipeError(what, got=name, allowed=f"{TRANSPARENT}, #rrggbb, {', '.join(NAMES)}")
    r, g, b = (v / 255 for v in _COLORS[name])
    return r, g, b, 1.0
