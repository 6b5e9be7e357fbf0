"""Passes as arrays: shapes, dtypes, values of the background, and that they agree with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.passes.pictures import EVERYTHING, LAYERS, SIZE, demo, posed_view
from vrm_synth.camera.camera import Camera
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.errors import RenderError
from vrm_synth.core.passes import PASSES
from vrm_synth.core.transforms import transform_points
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.passes.pass_arrays import BACKGROUND, NO_BONE, pass_array, rest_box
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.render.base import Frame, View

WIDTH, HEIGHT = SIZE
FLOATS = {
    "depth": (), "depth_metres": (), "normal": (3,), "geometric_normal": (3,), "uv": (2,), "nocs": (3,),
    "position": (3,), "shading": (),
}  # fmt: skip
IDS = {"parts": len(PART_NAMES), "body_parts": len(BONE_NAMES), "instances": 1}
COLORS = ("albedo", "pose", "depth_inverse", "normal_map", "lines")


def test_every_pass_is_an_array_of_its_kind(arrays):
    kinds = {name: ("float32", (HEIGHT, WIDTH, *more)) for name, more in FLOATS.items()}
    kinds |= dict.fromkeys((*IDS, "materials", "nodes"), ("int32", (HEIGHT, WIDTH)))
    kinds |= dict.fromkeys(("mask", "outline"), ("bool", (HEIGHT, WIDTH)))
    kinds |= dict.fromkeys(COLORS, ("uint8", (HEIGHT, WIDTH, 3)))
    kinds |= {"depth_layers": ("float32", (LAYERS, HEIGHT, WIDTH))}
    assert {name: (str(a.dtype), a.shape) for name, a in arrays.items()} == kinds
    assert kinds.keys() == PASSES.keys()


def test_ids_are_those_of_the_legend(arrays):
    legends = IDS | {"materials": len(demo().materials), "nodes": len(demo().nodes)}
    for name, count in legends.items():
        others = {NO_BONE} if name == "body_parts" else set()
        assert set(np.unique(arrays[name]).tolist()) - others <= {BACKGROUND, *range(count)}, name
        np.testing.assert_array_equal(arrays[name] == BACKGROUND, ~arrays["mask"], name)
    assert len(np.unique(arrays["parts"])) > 8 and len(np.unique(arrays["body_parts"])) > 10


def test_the_background_has_the_values_that_the_documentation_names(arrays):
    background = ~arrays["mask"]
    assert background.any() and arrays["mask"].any()
    assert np.isposinf(arrays["depth"][background]).all() and np.isnan(arrays["position"][background]).all()
    for name in ("normal", "geometric_normal", "uv", "nocs", "albedo", "shading", "outline", "depth_inverse", "lines"):
        assert not arrays[name][background].any(), name
    assert (arrays["normal_map"][background] == (128, 128, 255)).all()


def test_the_position_projects_onto_its_pixel_at_the_drawn_depth(source, arrays):
    view = transform_points(source.camera.view_from_world(), arrays["position"][arrays["mask"]].astype(float))
    np.testing.assert_allclose(-view[:, 2], arrays["depth"][arrays["mask"]], atol=1e-5)
    clip = np.c_[view, np.ones(len(view))] @ source.camera.clip_from_view(*SIZE).T
    pixel = (clip[:, :2] / clip[:, 3:] * [0.5, -0.5] + 0.5) * SIZE
    np.testing.assert_allclose(pixel, np.argwhere(arrays["mask"])[:, ::-1] + 0.5, atol=1e-3)


def test_the_position_of_a_rest_pose_is_that_of_nocs(gl):
    posed = evaluate(demo())
    camera = Camera(position=(1.0, 1.2, 3.0), target=(0.0, 0.8, 0.0), fov_y=35)
    view = View(camera, SIZE, outlines=False, buffers=EVERYTHING)
    rest = PassInput.of(posed, view, gl.render(posed, view))
    low, high = rest_box(demo())
    cube, mask = pass_array("nocs", rest), rest.geometry.mask
    points = (cube - 0.5) * np.linalg.norm(high - low) + (low + high) / 2
    np.testing.assert_allclose(points[mask], pass_array("position", rest)[mask], atol=2e-3)
    assert cube[mask].min() >= 0 and cube[mask].max() <= 1
    orthographic = replace(view, camera=replace(camera, ortho_height=2.0))
    flat = PassInput.of(posed, orthographic, gl.render(posed, orthographic))
    points = (pass_array("nocs", flat) - 0.5) * np.linalg.norm(high - low) + (low + high) / 2
    mask = flat.geometry.mask
    np.testing.assert_allclose(points[mask], pass_array("position", flat)[mask], atol=2e-3)


def test_normals_have_unit_length_and_those_of_planes_face_the_viewer(source, arrays):
    mask = arrays["mask"]
    for name in ("normal", "geometric_normal"):
        np.testing.assert_allclose(np.linalg.norm(arrays[name][mask], axis=-1), 1, atol=1e-3)
    points = transform_points(source.camera.view_from_world(), arrays["position"][mask])
    assert ((points * arrays["geometric_normal"][mask]).sum(-1) <= 1e-4).mean() > 0.999


def test_the_first_layer_is_the_nearest_surface(arrays):
    first, second, third = arrays["depth_layers"]
    drawn = np.isfinite(first) & arrays["mask"] & ~arrays["outline"]  # layers have no outlines
    assert (first[drawn] <= arrays["depth"][drawn] + 1e-5).all()
    for nearer, farther in ((first, second), (second, third)):
        assert (farther[np.isfinite(farther)] > nearer[np.isfinite(farther)]).all()


def test_body_parts_of_the_figure_are_where_their_bones_are(source, arrays):
    head = BONE_NAMES.index("head")
    rows = np.flatnonzero((arrays["body_parts"] == head).any(1))
    drawn = np.flatnonzero(arrays["mask"].any(1))
    assert rows.size and rows.min() <= drawn.min() + 2  # the head is on top
    feet = {BONE_NAMES.index(n) for n in ("leftFoot", "rightFoot", "leftToes", "rightToes")}
    assert feet & set(np.unique(arrays["body_parts"][drawn.max() - 3 : drawn.max() + 1]).tolist())


def test_a_frame_without_a_geometry_buffer_is_refused(source):
    posed, view = posed_view()
    with pytest.raises(RenderError, match="draws no geometry buffer"):
        PassInput.of(posed, view, Frame(np.zeros((HEIGHT, WIDTH, 4), np.uint8)))
