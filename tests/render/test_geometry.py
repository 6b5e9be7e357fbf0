"""The geometry buffer against a ray cast, and that nothing but the shot decides it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from tests.corpus import CORPUS, needs_corpus
from tests.render.ray_cast import ray_cast
from vrm_synth.api.avatars import demo_avatar, load
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import NO_BUFFERS, Buffers, View
from vrm_synth.render.geometry_buffer import NOTHING, GeometryBuffer, VertexLabels
from vrm_synth.shot.compose import compose_shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

EVERYTHING = frozenset({"uv", "geometric_normal", "normal", "shading", "rest_position", "albedo"})
SHARED = ["m_expressive.vrm", "crimsom.vrm", "v1_samplebot.vrm"]


def posed_view(avatar: Avatar, size: int = 192, pose: str = "wave") -> tuple[PosedAvatar, View]:
    shot, posed = compose_shot(avatar, "avatar", pose=pose, view="full_three_quarter_left_level", size=size)
    assert posed is not None
    return posed, replace(shot.view(), buffers=Buffers(geometry=EVERYTHING))


def shared_or_demo(name: str) -> Avatar:
    if name == "demo":
        return demo_avatar()
    assert CORPUS is not None
    return load(CORPUS / "avatars" / name)


@pytest.mark.parametrize("name", ["demo", *(pytest.param(n, marks=needs_corpus) for n in SHARED)])
def test_ids_depth_and_normals_are_those_of_a_ray_cast(gl, name):
    posed, view = posed_view(shared_or_demo(name))
    view = replace(view, mipmaps=False)  # the ray cast reads the alpha of whole textures
    geometry = gl.render(posed, view).geometry
    hits = ray_cast(posed, view.camera, view.size)
    interior = binary_erosion(geometry.mask & ~geometry.outline, np.ones((3, 3)))
    coincident = (
        np.abs(np.where(geometry.mask, geometry.depth, 0) - np.where(hits.triangle >= 0, hits.depth, -1)) < 1e-5
    )
    primitive = np.append(drawn_triangles(posed.avatar).primitive_of, NOTHING)
    same = (primitive[geometry.triangle] == primitive[hits.triangle]) | coincident
    assert interior.sum() > 1000
    assert same[interior].mean() >= 0.995
    at = interior & same & (hits.triangle >= 0)
    assert (np.abs(geometry.depth[at] - hits.depth[at]) < 1e-3).mean() >= 0.999
    at &= geometry.triangle == hits.triangle
    cosine = (geometry.geometric_normal * hits.normal).sum(-1)[at]
    assert (cosine > np.cos(np.radians(1))).mean() >= 0.999


def fields(geometry: GeometryBuffer) -> dict[str, np.ndarray]:
    return {name: getattr(geometry, name) for name in ("triangle", "outline", "depth", *sorted(EVERYTHING))}


@pytest.mark.parametrize(
    "change",
    [{"supersample": 1}, {"supersample": 4}, {"supersample": 2, "antialias": "multisample"}, {"background": None}],
    ids=str,
)
def test_the_buffer_does_not_depend_on_how_colors_are_drawn(gl, change):
    posed, view = posed_view(demo_avatar())
    wanted = fields(gl.render(posed, replace(view, supersample=2)).geometry)
    got = fields(gl.render(posed, replace(view, **change)).geometry)
    for name, values in wanted.items():
        np.testing.assert_array_equal(got[name], values, name)


def test_colors_do_not_depend_on_what_else_is_asked_for(gl):
    posed, view = posed_view(demo_avatar())
    labels = VertexLabels(np.full(drawn_triangles(posed.avatar).first_vertex[-1], 7, np.uint8))
    alone = gl.render(posed, replace(view, buffers=NO_BUFFERS)).rgba
    frame = gl.render(posed, replace(view, buffers=Buffers(True, labels, EVERYTHING, 2)))
    np.testing.assert_array_equal(frame.rgba, alone)
    assert set(np.unique(frame.surface.label)) == {0, 7}


def test_the_surface_of_the_samples_lies_where_the_buffer_does(gl):
    posed, view = posed_view(demo_avatar())
    numbered = drawn_triangles(posed.avatar)
    labels = VertexLabels(
        np.repeat(np.arange(1, 1 + len(numbered.primitives)), np.diff(numbered.first_vertex)).astype(np.uint8)
    )
    frames = [
        gl.render(posed, replace(view, buffers=Buffers(True, labels, EVERYTHING), supersample=n, antialias=antialias))
        for n, antialias in ((1, "supersample"), (2, "supersample"), (2, "multisample"))
    ]
    geometry = frames[0].geometry
    inner = binary_erosion(geometry.mask & ~geometry.outline, np.ones((5, 5)))
    of_triangle = labels.values[numbered.vertices_of[:, 2]]
    for frame in frames:
        exact = frame is not frames[1]  # of four samples none is at the pixel's centre
        close = np.abs(frame.surface.depth[inner] - geometry.depth[inner]) < (1e-4 if exact else 0.01)
        assert close.mean() > (0.99 if exact else 0.95)
        same = (frame.surface.label == np.append(of_triangle, 0)[geometry.triangle])[inner]
        assert same.mean() > (0.99 if exact else 0.95)


def test_layers_lie_behind_each_other_and_begin_with_the_nearest(gl):
    posed, view = posed_view(demo_avatar())
    frame = gl.render(posed, replace(view, outlines=False, buffers=Buffers(geometry=EVERYTHING, depth_layers=3)))
    first, second, third = (layer.depth for layer in frame.layers)
    opaque = np.isfinite(first) & np.isfinite(frame.geometry.depth)
    assert (first[opaque] <= frame.geometry.depth[opaque] + 1e-5).all()
    for nearer, farther in ((first, second), (second, third)):
        shown = np.isfinite(farther)
        assert shown.sum() > 500
        assert (farther[shown] > nearer[shown]).all()
    assert (np.isfinite(second) <= np.isfinite(first)).all()


def test_the_rest_position_of_a_rest_pose_is_the_position(gl):
    avatar = demo_avatar()
    _, view = posed_view(avatar)
    geometry = gl.render(evaluate(avatar), view).geometry
    shown = geometry.mask & ~geometry.outline
    world = view.camera.world_from_view()
    depth = -((geometry.rest_position - world[:3, 3]) @ world[:3, 2])
    np.testing.assert_allclose(depth[shown], geometry.depth[shown], atol=1e-4)


def test_an_outline_has_the_triangles_of_its_owner_and_lies_around_it(gl):
    posed, view = posed_view(demo_avatar(), size=512)
    with_outlines, without = (gl.render(posed, replace(view, outlines=on)).geometry for on in (True, False))
    assert with_outlines.outline.sum() > 200
    assert not without.outline.any()
    assert (with_outlines.mask >= without.mask).all()
    assert (with_outlines.triangle[with_outlines.outline] >= 0).all()


def test_labels_of_another_avatar_are_refused(gl):
    from vrm_synth.core.errors import RenderError

    posed, view = posed_view(demo_avatar())
    with pytest.raises(RenderError, match="labels of another avatar"):
        gl.render(posed, replace(view, buffers=Buffers(True, VertexLabels(np.ones(3, np.uint8)))))
