"""Named backgrounds: their colors fit their names."""

from __future__ import annotations

import colorsys

import pytest

from vrm_synth.core.errors import RecipeError
from vrm_synth.stage.backgrounds import NAMES, background

HUES = {"red": 0, "orange": 30, "yellow": 48, "green": 120, "blue": 215, "lavender": 258, "purple": 265, "pink": 340}


@pytest.mark.parametrize("name", NAMES)
def test_a_named_color_has_the_hue_of_its_name(name: str) -> None:
    color = background(name)
    assert color is not None and color[3] == 1.0
    h, lightness, s = colorsys.rgb_to_hls(*color[:3])
    word = name.split()[-1]
    if word in HUES:
        away = abs((h * 360 - HUES[word] + 180) % 360 - 180)
        assert away < 20 and s > 0.3
    elif word in ("white", "gray", "black"):
        assert s < 0.15
    if name.startswith("light "):
        assert lightness > 0.8
    if name.startswith("dark ") or name == "black":
        assert lightness < 0.3


def test_named_colors_are_distinct() -> None:
    colors = [background(n) for n in NAMES]
    for i, a in enumerate(colors):
        for b in colors[:i]:
            assert a and b and sum(abs(x - y) for x, y in zip(a, b, strict=True)) > 0.08


def test_hex_colors_and_transparent_are_backgrounds() -> None:
    assert background("#ff8000") == (1.0, 128 / 255, 0.0, 1.0)
    assert background("transparent") is None


@pytest.mark.parametrize("name", ["#ff80", "#gggggg", "blurple", "", "White"])
def test_unknown_backgrounds_are_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="unknown background"):
        background(name)
