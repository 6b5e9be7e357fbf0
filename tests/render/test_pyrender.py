"""The pyrender backend against arithmetic and against the GL renderer, both in one process."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from tests.corpus import CORPUS, needs_corpus
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import RenderError
from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render import View, open_backend
from vrm_synth.stage.light_types import Ambient, Light
from vrm_synth.vrm import load

if importlib.util.find_spec("pyrender") is None:
    pytest.skip("the [pyrender] extra is not installed (make test installs it)", allow_module_level=True)

SIZE = 128
CAMERA = Camera((0, 0, 10), (0, 0, 0), ortho_height=2.5, near=1, far=20)
VIEW = View(CAMERA, (SIZE, SIZE), light=Light(direction=(0, 0, -1), intensity=1.0), ambient=None)
PERSPECTIVE = replace(VIEW, camera=Camera((0.8, 0.5, 5), (0, 0, 0), fov_y=30), size=(160, SIZE))


@pytest.fixture(scope="module")
def pyrender():
    renderer = open_backend("pyrender")
    yield renderer
    renderer.close()


def shoot(renderer, parts, view=VIEW, **kw):
    return renderer.render(evaluate(tiny.avatar(parts, **kw)), view).rgba.astype(int)


def middle(rgba):
    return rgba[rgba.shape[0] // 2, rgba.shape[1] // 2]


def iou(a, b):
    a, b = a[..., 3] > 127, b[..., 3] > 127
    return (a & b).sum() / (a | b).sum()


def flat(*color, **kw):
    return Material(kind="mtoon", mtoon=MToon(), base_color_factor=(*color, 1.0), **kw)


MATERIALS = {
    "mtoon": flat(0.8, 0.5, 0.2),
    "unlit": Material(kind="unlit", base_color_factor=(0.2, 0.9, 0.4, 1.0)),
    "dielectric": Material(kind="pbr", base_color_factor=(0.8, 0.3, 0.2, 1), metallic_factor=0, roughness_factor=0.5),
    "metal": Material(kind="pbr", base_color_factor=(0.9, 0.7, 0.3, 1), metallic_factor=1, roughness_factor=0.4),
}


@pytest.mark.parametrize("view", [VIEW, PERSPECTIVE], ids=["orthographic", "perspective"])
@pytest.mark.parametrize("material", MATERIALS.values(), ids=MATERIALS)
def test_silhouette_and_colour_agree_with_the_gl_renderer(pyrender, gl, material, view):
    # Fully lit MToon is where flat shading and MToon are the same thing.
    lit = (
        replace(material, mtoon=MToon(shade_color_factor=material.base_color_factor[:3]))
        if material.mtoon
        else material
    )
    ours, theirs = shoot(gl, [(tiny.sphere(), lit)], view), shoot(pyrender, [(tiny.sphere(), lit)], view)
    assert iou(ours, theirs) >= 0.98
    inside = (ours[..., 3] == 255) & (theirs[..., 3] == 255)
    assert np.percentile(np.abs(ours - theirs)[inside], 99) <= 3


def test_white_lit_by_one_is_white_and_the_rest_transparent(pyrender):
    rgba = shoot(pyrender, [(tiny.sphere(), flat(1, 1, 1))])
    assert middle(rgba).tolist() == [255, 255, 255, 255]
    assert rgba[0, 0].tolist() == [0, 0, 0, 0]


def test_light_and_ambient_add_up(pyrender):
    view = replace(VIEW, light=Light(direction=(0, 0, -1), intensity=0.3), ambient=Ambient((1, 0, 0), 0.2))
    red, green = 0.5, 0.3
    expected = [255 * (1.055 * c ** (1 / 2.4) - 0.055) for c in (red, green, green)]
    assert np.abs(middle(shoot(pyrender, [(tiny.sphere(), flat(1, 1, 1))], view))[:3] - expected).max() <= 1


def test_sky_and_ground_light_from_their_own_sides_as_in_the_gl_renderer(pyrender, gl):
    m = Material(kind="pbr", metallic_factor=0.0, roughness_factor=1.0)
    view = replace(VIEW, light=None, ambient=Ambient((0.2, 0.4, 1.0), 0.8, ground=(0.9, 0.3, 0.1)))
    ours, theirs = shoot(gl, [(tiny.sphere(), m)], view), shoot(pyrender, [(tiny.sphere(), m)], view)
    inside = (ours[..., 3] == 255) & (theirs[..., 3] == 255)
    assert np.abs(ours - theirs)[inside].max() <= 4
    assert theirs[20, SIZE // 2, 2] > theirs[-20, SIZE // 2, 2]


def test_mask_discards_below_the_cutoff_and_keeps_the_rest_opaque(pyrender):
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[:] = (255, 255, 255, 100)
    picture[:, 1, 3] = 200
    m = Material(kind="unlit", base_color_texture=TextureInfo(0), alpha_mode="MASK", alpha_cutoff=0.6)
    rgba = shoot(pyrender, [(tiny.square(), m)], images=[picture])
    assert rgba[SIZE // 2, SIZE // 4, 3] == 0
    assert rgba[SIZE // 2, 3 * SIZE // 4].tolist() == [255, 255, 255, 255]


def test_blending_keeps_straight_alpha_and_lies_over_a_background(pyrender):
    m = Material(kind="unlit", base_color_factor=(1, 0, 0, 0.5), alpha_mode="BLEND")
    assert np.abs(middle(shoot(pyrender, [(tiny.square(), m)])) - [255, 0, 0, 128]).max() <= 2
    over = replace(VIEW, background=(0.0, 0.0, 1.0, 1.0))
    assert np.abs(middle(shoot(pyrender, [(tiny.square(), m)], over)) - [128, 0, 128, 255]).max() <= 1
    half = replace(VIEW, background=(0.0, 0.0, 1.0, 0.5))
    assert shoot(pyrender, [(tiny.square(), m)], half)[0, 0].tolist() == [0, 0, 255, 128]


def test_blended_surfaces_are_drawn_far_to_near(pyrender):
    red = Material(kind="unlit", base_color_factor=(1, 0, 0, 0.5), alpha_mode="BLEND")
    blue = replace(red, base_color_factor=(0, 0, 1, 0.5))
    parts = [(tiny.square(), red), (tiny.square(), blue)]
    near_red = shoot(pyrender, parts, translations=[(0, 0, 1), (0, 0, -1)])
    near_blue = shoot(pyrender, parts, translations=[(0, 0, -1), (0, 0, 1)])
    assert np.abs(middle(near_red) - [170, 0, 85, 191]).max() <= 2
    assert np.abs(middle(near_blue) - [85, 0, 170, 191]).max() <= 2


def test_back_faces_show_only_on_double_sided_materials(pyrender):
    behind = replace(VIEW, camera=replace(CAMERA, position=(0, 0, -10)))
    assert not shoot(pyrender, [(tiny.square(), flat(1, 1, 1))], behind)[..., 3].any()
    assert middle(shoot(pyrender, [(tiny.square(), flat(1, 1, 1, double_sided=True))], behind))[3] == 255


def test_textures_stand_upright_and_follow_their_transform(pyrender):
    picture = np.full((4, 4, 4), 255, np.uint8)
    picture[:2, :2] = (255, 0, 0, 255)  # top left
    m = Material(kind="unlit", base_color_texture=TextureInfo(0))
    q = SIZE // 4
    rgba = shoot(pyrender, [(tiny.square(), m)], images=[picture])
    assert rgba[q, q].tolist() == [255, 0, 0, 255]
    assert rgba[3 * q, q].tolist() == [255, 255, 255, 255]
    moved = replace(m, base_color_texture=TextureInfo(0, offset=(0.5, 0.0)))
    assert shoot(pyrender, [(tiny.square(), moved)], images=[picture])[q, 3 * q].tolist() == [255, 0, 0, 255]


def test_supersampling_is_a_box_filter(pyrender):
    view = replace(VIEW, supersample=2)
    rgba = shoot(pyrender, [(tiny.sphere(), flat(1, 1, 1))], view)
    assert rgba.shape == (SIZE, SIZE, 4)
    assert rgba[..., 3].mean() == pytest.approx(255 * np.pi / 2.5**2, rel=0.01)
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
    assert (rgba[edge][:, :3] >= 250).all()  # straight alpha: no dark rim


def test_the_same_shot_is_the_same_bytes_and_leaves_the_gl_context_alone(pyrender, gl):
    posed = evaluate(tiny.avatar([(tiny.sphere(), MATERIALS["dielectric"])]))
    before = gl.render(posed, PERSPECTIVE).rgba
    first = pyrender.render(posed, PERSPECTIVE).rgba
    assert np.array_equal(gl.render(posed, PERSPECTIVE).rgba, before)
    reopened = open_backend("pyrender")
    assert np.array_equal(reopened.render(posed, PERSPECTIVE).rgba, first)
    reopened.close()
    assert np.array_equal(gl.render(posed, PERSPECTIVE).rgba, before)
    assert np.array_equal(pyrender.render(posed, PERSPECTIVE).rgba, first)


def test_a_missing_device_or_excessive_size_is_one_line(pyrender):
    with pytest.raises(RenderError, match="no such EGL device; got 99"):
        open_backend("pyrender", device=99)
    with pytest.raises(RenderError, match="larger than the driver can draw"):
        shoot(pyrender, [(tiny.sphere(), flat(1, 1, 1))], replace(VIEW, size=(10**6, 8)))


STANDING = View(Camera((0.5, 1.0, 3.5), (0, 0.85, 0), fov_y=32), (256, 256), outlines=False, supersample=4)


def assert_same_silhouette(pyrender, gl, avatar):
    posed = evaluate(avatar, bones={"leftUpperArm": (0.0, 0.0, -0.5, 0.866), "hips": (0.0, 0.259, 0.0, 0.966)})
    ours, theirs = gl.render(posed, STANDING).rgba, pyrender.render(posed, STANDING).rgba
    assert (ours[..., 3] > 127).mean() > 0.02
    assert iou(ours, theirs) >= 0.98


@needs_corpus
@pytest.mark.parametrize("name", ["m_expressive", "crimsom", "boombox7", "cool_banana", "v1_samplebot", "zombie"])
def test_a_real_avatar_has_the_same_silhouette(pyrender, gl, name):
    assert_same_silhouette(pyrender, gl, load(CORPUS / "avatars" / f"{name}.vrm"))


def test_the_built_in_avatar_has_the_same_silhouette(pyrender, gl):
    assert_same_silhouette(pyrender, gl, open_avatar("demo"))
