"""Coincident surfaces: the last drawn is visible (depth test LEQUAL, as in three.js and Unity)."""

from __future__ import annotations

import contextlib
import importlib.util
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from tests import tiny
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render import View, open_backend
from vrm_synth.stage.light_types import Light
from vrm_synth.vrm.avatar import Avatar

SIZE = 96
# Neither in the middle nor level, so that depths are no round numbers.
VIEW = View(Camera((1.3, 0.9, 5), (0.1, 0.05, 0), fov_y=30, near=1, far=20), (SIZE, SIZE), Light(), None)
BOTH = [
    "gl",
    pytest.param(
        "pyrender",
        marks=pytest.mark.skipif(importlib.util.find_spec("pyrender") is None, reason="without the extra pyrender"),
    ),
]
RED, GREEN = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)
LIT = MToon(shade_color_factor=(1.0, 1.0, 1.0))
KINDS = {
    "unlit": Material(kind="unlit"),
    "mask": Material(kind="unlit", alpha_mode="MASK"),
    "double-sided": Material(kind="unlit", double_sided=True),
    "mtoon": Material(kind="mtoon", mtoon=LIT),
    "pbr": Material(kind="pbr", roughness_factor=0.7),
    "normal map": Material(kind="pbr", normal_texture=TextureInfo(0)),
    "textured": Material(kind="mtoon", mtoon=LIT, base_color_texture=TextureInfo(0, tex_coord=2)),
    "rim": Material(kind="mtoon", mtoon=replace(LIT, parametric_rim_color_factor=(0.2, 0.2, 0.0))),
    "z-write": Material(kind="mtoon", mtoon=replace(LIT, transparent_with_z_write=True), alpha_mode="BLEND"),
}


def draw(renderer: str, avatar: Avatar, view: View = VIEW) -> np.ndarray:
    with contextlib.closing(open_backend(renderer)) as opened:
        return opened.render(evaluate(avatar), view).rgba.astype(int)


def twins(first: Material, second: Material) -> Avatar:
    """One sphere twice: materials of equal render order are drawn in the order given here."""
    sphere = tiny.sphere(24)
    sphere = replace(sphere, tex_coords=sphere.tex_coords * 3)
    return tiny.avatar([(sphere, first), (sphere, second)], images=[np.full((1, 1, 4), 255, np.uint8)])


@pytest.mark.parametrize("renderer", BOTH)
@pytest.mark.parametrize("supersample", [1, 2])
def test_the_second_of_two_coincident_opaque_surfaces_is_visible(renderer, supersample):
    view = replace(VIEW, supersample=supersample)
    for a, b in ((RED, GREEN), (GREEN, RED)):
        one, other = (Material(kind="unlit", base_color_factor=c) for c in (a, b))
        np.testing.assert_array_equal(
            draw(renderer, twins(one, other), view), draw(renderer, twins(other, other), view)
        )


@pytest.mark.parametrize("renderer", BOTH)
def test_a_blended_decal_lies_over_the_surface_that_it_coincides_with(renderer):
    """Cheeks and eye highlights, exported as a copy of the face's triangles."""
    face = Material(kind="unlit", base_color_factor=RED)
    decal = Material(kind="unlit", base_color_factor=(0.0, 1.0, 0.0, 0.5), alpha_mode="BLEND")
    rgba = draw(renderer, twins(face, decal), replace(VIEW, background=(1.0, 0.0, 0.0, 1.0)))
    inside = draw(renderer, twins(face, face))[..., 3] == 255
    assert np.abs(rgba[inside] - [128, 128, 0, 255]).max() <= 1


def test_both_of_two_coincident_blended_surfaces_are_visible(gl):
    red, green = (Material(kind="unlit", base_color_factor=(*c[:3], 0.5), alpha_mode="BLEND") for c in (RED, GREEN))
    rgba = gl.render(evaluate(twins(red, green)), replace(VIEW, background=(0.0, 0.0, 0.0, 1.0))).rgba.astype(int)
    assert np.abs(rgba[SIZE // 2, SIZE // 2] - [64, 128, 0, 255]).max() <= 1


def test_the_second_of_two_coincident_outlines_is_visible(gl):
    def outlined(color):
        toon = MToon(
            outline_width_mode="worldCoordinates", outline_width_factor=0.2, outline_color_factor=color,
            outline_lighting_mix_factor=0.0,
        )  # fmt: skip
        return Material(kind="mtoon", mtoon=toon)

    red, green = outlined(RED[:3]), outlined(GREEN[:3])
    mixed, expected = (gl.render(evaluate(twins(a, green)), VIEW).rgba for a in (red, green))
    assert (expected[..., :3] == (0, 255, 0)).all(-1).sum() > 200
    np.testing.assert_array_equal(mixed, expected)


def test_an_outline_without_width_stays_behind_its_surface(gl):
    toon = replace(
        LIT, outline_width_mode="worldCoordinates", outline_width_factor=1.0, outline_color_factor=RED[:3],
        outline_lighting_mix_factor=0.0, outline_width_multiply_texture=TextureInfo(0),
    )  # fmt: skip
    sphere = tiny.sphere(24)
    both = replace(sphere, indices=np.concatenate([sphere.indices, sphere.indices[:, ::-1]]))
    avatar = tiny.avatar([(both, Material(kind="mtoon", mtoon=toon))], images=[np.zeros((1, 1, 4), np.uint8)])
    drawn, expected = (gl.render(evaluate(avatar), replace(VIEW, outlines=o)).rgba for o in (True, False))
    np.testing.assert_array_equal(drawn[expected[..., 3] == 255], expected[expected[..., 3] == 255])


@pytest.mark.parametrize("antialias", ["supersample", "multisample"])
def test_every_kind_of_material_computes_the_same_depth(gl, antialias):
    """Whatever a variant of the shaders does besides: no pixel of the first drawn may show through the last."""
    view = replace(VIEW, supersample=2, antialias=antialias)
    colored = {name: replace(m, name=name, base_color_factor=RED) for name, m in KINDS.items()}
    alone = {name: gl.render(evaluate(twins(m, m)), view).rgba for name, m in colored.items()}
    for a, b in permutations(KINDS, 2):
        green = replace(colored[b], base_color_factor=GREEN)
        of_green = gl.render(evaluate(twins(green, green)), view).rgba
        frame = gl.render(evaluate(twins(colored[a], green)), view)
        expected = of_green if frame.draw_order[-1][1] == b else alone[a]
        np.testing.assert_array_equal(frame.rgba, expected, f"{a}, {b}")


def test_a_skinned_and_morphed_figure_is_covered_by_its_twin(gl):
    """Every primitive of the built-in avatar twice: the copies, of another material, cover all of it."""
    avatar = open_avatar("demo")
    ghost, last = len(avatar.materials), MToon(render_queue_offset_number=9)
    white = Material(kind="mtoon", mtoon=last, emissive_factor=(1.0, 1.0, 1.0), double_sided=True)
    doubled = replace(
        avatar,
        materials=(*(replace(m, alpha_mode="OPAQUE") for m in avatar.materials), white),
        meshes=tuple(
            replace(m, primitives=(*m.primitives, *(replace(p, material=ghost) for p in m.primitives)))
            for m in avatar.meshes
        ),
    )
    view = View(Camera((1, 1.2, 4), (0, 0.8, 0)), (256, 256), outlines=False)
    bones = {"leftUpperArm": (0.0, 0.0, 0.5, 0.866)}
    rgba = gl.render(evaluate(doubled, bones=bones, expressions={"happy": 0.7}), view).rgba
    covered = rgba[rgba[..., 3] > 0]
    assert len(covered) > 2000 and (covered == 255).all()
