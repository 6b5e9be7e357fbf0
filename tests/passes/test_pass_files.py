"""Pass files: each decoded again is the array within its unit, no id is blended, and what does not fit is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.passes.pictures import SIZE, demo
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.errors import ShotError
from vrm_synth.core.passes import PASSES
from vrm_synth.io.npz import read_npz
from vrm_synth.io.png_decoder import decode_png
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.passes.pass_arrays import NO_BONE
from vrm_synth.passes.pass_files import NO_BONE_ID, UNITS_PER_METRE, pass_file

DTYPES = dict.fromkeys(PASSES, "uint8") | dict.fromkeys(("depth", "materials", "nodes", "uv", "nocs"), "uint16")
GREY = ("mask", "depth", "parts", "body_parts", "instances", "materials", "nodes", "outline", "shading")
PICTURES = [name for name, p in PASSES.items() if p.is_image]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_bits_and_channels_of_its_description(files, name):
    pixels = decode_png(files[name])
    shape = SIZE[::-1] if name in GREY else (*SIZE[::-1], 3)
    assert (str(pixels.dtype), pixels.shape) == (DTYPES[name], shape)
    description = PASSES[name].description
    assert ("16-bit" in description) == (pixels.dtype == np.uint16)
    assert ("grey" in description) == (name in GREY)
    with Image.open(io.BytesIO(files[name])) as picture:  # other readers take them, too
        assert picture.size == SIZE and picture.mode in ("L", "RGB", "I;16")
        if pixels.dtype == np.uint8 or name in GREY:
            np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize(("name", "unit"), [("depth", 1 / UNITS_PER_METRE), ("nocs", 1 / 65535), ("shading", 1 / 255)])
def test_numbers_are_within_half_a_unit(files, arrays, name, unit):
    mask, pixels = arrays["mask"], decode_png(files[name])
    np.testing.assert_allclose(pixels[mask] * unit, arrays[name][mask], atol=unit * 0.501)
    assert not pixels[~mask].any()


@pytest.mark.parametrize("name", ["normal", "geometric_normal"])
def test_normals_are_within_half_a_unit(files, arrays, name):
    mask, pixels = arrays["mask"], decode_png(files[name])
    np.testing.assert_allclose(pixels[mask] / 127.5 - 1, arrays[name][mask], atol=0.501 / 127.5)
    assert not pixels[~mask].any() and pixels[mask].any(-1).all()  # 0, 0, 0 is no normal's


def test_texture_coordinates_keep_their_fraction_and_tell_the_figure(files, arrays):
    mask, pixels = arrays["mask"], decode_png(files["uv"])
    difference = pixels[mask][:, :2] / 65535 - arrays["uv"][mask] % 1
    assert (np.abs(difference) <= 0.51 / 65535).all()
    np.testing.assert_array_equal(pixels[..., 2] == 65535, mask)
    assert not pixels[~mask].any()


@pytest.mark.parametrize("name", ["mask", "outline"])
def test_flags_are_0_or_255(files, arrays, name):
    np.testing.assert_array_equal(decode_png(files[name]), arrays[name] * np.uint8(255))


@pytest.mark.parametrize("name", ["parts", "body_parts", "instances", "materials", "nodes"])
def test_an_id_is_one_more_than_its_index_and_none_is_blended(files, arrays, name):
    pixels = decode_png(files[name]).astype(int)
    legend = {
        "parts": len(PART_NAMES), "body_parts": len(BONE_NAMES), "instances": 1,
        "materials": len(demo().materials), "nodes": len(demo().nodes),
    }[name]  # fmt: skip
    assert set(np.unique(pixels)) <= {*range(legend + 1), *([NO_BONE_ID] if name == "body_parts" else [])}
    assert len(BONE_NAMES) < NO_BONE_ID and len(PART_NAMES) < 256
    some = arrays[name] != NO_BONE
    np.testing.assert_array_equal(pixels[some], arrays[name][some] + 1)
    assert (pixels[~some] == NO_BONE_ID).all()


@pytest.mark.parametrize("name", ["albedo", "pose", "depth_inverse", "normal_map", "lines"])
def test_colors_are_kept_as_they_are(files, arrays, name):
    np.testing.assert_array_equal(decode_png(files[name]), arrays[name])
    assert (b"sRGB" in files[name]) == (name == "albedo")


def test_archives_hold_their_arrays(files, arrays, source):
    np.testing.assert_array_equal(read_npz(files["depth_metres"])["depth"], arrays["depth"])
    np.testing.assert_array_equal(read_npz(files["position"])["position"], arrays["position"])
    layers = read_npz(files["depth_layers"])
    np.testing.assert_array_equal(layers["depth"], arrays["depth_layers"])
    np.testing.assert_array_equal(layers["triangle"], [layer.triangle for layer in source.layers])
    assert sorted(n for n, p in PASSES.items() if not p.is_image) == ["depth_layers", "depth_metres", "position"]


def test_the_same_picture_gives_the_same_bytes(source, files):
    assert {name: pass_file(name, source) for name in PASSES} == files


def test_a_surface_beyond_sixteen_bits_is_refused_in_one_line(source):
    geometry = source.geometry
    far = replace(source, geometry=replace(geometry, depth=np.where(geometry.mask, 7.0, np.inf).astype(np.float32)))
    with pytest.raises(ShotError, match=r"too far away .* got 7\.00 m; allowed: up to 6\.5535 m.*depth_metres") as e:
        pass_file("depth", far)
    assert "\n" not in str(e.value)
    edge = np.where(geometry.mask, 6.5535, np.inf).astype(np.float32)
    pixels = decode_png(pass_file("depth", replace(source, geometry=replace(geometry, depth=edge))))
    assert set(np.unique(pixels)) == {0, 65535}
    assert read_npz(pass_file("depth_metres", far))["depth"].min() == 7


def test_an_id_beyond_its_bits_is_refused(source):
    many = replace(source)
    object.__setattr__(many, "nodes", np.full(SIZE[::-1], 65535, np.int32))
    with pytest.raises(ShotError, match="index is too large"):
        pass_file("nodes", many)


def test_a_position_outside_the_cube_is_refused(source):
    geometry = source.geometry
    outside = np.where(geometry.mask[..., None], 100.0, 0).astype(np.float32)
    with pytest.raises(ShotError, match="outside the unit cube"):
        pass_file("nocs", replace(source, geometry=replace(geometry, rest_position=outside)))


def test_a_picture_without_a_figure_is_all_background(source):
    geometry = source.geometry
    nothing = replace(geometry, triangle=np.full_like(geometry.triangle, -1), outline=np.zeros_like(geometry.outline),
                      depth=np.full_like(geometry.depth, np.inf))  # fmt: skip
    empty = replace(source, geometry=nothing)
    for name in PICTURES:
        if name not in ("pose", "normal_map", "normal", "geometric_normal", "uv", "albedo", "shading"):
            assert not decode_png(pass_file(name, empty)).any(), name
