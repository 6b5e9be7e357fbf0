"""Labels estimated from depth, against those that OpenGL draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.facts.labels_by_depth import labels_by_depth
from vrm_synth.render.base import Buffers
from vrm_synth.render.geometry_buffer import VertexLabels
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.compose import preset_shot


@pytest.mark.parametrize(
    ("pose", "view"),
    [("wave", "full_front_level"), ("sit_floor", "cowboy_side_left_high"), ("shy", "face_front_level")],
)
def test_counts_by_part_are_nearly_those_that_are_drawn(pose: str, view: str) -> None:
    avatar = open_avatar("demo")
    groups = find_appearance(avatar, "demo").groups
    shot = preset_shot(avatar, "demo", pose, view, size=(256, 256))
    posed = pose_for(avatar, shot)
    backend = GLBackend()
    frame = backend.render(posed, replace(shot.view(), buffers=Buffers(surface=True, vertex_labels=groups.labels)))
    backend.close()
    assert frame.surface is not None and frame.surface.label is not None
    estimated = labels_by_depth(posed, shot.camera, frame.surface.depth, groups.labels)
    ours, drawn = (groups.count(label) for label in (estimated, frame.surface.label))
    assert ((estimated > 0) == np.isfinite(frame.surface.depth)).all()
    for part, pixels in drawn.by_part.items():
        if pixels > 300:  # thin outlines have their owner's label where they are drawn, another's here
            assert abs(ours.by_part.get(part, 0.0) - pixels) < 0.15 * pixels + 100, part


def test_a_picture_of_nothing_has_no_labels() -> None:
    avatar = open_avatar("demo")
    labels = find_appearance(avatar, "demo").groups.labels
    shot = preset_shot(avatar, "demo", "stand", "full_front_level", size=(32, 48))
    nothing = np.full((48, 32), np.inf, np.float32)
    posed = pose_for(avatar, shot)
    assert not labels_by_depth(posed, shot.camera, nothing, labels).any()
    unlabeled = VertexLabels(np.zeros_like(labels.values))
    assert not labels_by_depth(posed, shot.camera, np.full_like(nothing, 2.0), unlabeled).any()
