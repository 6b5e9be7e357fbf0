"""Every material property, one at a time, against an independent reading of the formulas in numpy.

A unit sphere under an orthographic camera has the normal (x, y, √(1 − x² − y²)) at every pixel, so the whole
picture can be worked out. Each case draws the sphere with and without one change and asks: are both pictures
the predicted ones, do the predicted pixels change, and are all others the same to the byte?
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests import tiny
from vrm_synth.camera.camera import Camera
from vrm_synth.gltf.model import Material, MToon, Sampler, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render import View
from vrm_synth.stage.light_types import Ambient, Light

SIZE = 160
EXTENT = 2.4
CAMERA = Camera((0, 0, 10), (0, 0, 0), ortho_height=EXTENT, near=1, far=20)
VIEW = View(
    CAMERA, (SIZE, SIZE), light=Light((-0.8, -0.3, -0.5), (1.0, 0.9, 0.8), 0.5), ambient=Ambient((0.8, 0.9, 1.0), 0.2)
)
NEAREST = Sampler(9728, 9728)

axis = (np.arange(SIZE) + 0.5 - SIZE / 2) * EXTENT / SIZE
X, Y = np.meshgrid(axis, -axis)
INSIDE = X**2 + Y**2 < 0.93**2  # the rim's last pixels see facets, not the sphere
Z = np.sqrt(np.clip(1 - X**2 - Y**2, 0, 1))
N = np.stack([X, Y, Z], -1)
U, V = (np.arctan2(-X, -Z) / (2 * np.pi)) % 1.0, np.arccos(np.clip(Y, -1, 1)) / np.pi

# Texture 0 splits left from right, texture 1 top from bottom; plain colours, read without filtering.
SPLIT_U = np.array([[[230, 120, 60, 255], [90, 200, 250, 120]]], np.uint8)
SPLIT_V = np.array([[[40, 250, 160, 255]], [[220, 80, 30, 255]]], np.uint8)
IMAGES = [SPLIT_U, SPLIT_V]


def decode(c: np.ndarray) -> np.ndarray:
    c = c / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def encode(c: np.ndarray) -> np.ndarray:
    c = np.clip(c, 0, 1)
    return 255 * np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)


def sample(info: TextureInfo | None, u: np.ndarray, v: np.ndarray, srgb: bool) -> np.ndarray:
    """RGBA of a nearest lookup with repeat, 1 where there is no texture."""
    if info is None:
        return np.ones((*u.shape, 4))
    c, s = np.cos(info.rotation), np.sin(info.rotation)
    su, sv = u * info.scale[0], v * info.scale[1]
    tu, tv = c * su + s * sv + info.offset[0], -s * su + c * sv + info.offset[1]
    image = IMAGES[info.texture]
    height, width = image.shape[:2]
    texel = image[(np.floor(tv * height) % height).astype(int), (np.floor(tu * width) % width).astype(int)]
    rgb = decode(texel[..., :3]) if srgb else texel[..., :3] / 255
    return np.concatenate([rgb, texel[..., 3:] / 255], -1)


def light_terms(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(towards the light, its colour, the ambient colour)."""
    assert view.light is not None and view.ambient is not None
    towards = -np.array(view.light.direction) / np.linalg.norm(view.light.direction)
    return (
        towards,
        np.array(view.light.color) * view.light.intensity,
        np.array(view.ambient.color) * view.ambient.intensity,
    )


def animated(m: Material, view: View) -> tuple[np.ndarray, np.ndarray]:
    t = m.mtoon
    if t is None:
        return U, V
    mask = sample(t.uv_animation_mask_texture, U, V, srgb=False)[..., 2]
    turn = t.uv_animation_rotation_speed_factor * view.time * mask
    u, v = U - 0.5, V - 0.5
    u, v = np.cos(turn) * u + np.sin(turn) * v + 0.5, -np.sin(turn) * u + np.cos(turn) * v + 0.5
    return (
        u + t.uv_animation_scroll_x_speed_factor * view.time * mask,
        v + t.uv_animation_scroll_y_speed_factor * view.time * mask,
    )


def predicted(m: Material, view: View) -> np.ndarray:
    """(H, W, 4) float 0..255 on the sphere; meaningless outside it."""
    u, v = animated(m, view)
    base = np.array(m.base_color_factor) * sample(m.base_color_texture, u, v, srgb=True)
    alpha = np.ones_like(X)
    if m.alpha_mode == "MASK":
        alpha = (base[..., 3] >= m.alpha_cutoff).astype(float)
    if m.alpha_mode == "BLEND":
        alpha = base[..., 3]
    emission = np.array(m.emissive_factor) * m.emissive_strength * sample(m.emissive_texture, u, v, srgb=True)[..., :3]
    shade = {"unlit": lambda *_: base[..., :3], "pbr": pbr, "mtoon": mtoon}[m.kind]
    color = shade(m, view, base[..., :3], u, v) + (0 if m.kind == "unlit" else emission)
    return np.concatenate([encode(color), 255 * alpha[..., None]], -1)


def mtoon(m: Material, view: View, lit: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    t = m.mtoon
    assert t is not None
    towards, light, ambient = light_terms(view)
    shade = np.array(t.shade_color_factor) * sample(t.shade_multiply_texture, u, v, srgb=True)[..., :3]
    shift = t.shading_shift_factor
    if t.shading_shift_texture is not None:
        shift = shift + sample(t.shading_shift_texture, u, v, srgb=False)[..., 0] * t.shading_shift_texture_scale
    low, high = t.shading_toony_factor - 1, 1 - t.shading_toony_factor
    ramp = np.clip((N @ towards + shift - low) / (high - low), 0, 1)[..., None]
    fresnel = np.clip(1 - Z + t.parametric_rim_lift_factor, 0, 1)[..., None]
    rim = np.array(t.parametric_rim_color_factor) * fresnel**t.parametric_rim_fresnel_power_factor
    if t.matcap_texture is not None:
        matcap = sample(t.matcap_texture, 0.5 + 0.495 * X, 0.5 - 0.495 * Y, srgb=True)[..., :3]
        rim = rim + np.array(t.matcap_factor) * matcap
    rim = rim * sample(t.rim_multiply_texture, u, v, srgb=True)[..., :3]
    mix = t.rim_lighting_mix_factor
    return light * (shade * (1 - ramp) + lit * ramp) + ambient * lit + rim * (1 - mix + mix * (light + ambient))


def pbr(m: Material, view: View, base: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """glTF 2.0 appendix B with the widened lobe that the shader's head explains."""
    towards, light, ambient = light_terms(view)
    mr = sample(m.metallic_roughness_texture, u, v, srgb=False)
    metallic, rough = (m.metallic_factor * mr[..., 2])[..., None], m.roughness_factor * mr[..., 1]
    step = np.stack([np.abs(np.gradient(N[..., k], axis=a)) for k in range(3) for a in (0, 1)]).max(0)
    a2 = np.minimum(np.maximum(rough, 0.0525) + step, 1.0) ** 4
    half = towards + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half)
    nl, nv, nh, vh = np.clip(N @ towards, 0, 1), Z, np.clip(N @ half, 0, 1), max(float(half[2]), 0.0)
    visible = 0.5 / np.maximum(nl * np.sqrt(a2 + (1 - a2) * nv**2) + nv * np.sqrt(a2 + (1 - a2) * nl**2), 1e-6)
    lobe = a2 / (nh**2 * (a2 - 1) + 1) ** 2
    f0 = 0.04 * (1 - metallic) + base * metallic
    fresnel = f0 + (1 - f0) * 2 ** ((-5.55473 * vh - 6.98316) * vh)
    diffuse = base * (1 - metallic)
    occlusion = 1 + m.occlusion_strength * (sample(m.occlusion_texture, u, v, srgb=False)[..., :1] - 1)
    if m.occlusion_texture is None:
        occlusion = np.ones_like(occlusion)
    return light * nl[..., None] * (diffuse + fresnel * (visible * lobe)[..., None]) + ambient * diffuse * occlusion


def drawn(gl: Any, m: Material, view: View, sampler: Sampler = NEAREST) -> np.ndarray:
    return gl.render(evaluate(tiny.avatar([(tiny.sphere(160), m)], images=IMAGES, sampler=sampler)), view).rgba


LEFT_RIGHT, TOP_BOTTOM = TextureInfo(0), TextureInfo(1)
TOON = Material(
    kind="mtoon",
    base_color_factor=(0.8, 0.7, 0.6, 1.0),
    mtoon=MToon(shade_color_factor=(0.3, 0.2, 0.4), shading_toony_factor=0.6, rim_lighting_mix_factor=0.5),
)
PBR = Material(base_color_factor=(0.7, 0.5, 0.3, 1.0), metallic_factor=0.3, roughness_factor=0.5)
RIM: dict[str, Any] = {"parametric_rim_color_factor": (0.5, 0.4, 0.3)}
MATCAP: dict[str, Any] = {"matcap_texture": LEFT_RIGHT}
SHIFT: dict[str, Any] = {"shading_shift_texture": TOP_BOTTOM, "shading_shift_texture_scale": 0.3}
PICTURE: dict[str, Any] = {"base_color_texture": LEFT_RIGHT}


def toon(before: dict[str, Any], after: dict[str, Any]) -> tuple[Material, Material]:
    """Two materials that differ in `after` alone; keys of Material or of MToon."""

    def make(values: dict[str, Any]) -> Material:
        own = {k: v for k, v in values.items() if k in Material.__dataclass_fields__}
        assert TOON.mtoon is not None
        return replace(TOON, **own, mtoon=replace(TOON.mtoon, **{k: v for k, v in values.items() if k not in own}))

    return make(before), make({**before, **after})


MTOON_CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "base_color_factor": ({}, {"base_color_factor": (0.4, 0.7, 0.6, 1.0)}),
    "base_color_texture": ({}, PICTURE),
    "shade_color_factor": ({}, {"shade_color_factor": (0.3, 0.6, 0.4)}),
    "shade_multiply_texture": ({}, {"shade_multiply_texture": TOP_BOTTOM}),
    "shade_multiply_texture shared with base": (PICTURE, {"shade_multiply_texture": LEFT_RIGHT}),
    "shading_shift_factor": ({}, {"shading_shift_factor": -0.3}),
    "shading_shift_texture": ({}, SHIFT),
    "shading_shift_texture_scale": (SHIFT, {"shading_shift_texture_scale": -0.5}),
    "shading_toony_factor": ({}, {"shading_toony_factor": 0.2}),
    "matcap_texture": ({}, MATCAP),
    "matcap_factor": (MATCAP, {"matcap_factor": (0.2, 1.0, 0.5)}),
    "parametric_rim_color_factor": ({}, RIM),
    "parametric_rim_fresnel_power_factor": (RIM, {"parametric_rim_fresnel_power_factor": 1.5}),
    "parametric_rim_lift_factor": (RIM, {"parametric_rim_lift_factor": 0.3}),
    "rim_lighting_mix_factor": (MATCAP, {"rim_lighting_mix_factor": 0.0}),
    "rim_multiply_texture": ({**RIM, **MATCAP}, {"rim_multiply_texture": TOP_BOTTOM}),
    "emissive_factor": ({}, {"emissive_factor": (0.1, 0.0, 0.2)}),
    "emissive_strength": ({"emissive_factor": (0.1, 0.1, 0.1)}, {"emissive_strength": 3.0}),
    "emissive_texture": ({"emissive_factor": (0.3, 0.3, 0.3)}, {"emissive_texture": TOP_BOTTOM}),
    "uv_animation_scroll_x_speed_factor": (PICTURE, {"uv_animation_scroll_x_speed_factor": 0.2}),
    "uv_animation_scroll_y_speed_factor": (
        {"base_color_texture": TOP_BOTTOM},
        {"uv_animation_scroll_y_speed_factor": 0.15},
    ),
    "uv_animation_rotation_speed_factor": (PICTURE, {"uv_animation_rotation_speed_factor": 0.8}),
    "uv_animation_mask_texture": (
        {**PICTURE, "uv_animation_scroll_x_speed_factor": 0.2},
        {"uv_animation_mask_texture": TOP_BOTTOM},
    ),
    "texture transform offset": (PICTURE, {"base_color_texture": replace(LEFT_RIGHT, offset=(0.1, 0.0))}),
    "texture transform scale": (PICTURE, {"base_color_texture": replace(LEFT_RIGHT, scale=(3.0, 1.0))}),
    "texture transform rotation": (PICTURE, {"base_color_texture": replace(LEFT_RIGHT, rotation=0.5)}),
    "alpha_mode MASK": (PICTURE, {"alpha_mode": "MASK"}),
    "alpha_cutoff": ({**PICTURE, "alpha_mode": "MASK", "alpha_cutoff": 0.1}, {"alpha_cutoff": 0.6}),
    "alpha_mode BLEND": (PICTURE, {"alpha_mode": "BLEND"}),
}
PBR_CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "base_color_factor": ({}, {"base_color_factor": (0.2, 0.5, 0.3, 1.0)}),
    "base_color_texture": ({}, PICTURE),
    "metallic_factor": ({}, {"metallic_factor": 0.9}),
    "roughness_factor": ({}, {"roughness_factor": 0.8}),
    "metallic_roughness_texture": ({}, {"metallic_roughness_texture": TOP_BOTTOM}),
    "occlusion_texture": ({}, {"occlusion_texture": LEFT_RIGHT}),
    "occlusion_strength": ({"occlusion_texture": LEFT_RIGHT}, {"occlusion_strength": 0.4}),
    "emissive_factor": ({}, {"emissive_factor": (0.1, 0.0, 0.2)}),
    "emissive_strength": ({"emissive_factor": (0.1, 0.1, 0.1)}, {"emissive_strength": 3.0}),
    "emissive_texture": ({"emissive_factor": (0.3, 0.3, 0.3)}, {"emissive_texture": TOP_BOTTOM}),
}


def check(gl: Any, before: Material, after: Material, view: View, slack: float) -> None:
    want = [predicted(m, view) for m in (before, after)]
    got = [drawn(gl, m, view).astype(float) for m in (before, after)]
    # A hard edge (a texture's split, a cut-out) may fall a pixel to either side on a faceted sphere.
    steps = sum(
        np.abs(np.diff(w[..., c], axis=a, prepend=w[..., c].take([0], a)))
        for w in want
        for c in range(4)
        for a in (0, 1)
    )
    smooth = INSIDE.copy()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            smooth &= np.roll(steps, (dy, dx), (0, 1)) < 40
    assert smooth.sum() > 0.5 * INSIDE.sum()
    for w, g in zip(want, got, strict=True):
        visible = smooth & (w[..., 3] > 0)
        assert np.abs(g[visible] - w[visible]).max() <= slack
        assert (g[smooth & (w[..., 3] == 0), 3] == 0).all()
    change = want[1] - want[0]
    moved = smooth & (np.abs(change).max(-1) > 3 * slack)
    still = smooth & (np.abs(change).max(-1) < 1e-9)
    assert moved.any()
    for c in range(4):
        clear = moved & (np.abs(change[..., c]) > 3 * slack) & (want[0][..., 3] > 0) & (want[1][..., 3] > 0)
        assert (np.sign(got[1] - got[0])[clear, c] == np.sign(change)[clear, c]).all()
    assert (got[0][still] == got[1][still]).all()


@pytest.mark.parametrize("name", MTOON_CASES)
def test_mtoon_properties_match_the_formulas(gl, name):
    before, after = toon(*MTOON_CASES[name])
    check(gl, before, after, replace(VIEW, time=1.0), slack=2.0)


@pytest.mark.parametrize("name", PBR_CASES)
def test_pbr_properties_match_the_formulas(gl, name):
    before, changed = PBR_CASES[name]
    check(gl, replace(PBR, **before), replace(PBR, **before, **changed), VIEW, slack=3.0)


def test_unlit_is_its_base_colour_in_any_light(gl):
    m = Material(kind="unlit", base_color_factor=(0.5, 0.9, 0.7, 1.0), base_color_texture=LEFT_RIGHT)
    check(gl, replace(m, base_color_texture=None), m, VIEW, slack=1.0)
    assert (drawn(gl, m, VIEW) == drawn(gl, m, replace(VIEW, light=None, ambient=None))).all()


@pytest.mark.parametrize(
    ("texel", "towards"), [((218, 128, 218), (1, 0, 0)), ((38, 128, 218), (-1, 0, 0)), ((128, 218, 218), (0, 1, 0))]
)
@pytest.mark.parametrize("kind", ["mtoon", "pbr"])
def test_a_normal_map_tilts_towards_plus_u_and_up(gl, kind, texel, towards):
    """glTF 2.0, normalTexture: +X is right (+u), +Y is up (−v); half way between is 45° here."""
    picture = np.array([[[*texel, 255]]], np.uint8)
    m = {"mtoon": toon({}, {"shading_toony_factor": 0.0, "shade_color_factor": (0, 0, 0)})[1], "pbr": PBR}[kind]
    view = replace(VIEW, light=Light(tuple(-c for c in towards), intensity=1.0), ambient=Ambient(intensity=0.0))

    def middle(**kw: Any) -> int:
        avatar = tiny.avatar([(tiny.square(), replace(m, **kw))], images=[picture], sampler=NEAREST)
        return int(gl.render(evaluate(avatar), view).rgba[SIZE // 2, SIZE // 2].astype(int)[:3].sum())

    flat, tilted = middle(), middle(normal_texture=TextureInfo(0))
    weaker = middle(normal_texture=TextureInfo(0), normal_scale=0.3)
    assert flat < weaker < tilted
    assert middle(normal_texture=TextureInfo(0), normal_scale=0.0) == flat


def test_an_outline_shows_its_colour_its_lighting_mix_and_its_width_texture(gl):
    wide = {"outline_width_mode": "worldCoordinates", "outline_width_factor": 0.12}
    ring = (X**2 + Y**2 > 1.03**2) & (X**2 + Y**2 < 1.09**2)
    plain = toon(wide, {"outline_color_factor": (0.5, 0.25, 0.75), "outline_lighting_mix_factor": 0.0})[1]
    rgba = drawn(gl, plain, VIEW)
    assert np.abs(rgba[ring][:, :3] - encode(np.array([0.5, 0.25, 0.75]))).max() <= 1
    dark = replace(VIEW, light=None, ambient=None)
    assert (drawn(gl, plain, dark)[ring] == rgba[ring]).all()
    mixed = replace(plain, mtoon=replace(plain.mtoon, outline_lighting_mix_factor=1.0))
    assert (drawn(gl, mixed, dark)[ring][:, :3] == 0).all()
    # the width texture's green is 250/255 above and 80/255 below
    textured = replace(plain, mtoon=replace(plain.mtoon, outline_width_multiply_texture=TOP_BOTTOM))
    clamped = replace(NEAREST, wrap_s=33071, wrap_t=33071)  # the south pole's v is 1, which repeats as 0
    column = drawn(gl, textured, VIEW, clamped)[:, SIZE // 2, 3] > 0
    assert axis[column].min() == pytest.approx(-1 - 0.12 * 250 / 255, abs=0.02)
    assert axis[column].max() == pytest.approx(1 + 0.12 * 80 / 255, abs=0.02)
