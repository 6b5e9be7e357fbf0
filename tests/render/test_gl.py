"""The GL renderer: pixels worked out by hand from the specifications."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from tests import tiny
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import AvatarError, RenderError
from vrm_synth.gltf.model import Material, MToon, Sampler, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render import View
from vrm_synth.render.gl import geometry, scene_buffers
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.render.system import is_software
from vrm_synth.stage.light_types import Ambient, Light

SIZE = 128
FRONT = Light(direction=(0, 0, -1), intensity=1.0)
CAMERA = Camera((0, 0, 10), (0, 0, 0), ortho_height=2.5, near=1, far=20)
VIEW = View(CAMERA, (SIZE, SIZE), light=FRONT, ambient=None)


def srgb(linear):
    c = np.clip(np.asarray(linear, float), 0, 1)
    return np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055) * 255


def shoot(gl, parts, view=VIEW, **kw):
    return gl.render(evaluate(tiny.avatar(parts, **kw)), view).rgba.astype(int)


def middle(rgba):
    return rgba[SIZE // 2, SIZE // 2]


def toon(**kw):
    material = {k: kw.pop(k) for k in list(kw) if k in Material.__dataclass_fields__}
    return Material(kind="mtoon", mtoon=MToon(**kw), **material)


def test_white_lit_by_one_is_white_and_the_rest_transparent(gl):
    rgba = shoot(gl, [(tiny.sphere(), toon())])
    assert middle(rgba).tolist() == [255, 255, 255, 255]
    assert rgba[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("toony", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.3])
def test_the_shading_ramp_is_the_specifications(gl, toony, shift):
    lit, shade = np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.3, 0.4])
    m = toon(
        base_color_factor=(*lit, 1.0), shade_color_factor=tuple(shade), shading_toony_factor=toony,
        shading_shift_factor=shift,
    )  # fmt: skip
    view = replace(VIEW, light=Light(direction=(-1, 0, 0), intensity=0.7), ambient=Ambient(intensity=0.2))
    row = shoot(gl, [(tiny.sphere(96), m)], view)[SIZE // 2]
    x = (np.arange(SIZE) + 0.5 - SIZE / 2) * 2.5 / SIZE
    inside = np.abs(x) < 0.97
    ramp = np.clip((x + shift - (toony - 1)) / (2 - 2 * toony), 0, 1)[:, None]
    expected = srgb(0.7 * (shade * (1 - ramp) + lit * ramp) + 0.2 * lit)
    # Interpolated normals of the facets lie within half a degree of the sphere's; the ramp's slope amplifies it.
    slack = 1.5 + 255 * 0.01 / (2 - 2 * toony)
    assert np.abs(row[inside, :3] - expected[inside]).max() < slack


def test_rim_is_brightest_at_the_edge_and_follows_its_power(gl):
    m = toon(
        base_color_factor=(0, 0, 0, 1), parametric_rim_color_factor=(1, 1, 1), parametric_rim_fresnel_power_factor=2.0
    )
    row = shoot(gl, [(tiny.sphere(96), m)])[SIZE // 2, :, 0]
    x = (np.arange(SIZE) + 0.5 - SIZE / 2) * 2.5 / SIZE
    inside = np.abs(x) < 0.9
    expected = srgb((1 - np.sqrt(1 - np.clip(x, -1, 1) ** 2)) ** 2)
    assert np.abs(row[inside] - expected[inside]).max() <= 2


def test_rim_lighting_mix_turns_the_rim_off_in_the_dark(gl):
    bright = {
        "base_color_factor": (0, 0, 0, 1),
        "parametric_rim_color_factor": (1, 1, 1),
        "parametric_rim_lift_factor": 1.0,
    }
    dark = replace(VIEW, light=None)
    assert middle(shoot(gl, [(tiny.sphere(), toon(**bright, rim_lighting_mix_factor=0.0))], dark))[0] == 255
    assert middle(shoot(gl, [(tiny.sphere(), toon(**bright, rim_lighting_mix_factor=1.0))], dark))[0] == 0


@pytest.mark.parametrize("equalization", [0.0, 0.5, 1.0])
def test_ambient_from_sky_and_ground_follows_the_normal_and_gi_equalization(gl, equalization):
    sky, ground = np.array([0.2, 0.4, 0.8]), np.array([0.6, 0.3, 0.1])
    view = replace(VIEW, light=None, ambient=Ambient(tuple(sky), 0.9, tuple(ground)))
    column = shoot(gl, [(tiny.sphere(96), toon(gi_equalization_factor=equalization))], view)[:, SIZE // 2]
    y = -(np.arange(SIZE) + 0.5 - SIZE / 2) * 2.5 / SIZE
    inside = np.abs(y) < 0.95
    by_normal = ground + (sky - ground) * (0.5 + 0.5 * y[:, None])
    expected = srgb(0.9 * (by_normal * (1 - equalization) + 0.5 * (sky + ground) * equalization))
    assert np.abs(column[inside, :3] - expected[inside]).max() <= 2


def outline_radius(gl, view, **kw):
    """Radius in pixels of what is drawn of a unit sphere."""
    m = toon(outline_color_factor=(1, 0, 0), outline_lighting_mix_factor=0.0, **kw)
    rgba = shoot(gl, [(tiny.sphere(96), m)], view)
    red = (rgba[..., 3] > 0) & (rgba[..., 1] == 0)
    assert red.any() == (view.outlines and bool(kw))
    return np.sqrt((rgba[..., 3] > 0).sum() / np.pi)


def test_a_world_outline_is_as_wide_as_its_factor_in_metres(gl):
    width = {"outline_width_mode": "worldCoordinates", "outline_width_factor": 0.1}
    metre = SIZE / 2.5
    assert outline_radius(gl, VIEW) == pytest.approx(1.0 * metre, abs=0.4)
    assert outline_radius(gl, VIEW, **width) == pytest.approx(1.1 * metre, abs=0.4)
    assert outline_radius(gl, replace(VIEW, outlines=False), **width) == pytest.approx(1.0 * metre, abs=0.4)


def test_a_screen_outline_keeps_its_share_of_the_picture_at_any_distance(gl):
    width = {"outline_width_mode": "screenCoordinates", "outline_width_factor": 0.05}
    grown = []
    for distance in (6.0, 12.0):
        view = replace(VIEW, camera=Camera((0, 0, distance), (0, 0, 0), fov_y=30, near=1, far=20))
        grown.append(outline_radius(gl, view, **width) - outline_radius(gl, view))
    # factor is a share of half the picture's height
    assert grown == pytest.approx([0.05 * SIZE / 2] * 2, abs=0.6)


def test_blending_acts_on_encoded_values(gl):
    m = Material(kind="unlit", base_color_factor=(1, 1, 1, 0.5), alpha_mode="BLEND")
    view = replace(VIEW, background=(0.2, 0.4, 0.6, 1.0))
    expected = 255 * (0.5 + 0.5 * np.array([0.2, 0.4, 0.6]))
    assert np.abs(middle(shoot(gl, [(tiny.square(), m)], view))[:3] - expected).max() <= 1


def test_a_half_transparent_surface_keeps_its_straight_colour(gl):
    m = Material(kind="unlit", base_color_factor=(1, 0.5, 0, 0.25), alpha_mode="BLEND")
    r, g, b, a = middle(shoot(gl, [(tiny.square(), m)]))
    assert a == 64
    assert np.abs([r - 255, g - srgb(0.5), b]).max() <= 2


def test_mask_cuts_below_the_cutoff_and_what_survives_is_opaque(gl):
    picture = np.full((4, 4, 4), 255, np.uint8)
    picture[:, :2, 3] = 100
    picture[:, 2:, 3] = 200
    m = Material(kind="unlit", base_color_texture=TextureInfo(0), alpha_mode="MASK", alpha_cutoff=0.6)
    rgba = shoot(gl, [(tiny.square(), m)], images=[picture], sampler=Sampler(9728, 9728))
    assert rgba[SIZE // 2, SIZE // 4, 3] == 0
    assert rgba[SIZE // 2, 3 * SIZE // 4].tolist() == [255, 255, 255, 255]


def test_textures_lie_the_gltf_way_up_and_transforms_follow_the_extension(gl):
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 3] = 255
    picture[0, 0, 0] = picture[0, 1, 1] = picture[1, 0, 2] = 255  # red top left, green top right, blue bottom left
    nearest = Sampler(9728, 9728)

    def corners(**kw):
        m = Material(kind="unlit", base_color_texture=TextureInfo(0, **kw))
        rgba = shoot(gl, [(tiny.square(), m)], images=[picture], sampler=nearest)
        a, b = 3 * SIZE // 8, 5 * SIZE // 8
        return [int(np.argmax([*rgba[y, x, :3], 1])) for y, x in ((a, a), (a, b), (b, a), (b, b))]

    assert corners() == [0, 1, 2, 3]
    assert corners(offset=(0.5, 0.0)) == [1, 0, 3, 2]
    # a quarter turn counter-clockwise of the UVs: uv (1, 0) goes to (0, −1), the picture turns clockwise
    assert corners(rotation=np.pi / 2) == [2, 0, 3, 1]
    assert corners(scale=(-1.0, 1.0)) == [1, 0, 3, 2]


def test_compatibility_with_three_vrm_turns_before_it_scales_and_reads_uv_set_0(gl):
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[..., 3] = 255
    picture[..., 0] = np.arange(16).reshape(4, 4) * 16
    p = tiny.square()
    p = replace(p, tex_coords=(p.tex_coords[0], p.tex_coords[0][::-1].copy()))
    info = TextureInfo(0, tex_coord=1, rotation=0.6, scale=(2.0, 0.5))
    m = toon(base_color_texture=info, shade_color_factor=(1, 1, 1), base_color_factor=(1, 1, 1, 1))

    def expected(uv, compat):
        c, s = np.cos(0.6), np.sin(0.6)
        spec = np.array([[c * 2.0, s * 0.5], [-s * 2.0, c * 0.5]])
        three = np.array([[c * 2.0, s * 2.0], [-s * 0.5, c * 0.5]])
        return (uv if compat == "three-vrm" else 1 - uv) @ (three if compat == "three-vrm" else spec).T

    y, x = np.mgrid[20:108:9, 20:108:9]
    uv = np.stack([(x + 0.5) / SIZE * 1.25 - 0.125, (y + 0.5) / SIZE * 1.25 - 0.125], -1)
    for compat in ("none", "three-vrm"):
        rgba = shoot(gl, [(p, m)], replace(VIEW, compat=compat), images=[picture], sampler=Sampler(9728, 9728))
        texel = expected(uv, compat) * 4 % 4
        clear = (np.abs(texel - np.round(texel)) > 0.08).all(-1)
        t = texel.astype(int)
        assert clear.sum() > 40
        assert (rgba[y, x, 0][clear] == picture[t[..., 1], t[..., 0], 0][clear]).all(), compat


def test_mirrored_repeat(gl):
    picture = np.zeros((1, 2, 4), np.uint8)
    picture[..., 3] = 255
    picture[0, 0, 0], picture[0, 1, 1] = 255, 255
    m = Material(kind="unlit", base_color_texture=TextureInfo(0, scale=(2.0, 1.0)))
    rgba = shoot(gl, [(tiny.square(2.5), m)], images=[picture], sampler=Sampler(9728, 9728, 33648, 33648))
    x = [SIZE // 8, 3 * SIZE // 8, 5 * SIZE // 8, 7 * SIZE // 8]
    assert [int(rgba[64, k, 1] > 0) for k in x] == [0, 1, 1, 0]


@pytest.mark.parametrize("z_write", [False, True])
def test_only_z_write_hides_surfaces_blended_later_behind(gl, z_write):
    near = toon(base_color_factor=(1, 0, 0, 0.5), alpha_mode="BLEND", transparent_with_z_write=z_write,
                render_queue_offset_number=0 if z_write else -9)  # fmt: skip
    far = toon(base_color_factor=(0, 1, 0, 0.5), alpha_mode="BLEND")
    rgba = shoot(gl, [(tiny.square(), near), (tiny.square(), far)], translations=[(0, 0, 1), (0, 0, -1)])
    assert (middle(rgba)[1] > 0) == (not z_write)


def test_culling_follows_double_sided(gl):
    behind = replace(VIEW, camera=replace(CAMERA, position=(0, 0, -10)))
    one, both = Material(kind="unlit"), Material(kind="unlit", double_sided=True)
    assert middle(shoot(gl, [(tiny.square(), one)], behind))[3] == 0
    assert middle(shoot(gl, [(tiny.square(), both)], behind))[3] == 255


def test_supersampling_is_the_box_filter_of_the_larger_picture(gl):
    posed = evaluate(tiny.avatar([(tiny.sphere(), toon(base_color_factor=(0.8, 0.3, 0.1, 1)))]))
    view = replace(VIEW, camera=Camera((1, 2, 5), (0, 0, 0), fov_y=30))
    large = gl.render(posed, replace(view, size=(3 * SIZE, 3 * SIZE))).rgba.astype(float)
    small = gl.render(posed, replace(view, supersample=3)).rgba
    premultiplied = large[..., :3] * large[..., 3:] / 255
    boxes = lambda a: a.reshape(SIZE, 3, SIZE, 3, -1).sum((1, 3))  # noqa: E731
    alpha = boxes(large[..., 3:])
    color = np.floor(boxes(premultiplied) * 255 / np.maximum(alpha, 1) + 0.5)
    assert np.array_equal(small[..., 3:], np.floor(alpha / 9 + 0.5))
    # the GPU works in float32: a value exactly between two may fall either way
    assert np.abs(small[..., :3] - color).max() <= 1
    assert (small[..., :3] == color).mean() > 0.999


def test_rendering_twice_or_in_another_context_gives_the_same_bytes(gl):
    posed = evaluate(tiny.avatar([(tiny.sphere(), toon(parametric_rim_color_factor=(0.3, 0.2, 0.1)))]))
    first = gl.render(posed, VIEW).rgba.tobytes()
    assert gl.render(posed, VIEW).rgba.tobytes() == first
    other = GLBackend()
    assert other.render(posed, VIEW).rgba.tobytes() == first
    other.close()


def test_morph_targets_move_vertices(gl):
    p = tiny.square()
    moved = replace(p, morph_positions=np.tile(np.array([0.5, 0, 0], np.float32), (1, 4, 1)))
    a = tiny.avatar([(p, Material(kind="unlit")), (moved, Material(kind="unlit"))], [(-9, 0, 0), (0, 0, 0)])
    posed = evaluate(a)
    left = lambda r: int(np.flatnonzero(r[SIZE // 2, :, 3])[0])  # noqa: E731
    rest = gl.render(posed, VIEW).rgba
    half = gl.render(replace(posed, morph_weights={1: np.array([0.5])}), VIEW).rgba
    assert left(half) - left(rest) == pytest.approx(0.25 * SIZE / 2.5, abs=1)


def test_an_avatar_without_meshes_is_an_empty_picture(gl):
    assert not shoot(gl, []).any()


def test_too_large_a_picture_is_refused_with_the_limit(gl):
    view = replace(VIEW, size=(8192, 8192), supersample=8)
    with pytest.raises(RenderError, match=r"8192×8192 at supersample 8; allowed: up to \d+"):
        gl.render(evaluate(tiny.avatar([])), view)


def test_a_missing_device_is_refused_with_the_available_ones():
    with pytest.raises(RenderError, match="no such EGL device; got 99; allowed: 0"):
        GLBackend(device=99)


def ball_and_box():
    return [(tiny.sphere(48), toon(base_color_factor=(0.9, 0.2, 0.1, 1), shade_color_factor=(0.1, 0.2, 0.5)))]


def test_multisampling_smooths_edges_and_leaves_the_inside_as_it_is(gl):
    posed = evaluate(tiny.avatar(ball_and_box()))
    plain, smooth = (
        gl.render(posed, replace(VIEW, supersample=n, antialias="multisample")).rgba.astype(int) for n in (1, 2)
    )
    assert set(np.unique(plain[..., 3])) == {0, 255}
    partial = (smooth[..., 3] > 0) & (smooth[..., 3] < 255)
    quarters = smooth[partial][:, 3] * 4 / 255
    assert partial.sum() > 100 and np.abs(quarters - np.rint(quarters)).max() < 0.02
    edge = np.abs(np.hypot(*(np.indices((SIZE, SIZE)) + 0.5 - SIZE / 2)) - SIZE / 2.5) < 2
    assert not partial[~edge].any()
    np.testing.assert_array_equal(plain[~edge], smooth[~edge])


def test_antialias_auto_supersamples_on_software_and_multisamples_on_a_gpu(gl):
    posed = evaluate(tiny.avatar(ball_and_box()))
    view = replace(VIEW, supersample=2)
    auto = gl.render(posed, replace(view, antialias="auto")).rgba
    other = "supersample" if is_software(gl.device) else "multisample"
    np.testing.assert_array_equal(auto, gl.render(posed, replace(view, antialias=other)).rgba)


def test_unsupported_multisampling_is_refused(gl):
    posed = evaluate(tiny.avatar(ball_and_box()))
    with pytest.raises(RenderError, match=r"got supersample 3, 9 samples a pixel; allowed: 2, 4"):
        gl.render(posed, replace(VIEW, supersample=3, antialias="multisample"))


@pytest.mark.parametrize("software", [True, False])
def test_a_stream_is_the_same_frames_in_order(gl, monkeypatch, software):
    """As on software, and as on a GPU: through a ring of pixel buffers, whose sizes change."""
    posed = evaluate(tiny.avatar(ball_and_box()))
    views = [
        replace(VIEW, supersample=n, antialias=a, size=size, time=t)
        for t, (n, a, size) in enumerate(
            [(1, "auto", (64, 64)), (2, "supersample", (64, 64)), (2, "multisample", (64, 48)), (1, "auto", (32, 16))]
            * 2
        )
    ]
    monkeypatch.setattr(gl, "_software", software)
    for frame, view in zip(gl.stream((posed, v) for v in views), views, strict=True):
        reference = gl.render(posed, view)
        assert frame.draw_order == reference.draw_order
        np.testing.assert_array_equal(frame.rgba, reference.rgba)


def test_outline_lighting_mix_blends_from_flat_to_lit(gl):
    """The plain variant, without shading, draws what the lit one draws at a lighting mix of 0."""
    base = {
        "outline_width_mode": "worldCoordinates",
        "outline_width_factor": 0.1,
        "outline_color_factor": (0.2, 0.4, 0.6),
    }
    plain, nearly, lit = (
        shoot(gl, [(tiny.sphere(48), toon(**base, outline_lighting_mix_factor=mix))]) for mix in (0.0, 1e-6, 1.0)
    )
    assert np.abs(plain - nearly).max() <= 1
    assert np.abs(plain - lit).max() > 20


def test_rim_light_is_drawn_if_the_posed_material_has_it(gl):
    """A material without rim light is drawn by a variant without it; the variant follows the posed material."""
    dark, bright = (
        shoot(gl, [(tiny.sphere(48), toon(parametric_rim_color_factor=(c, 0, 0), parametric_rim_lift_factor=1.0))])
        for c in (0.0, 0.5)
    )
    assert middle(dark).tolist() == [255, 255, 255, 255]
    shaded = toon(
        base_color_factor=(0, 0, 0, 1), parametric_rim_color_factor=(0.5, 0, 0), parametric_rim_lift_factor=1.0
    )
    assert middle(shoot(gl, [(tiny.sphere(48), shaded)]))[0] > 150
    assert middle(bright).tolist() == [255, 255, 255, 255]


def test_rendering_many_sizes_keeps_the_number_of_cached_programs(gl):
    posed = evaluate(tiny.avatar([(tiny.sphere(), toon(base_color_factor=(0.8, 0.4, 0.2, 1)))]))
    frames = []
    for side in range(20, 40):
        gl.render(posed, replace(VIEW, size=(side, side)))
        scene_ = gl._scenes[posed.avatar]
        frames.append((len(scene_._variants), len(scene_._bound)))
    assert len(set(frames)) == 1


def test_more_joints_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(geometry, "MAX_MATRICES", 1)
    with pytest.raises(AvatarError, match="too many joints to draw; got 2; allowed: 1"):
        geometry.flatten(evaluate(tiny.avatar([(tiny.sphere(), toon())])))


def test_more_joints_than_a_uniform_block_holds_are_drawn_from_a_buffer(monkeypatch):
    rigid = evaluate(tiny.avatar([(tiny.sphere(), toon(base_color_factor=(0.8, 0.4, 0.2, 1)))]))
    skinned = evaluate(open_avatar("demo"), bones={"leftUpperArm": (0, 0, 0.5, 0.866)}, expressions={"happy": 0.7})
    figure = replace(VIEW, camera=Camera((0, 1, 4), (0, 1, 0)), outlines=True)
    pictures = []
    for largest in (scene_buffers.PALETTE_BLOCK, 1):
        monkeypatch.setattr(scene_buffers, "PALETTE_BLOCK", largest)
        with contextlib.closing(GLBackend()) as renderer:
            pictures.append([renderer.render(p, v).rgba for p, v in ((rigid, VIEW), (skinned, figure))])
    assert all(np.array_equal(block, buffer) for block, buffer in zip(*pictures, strict=True))
    assert all(rgba[..., 3].any() for rgba in pictures[0])


def test_an_error_of_the_driver_is_raised_with_the_picture(gl):
    """OpenGL notes errors and goes on: a picture drawn without memory would be returned as if it were one."""
    posed = evaluate(tiny.avatar([(tiny.sphere(), toon())]))
    gl.render(posed, VIEW)
    with gl._ctx:
        gl._ctx.extra._tex_parameter(0, 0, 0)  # no such target: GL_INVALID_ENUM
    with pytest.raises(RenderError, match="the driver failed while drawing; got GL_INVALID_ENUM"):
        gl.render(posed, VIEW)
    assert gl.render(posed, VIEW).rgba.any()
