"""Surfaces, colors, regions and visibility that labels are found by."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parts.construction import outfit_of
from vrm_synth.builtin_avatar.generate import demo_avatar
from vrm_synth.core.errors import RecipeError
from vrm_synth.gltf.model import Image, Material, Sampler, Texture, TextureInfo
from vrm_synth.parts.color_regions import _subdivided
from vrm_synth.parts.lab_color import lab_from_srgb
from vrm_synth.parts.labeling import measured
from vrm_synth.parts.orthographic import visible_points
from vrm_synth.parts.overrides import PartOverrides, combined, overrides_of
from vrm_synth.parts.palette import NO_CLUSTER, find_palette
from vrm_synth.parts.region_table import shades_of
from vrm_synth.parts.texture_colors import texture_colors
from vrm_synth.yaml_models.strict_yaml import check


class OneTexture:
    """As much of an avatar as texture_colors reads."""

    def __init__(self, pixels: np.ndarray, sampler: Sampler):
        self.images = (Image("", "image/png", pixels),)
        self.textures = (Texture(0, sampler),)


def square(z: float) -> np.ndarray:
    """(2, 3, 3) a square of side 2 around the z axis, facing +Z."""
    a, b, c, d = ([x, y, z] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
    return np.array([[a, b, c], [a, c, d]], float)


def test_what_walls_hide_is_not_visible():
    axes = ([0, 1, 2], [2, 1, 0], [0, 2, 1])
    box = np.concatenate([square(z)[:, :, order] for order in axes for z in (-1.0, 1.0)])
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.1, 0.2], [0.3, -0.5, 0.5]])
    seen = visible_points(box, np.ones(len(box), bool), points, height=2.0)
    assert seen.tolist() == [False, True, True, False]
    assert visible_points(box, np.zeros(len(box), bool), points, height=2.0).tolist() == [False] * 4


def test_subdivisions_are_even():
    for n in (1, 2, 4, 8):
        weights = _subdivided(n)
        assert weights.shape == (n * n, 3) and np.allclose(weights.sum(1), 1) and (weights > 0).all()
        assert np.allclose(weights.mean(0), 1 / 3)


def test_lab_of_white_black_and_red():
    lab = lab_from_srgb([[1, 1, 1], [0, 0, 0], [1, 0, 0]])
    assert np.allclose(lab, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]], atol=0.05)


def test_a_palette_has_the_colors_by_weight_and_no_cluster_for_what_is_between():
    rgb = np.array([[250, 10, 10]] * 30 + [[10, 10, 250]] * 60 + [[12, 12, 246]] * 5, np.uint8)
    palette = find_palette(rgb, np.ones(len(rgb)))
    assert len(palette) == 2
    near = palette.nearest(np.array([[[8, 9, 252], [248, 12, 9], [20, 200, 30]]], np.uint8))
    assert near.tolist() == [[0, 1, NO_CLUSTER]]
    assert len(find_palette(np.zeros((0, 3), np.uint8), np.zeros(0))) == 0


def test_shades_have_one_hue():
    lab = np.array([[60, 30, 20], [50, 26, 17], [60, -30, 20], [50, 2, 1], [45, 1, 2]], float)
    assert shades_of(lab, np.array([0])).tolist() == [0, 1]
    assert shades_of(lab, np.array([3])).tolist() == [3, 4]


@pytest.mark.parametrize(("wrap", "column"), [(10497, 1), (33071, 3), (33648, 2)])
def test_uvs_wrap_as_the_sampler_has_it(wrap, column):
    pixels = np.full((1, 4, 4), 255, np.uint8)
    colors = texture_colors(OneTexture(pixels, Sampler(wrap_s=wrap)), Material(base_color_texture=TextureInfo(0)))
    assert colors.texels(np.array([[1.4, 0.5]]))[1].tolist() == [column]


def test_uvs_that_are_no_numbers_count_as_zero():
    colors = texture_colors(
        OneTexture(np.zeros((4, 4, 4), np.uint8), Sampler()), Material(base_color_texture=TextureInfo(0))
    )
    rows, columns = colors.texels(np.array([[np.nan, np.inf], [1e30, -1e30]]))
    assert not rows.any() and not columns.any()


def test_a_texture_transform_and_a_cutout_count():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 1] = (200, 100, 50, 255)
    info = TextureInfo(0, offset=(0.5, 0.0), scale=(0.5, 0.5))
    material = Material(base_color_texture=info, alpha_mode="MASK")
    colors = texture_colors(OneTexture(pixels, Sampler()), material)
    assert colors.drawn.tolist() == [[False, True], [False, False]]
    assert [k.tolist() for k in colors.texels(np.array([0.1, 0.1]))] == [0, 1]


def test_the_surface_of_the_built_in_avatar_has_zones_and_pieces():
    avatar = demo_avatar()
    surface, regions = measured(avatar)
    assert outfit_of(avatar) in ("sailor", "dress", "hoodie")
    left_hand = surface.centers[surface.in_zone("hand") & (surface.centers[:, 0] > 0)]
    assert left_hand[:, 0].min() > 0.4
    assert surface.centers[surface.in_zone("foot")][:, 1].max() < surface.centers[surface.in_zone("head")][:, 1].min()
    assert regions.area.sum() <= surface.area.sum() * (1 + 1e-9)
    first, second = surface.neighbors.T
    assert (surface.piece[first] == surface.piece[second]).all()


# ---------------------------------------------------------------- overrides


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"materials": {"a": "hiar"}}, "no such part .did you mean hair"),
        ({"colors": [{"color": "red", "part": "hair"}]}, "color"),
        ({"colors": [{"color": "#ff0000", "part": "hair", "zones": ["hed"]}]}, "no such zone .did you mean head"),
        ({"colors": [{"color": "#ff0000", "part": "hair", "tolerance": 0}]}, "tolerance"),
        ({"material": {}}, "material"),
    ],
)
def test_overrides_say_what_is_wrong(data, message):
    with pytest.raises(RecipeError, match=message):
        check(data, PartOverrides, "recipe.yaml")


def test_overrides_by_file_name_and_of_two_sources():
    recipe = PartOverrides(materials={"a": "hair", "b": "hat"})
    manifest = PartOverrides(materials={"b": "shoes", "c": "tail"})
    both = combined(recipe, manifest)
    assert both is not None and both.materials == {"a": "hair", "b": "hat", "c": "tail"}
    assert combined(None, manifest) is manifest and combined(recipe, None) is recipe and combined(None, None) is None
    table = {"aki.vrm": recipe}
    assert overrides_of(table, "/somewhere/aki.vrm") is recipe and overrides_of(table, "other.vrm") is None
