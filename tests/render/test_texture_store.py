"""Textures much larger than the picture: fragments read the file's own texels."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from vrm_synth.camera.camera import Camera
from vrm_synth.gltf.model import Material, MToon, Sampler, Texture, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render import View
from vrm_synth.render.gl import texture_store
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.render.gl.mips import mip_chain
from vrm_synth.vrm.avatar import Avatar

SIZE = 16
SIDE = 1024  # 64 texels a pixel
CAMERA = Camera((0, 0, 10), (0, 0, 0), ortho_height=2, near=1, far=20)
VIEW = View(CAMERA, (SIZE, SIZE), light=None, ambient=None)
NEAREST, LINEAR = 9728, 9729
MIN_FILTERS = (9728, 9729, 9984, 9985, 9986, 9987)


def noise(side: int = SIDE) -> np.ndarray:
    picture = np.random.default_rng(1).integers(0, 256, (side, side, 4), dtype=np.uint8)
    picture[..., 3] = 255
    return picture


def textured(uv: np.ndarray, sampler: Sampler, **transform) -> Avatar:
    """A unit square of SIZE × SIZE cells of two triangles each, a pixel a cell; uv: (SIZE, SIZE, 2), one UV a cell, or
    (SIZE, SIZE, 4, 2), its corners' (top left, top right, bottom left, bottom right)."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE + 1), np.linspace(1, -1, SIZE + 1))
    corners = [np.stack([x[a, b], y[a, b], 0 * x[a, b]], -1) for a, b in _CORNERS]
    positions = np.stack(corners, 2).reshape(-1, 3)
    uvs = np.broadcast_to(uv[:, :, None], (SIZE, SIZE, 4, 2)) if uv.ndim == 3 else uv
    first = 4 * np.arange(SIZE * SIZE, dtype=np.uint32)[:, None]
    indices = np.concatenate([first + np.array(t) for t in ((0, 2, 1), (1, 2, 3))]).astype(np.uint32)
    p = replace(
        tiny.square(),
        positions=positions.astype(np.float32),
        normals=np.tile(np.array([0, 0, 1], np.float32), (len(positions), 1)),
        tex_coords=(uvs.reshape(-1, 2).astype(np.float32),),
        indices=indices,
    )
    m = Material(kind="unlit", base_color_texture=TextureInfo(0, **transform))
    return tiny.avatar([(p, m)], images=[noise()], sampler=sampler)


def shoot(gl, view: View, part: tuple, picture: np.ndarray, sampler: Sampler) -> np.ndarray:
    return gl.render(evaluate(tiny.avatar([part], images=[picture], sampler=sampler)), view).rgba


_CORNERS = [(np.s_[:-1], np.s_[:-1]), (np.s_[:-1], np.s_[1:]), (np.s_[1:], np.s_[:-1]), (np.s_[1:], np.s_[1:])]


def palette_cells() -> np.ndarray:
    """(SIZE, SIZE, 2) texels, column and row, one a cell."""
    return np.random.default_rng(2).integers(0, SIDE, (SIZE, SIZE, 2))


@pytest.mark.parametrize("magnify", [NEAREST, LINEAR])
@pytest.mark.parametrize("minify", MIN_FILTERS)
@pytest.mark.parametrize("supersample", [1, 2])
def test_uvs_that_are_points_on_a_palette_show_that_texel_alone(gl, minify, magnify, supersample):
    texels = palette_cells()
    posed = evaluate(textured((texels + 0.5) / SIDE, Sampler(magnify, minify)))
    rgba = gl.render(posed, replace(VIEW, supersample=supersample)).rgba
    expected = noise()[texels[..., 1], texels[..., 0]]
    assert np.abs(rgba.astype(int) - expected).max() <= 1  # decoded, encoded


@pytest.mark.parametrize("minify", [9984, 9987])
def test_a_texture_transform_that_shrinks_uvs_to_points_shows_one_texel(gl, minify):
    """KHR_texture_transform and the binds of expressions: a palette entry for a whole part."""
    row, column = 700, 333
    moved = {"scale": (0.0, 0.0), "offset": ((column + 0.5) / SIDE, (row + 0.5) / SIDE)}
    avatar = textured(np.random.default_rng(3).random((SIZE, SIZE, 2)), Sampler(LINEAR, minify), **moved)
    assert np.abs(gl.render(evaluate(avatar), VIEW).rgba.astype(int) - noise()[row, column]).max() <= 1
    m = avatar.materials[0]
    plain = replace(avatar, materials=(replace(m, base_color_texture=TextureInfo(0)),))
    posed = replace(evaluate(plain), materials=avatar.materials)  # as an expression leaves them
    assert np.abs(gl.render(posed, VIEW).rgba.astype(int) - noise()[row, column]).max() <= 1


@pytest.mark.parametrize("minify", [NEAREST, LINEAR])
def test_a_sampler_without_mipmaps_reads_the_texture_itself_however_small_the_picture(gl, minify):
    """64 × 64 texels a pixel; what is read lies in the middle of a pixel, between four texels."""
    ends = np.linspace(0, 1, SIZE + 1)
    u, v = np.meshgrid(ends, ends)
    uv = np.stack([np.stack([u[a, b], v[a, b]], -1) for a, b in _CORNERS], 2)
    half = 0.5 / SIDE  # to the middle of a texel
    rgba = gl.render(evaluate(textured(uv, Sampler(LINEAR, minify), offset=(half, half))), VIEW).rgba
    middle = SIDE // SIZE * np.arange(SIZE) + SIDE // SIZE // 2
    assert np.abs(rgba.astype(int) - noise()[middle][:, middle]).max() <= 1


@pytest.mark.parametrize("minify", MIN_FILTERS)
def test_an_outline_is_as_wide_as_the_texel_of_each_vertex(gl, minify):
    """The width is read at level 0: in a fine pattern every vertex meets a one, between noughts."""
    pattern = np.zeros((SIDE, SIDE, 4), np.uint8)
    pattern[::64, ::64] = 255
    sphere = tiny.sphere(16)
    at = np.floor(sphere.tex_coords[0] * 8) * 64  # a texel of ones for each vertex
    toon = MToon(
        outline_width_mode="worldCoordinates", outline_width_factor=0.5, outline_color_factor=(1, 0, 0),
        outline_lighting_mix_factor=0.0, outline_width_multiply_texture=TextureInfo(0),
    )  # fmt: skip
    p = replace(sphere, tex_coords=(((at + 0.5) / SIDE).astype(np.float32),))
    view = replace(VIEW, camera=replace(CAMERA, ortho_height=4), size=(64, 64))
    plain = MToon(**{**vars(toon), "outline_width_multiply_texture": None})
    drawn, expected = (
        shoot(gl, view, (p, Material(kind="mtoon", mtoon=m)), pattern, Sampler(LINEAR, minify)) for m in (toon, plain)
    )
    assert (expected[..., 3] > 0).sum() > 1500
    np.testing.assert_array_equal(drawn, expected)


def shared_image() -> Avatar:
    """One picture by two samplers: the left square without mipmaps, the right one with."""
    parts = [(tiny.square(), Material(kind="unlit", base_color_texture=TextureInfo(k))) for k in (0, 1)]
    avatar = tiny.avatar(parts, translations=[(-1, 0, 0), (1, 0, 0)], images=[noise()])
    return replace(avatar, textures=(Texture(0, Sampler(NEAREST, NEAREST)), Texture(0, Sampler(NEAREST, 9984))))


def test_each_sampler_of_a_shared_picture_reads_its_own_levels(gl):
    view = replace(VIEW, size=(2 * SIZE, SIZE))
    rgba = gl.render(evaluate(shared_image()), view).rgba.astype(int)
    left, right = rgba[:, :SIZE], rgba[:, SIZE:]
    assert np.abs(right - mip_chain(noise(), True)[5]).max() <= 1  # level 6 has a texel a pixel
    cells = noise().reshape(SIZE, 64, SIZE, 64, 4)[:, 31:33, :, 31:33].transpose(0, 2, 1, 3, 4)
    around = cells.reshape(SIZE, SIZE, 4, 4)  # the four texels around each pixel's middle
    assert np.abs(around - left[:, :, None]).max(-1).min(-1).max() <= 1
    without = gl.render(evaluate(shared_image()), replace(view, mipmaps=False)).rgba.astype(int)
    np.testing.assert_array_equal(without, np.concatenate([left, left], 1))


@pytest.mark.parametrize("minify", MIN_FILTERS)
def test_mip_levels_that_no_sampler_reads_are_not_computed(monkeypatch, minify):
    chains = []
    monkeypatch.setattr(texture_store, "mip_chain", lambda pixels, srgb: chains.append(srgb) or mip_chain(pixels, srgb))
    avatar = textured(palette_cells() / SIDE, Sampler(LINEAR, minify))
    with contextlib.closing(GLBackend()) as renderer:
        for size in (8, 64, 512):
            renderer.render(evaluate(avatar), replace(VIEW, size=(size, size)))
    assert chains == ([True] if minify >= 9984 else [])


def test_a_picture_does_not_depend_on_what_was_drawn_before(gl):
    """Sizes in any order, in one context: as in a fresh one."""
    views = [replace(VIEW, size=(s, s), mipmaps=m) for s, m in ((8, True), (300, True), (8, False), (64, True))]
    posed = evaluate(shared_image())
    for order in (views, views[::-1]):
        with contextlib.closing(GLBackend()) as renderer:
            for view in order:
                np.testing.assert_array_equal(renderer.render(posed, view).rgba, gl.render(posed, view).rgba)
