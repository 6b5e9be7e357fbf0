"""Renderer.render with passes and annotations."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import vrm_synth as vs
from vrm_synth.core.errors import RenderError
from vrm_synth.core.passes import PASSES
from vrm_synth.parts import PART_NAMES

OPTIONS = {"view": "bust_front_level", "size": (48, 64)}


@pytest.fixture(scope="module")
def avatar() -> vs.Avatar:
    return vs.demo_avatar()


@pytest.fixture(scope="module")
def renderer():
    with vs.Renderer() as renderer:
        yield renderer


def test_passes_are_arrays_by_their_names(renderer, avatar):
    frame = renderer.render(avatar, passes=("depth", "parts", "depth_layers"), depth_layers=2, **OPTIONS)
    assert set(frame.passes) == {"depth", "parts", "depth_layers"} and frame.annotation is None
    assert frame.passes["depth"].shape == (64, 48) and frame.passes["depth_layers"].shape == (2, 64, 48)
    assert np.isfinite(frame.passes["depth"]).any()
    plain = renderer.render(avatar, **OPTIONS)
    assert plain.passes == {} and plain.annotation is None and plain.geometry is None
    np.testing.assert_array_equal(plain.rgba, frame.rgba)


def test_every_pass_can_be_drawn_alone(renderer, avatar):
    """The fields of the geometry buffer that a pass needs are asked for."""
    together = renderer.render(avatar, passes=tuple(PASSES), **OPTIONS).passes
    for name in PASSES:
        (array,) = renderer.render(avatar, passes=[name], **OPTIONS).passes.values()
        np.testing.assert_array_equal(array, together[name], name)


def test_an_annotation_comes_where_it_is_asked_for(renderer, avatar):
    frame = renderer.render(avatar, annotate=True, **OPTIONS)
    parts = renderer.render(avatar, passes=["parts"], **OPTIONS).passes["parts"]
    seen = {PART_NAMES[i] for i in np.unique(parts).tolist() if i > 0}
    assert frame.annotation.part_boxes.keys() == seen and len(seen) > 5
    for name, (x, y, width, height) in frame.annotation.part_boxes.items():
        rows, columns = np.nonzero(parts == PART_NAMES.index(name))
        assert (x, y, x + width, y + height) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert frame.passes == {} and frame.annotation is not None
    assert frame.annotation.boxes["figure"] is not None and frame.annotation.size == (48, 64)
    assert "nose" in frame.annotation.keypoints.names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"passes": ["dept"]}, r"no such pass \(did you mean depth\?\); got 'dept'"),
        ({"passes": ["depth_layers"], "depth_layers": 0}, "not a number of layers; got 0; allowed: 1 to 16"),
        ({"passes": ["depth_layers"], "depth_layers": 17}, "not a number of layers; got 17"),
    ],
)
def test_a_wrong_pass_is_one_line(renderer, avatar, arguments, message):
    with pytest.raises(RenderError, match=message) as e:
        renderer.render(avatar, **arguments, **OPTIONS)
    assert "\n" not in str(e.value)


def test_a_text_is_no_list_of_passes(renderer, avatar):
    with pytest.raises(RenderError, match="not a list of passes; got 'depth'"):
        renderer.render(avatar, passes="depth", **OPTIONS)


def test_pyrender_has_no_ground_truth(avatar):
    pytest.importorskip("pyrender")
    with vs.Renderer("pyrender") as renderer:
        assert renderer.render(avatar, **OPTIONS).passes == {}
        for arguments in ({"passes": ["mask"]}, {"annotate": True}):
            with pytest.raises(RenderError, match="draws no geometry buffer"):
                renderer.render(avatar, **arguments, **OPTIONS)


def test_help_shows_the_arguments():
    parameters = inspect.signature(vs.Renderer.render).parameters
    assert {"passes", "depth_layers", "annotate", "part_overrides"} <= parameters.keys()
    assert "depth_layers: surfaces behind each other" in (inspect.getdoc(vs.Renderer.render) or "")
