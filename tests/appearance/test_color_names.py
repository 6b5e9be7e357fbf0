"""Names of colors: of the family's, of none in the bands between names, of surfaces of several colors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vrm_synth.appearance.color_names import as_called, choose, family_names, name_of, name_surface
from vrm_synth.appearance.oklch import oklch_from_srgb
from vrm_synth.appearance.words import OF, Of, all_colors
from vrm_synth.builtin_avatar.params import EYE_COLORS, HAIR_COLORS, OUTFIT_COLORS, rgb_from_hex
from vrm_synth.parts.lab_color import lab_from_srgb, srgb_from_lab

FAMILY: list[tuple[Of, str, str]] = [
    *(("hair", name, color) for name, color in HAIR_COLORS.items()),
    *(("eyes", name, color) for name, color in EYE_COLORS.items()),
    *(("things", name, color) for name, color in OUTFIT_COLORS.items()),
]


@pytest.mark.parametrize(("of", "name", "color"), FAMILY)
def test_the_familys_colors_have_their_own_names(of: Of, name: str, color: str) -> None:
    assert name_of(rgb_from_hex(color), of) == name


def test_known_points_of_oklch() -> None:
    assert oklch_from_srgb([1.0, 1.0, 1.0])[:2].tolist() == pytest.approx([100.0, 0.0], abs=1e-2)
    assert oklch_from_srgb([1.0, 0.0, 0.0]).tolist() == pytest.approx([62.8, 25.77, 29.23], abs=0.05)
    assert oklch_from_srgb([0.0, 0.0, 1.0]).tolist() == pytest.approx([45.2, 31.32, 264.05], abs=0.05)


def test_lab_goes_back_to_the_srgb_it_came_from() -> None:
    grid = np.array(list(itertools.product(np.linspace(0, 1, 6), repeat=3)))
    assert np.abs(srgb_from_lab(lab_from_srgb(grid)) - grid).max() < 1e-3


@pytest.mark.parametrize("of", OF)
def test_no_color_has_two_names(of: Of) -> None:
    boxes = {name: [b for b in w.boxes if of in b.of] for name, w in all_colors().items() if not w.fallback}
    points = itertools.product(np.arange(1, 100, 3.5), np.arange(0, 36, 1.3), np.arange(0, 360, 5))
    for point in points:
        names = [name for name, own in boxes.items() if any(b.has(*map(float, point)) for b in own)]
        assert len(names) <= 1, (point, names)


@pytest.mark.parametrize("of", OF)
def test_names_are_apart_by_what_a_screen_or_a_jpeg_changes(of: Of) -> None:
    generator = np.random.default_rng(3)
    colors = generator.random((1500, 3))
    moved = np.clip(colors + generator.uniform(-0.004, 0.004, colors.shape), 0, 1)
    pairs = {(name_of(a, of), name_of(b, of)) for a, b in zip(colors, moved, strict=True)}
    fallbacks = {"", *(n for n, w in all_colors().items() if w.fallback)}  # which are true beside their borders, too
    assert all(a == b or a in fallbacks or b in fallbacks for a, b in pairs)


def test_a_surface_is_called_by_most_of_it() -> None:
    lab = lab_from_srgb([rgb_from_hex("#33406e"), rgb_from_hex("#f4f1ee"), rgb_from_hex("#c8453f")])
    cluster = np.array([0, 0, 1, 2])
    assert name_surface(lab, cluster, np.array([0.4, 0.2, 0.35, 0.05])) == ("navy", "white")
    assert name_surface(lab, cluster, np.array([0.5, 0.4, 0.05, 0.05])) == ("navy",)
    assert name_surface(lab, cluster, np.zeros(4)) == ()
    assert choose({"red": 0.3, "blue": 0.1}) == ()


def test_light_and_shade_of_a_color_are_one_color() -> None:
    lab = lab_from_srgb([rgb_from_hex(c) for c in ("#5b86d8", "#4a70be", "#7ea2ea")])
    assert family_names(lab, np.array([0.4, 0.3, 0.3]), "hair") == ["blue"] * 3


def test_what_no_hue_names_is_dark_or_light_colored() -> None:
    assert name_of(rgb_from_hex("#402a34")) == "dark"
    assert name_of(rgb_from_hex("#fce8ff")) == "light_colored"
    assert name_of(rgb_from_hex("#402a34"), "hair") == ""
    lab = lab_from_srgb([rgb_from_hex(c) for c in ("#33406e", "#402a34", "#2c2c30")])
    assert name_surface(lab, np.array([0, 1, 2]), np.array([0.4, 0.5, 0.1])) == ("dark",)
    assert as_called(["navy", "", "black"], lab, ("dark",), "things") == ["dark"] * 3


def test_a_thing_in_two_shades_of_a_color_is_called_by_the_larger() -> None:
    assert choose({"gray": 0.5, "dark_gray": 0.4}) == ("gray",)
    assert choose({"dark_red": 0.5, "red": 0.2, "white": 0.3}) == ("dark_red", "white")
    lab = lab_from_srgb([rgb_from_hex(c) for c in ("#7f7f7b", "#4c4c4c")])
    assert as_called(["gray", "dark_gray"], lab, ("gray",), "things") == ["gray", "gray"]
