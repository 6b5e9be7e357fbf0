"""Planned shots, drawn and observed: what a dataset's row says of them, for tests of planning and captions."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.camera.camera import Camera
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.dataset.sample_facts import facts_of
from vrm_synth.facts.facts import Facts
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers, View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import PlannedShot


@cache
def _backend() -> GLBackend:
    return GLBackend()


def drawn_depth(posed: PosedAvatar, camera: Camera, size: tuple[int, int] = (512, 512)) -> NDArray[np.float32]:
    """(H, W) the depth that a picture of a posed avatar shows, metres."""
    frame = _backend().render(posed, View(camera, size, buffers=Buffers(surface=True)))
    assert frame.surface is not None
    return frame.surface.depth


def observe_drawn(planned: PlannedShot, source: str | None = None) -> Facts:
    """The facts of a planned shot's picture. source: of its avatar; None for the shot's own."""
    shot = planned.shot
    avatar = planned.view.posed.avatar
    posed = pose_for(avatar, shot) if planned.posed is None else planned.posed
    appearance = find_appearance(avatar, source or shot.figure.avatar)
    buffers = Buffers(surface=True, vertex_labels=appearance.groups.labels)
    frame = _backend().render(posed, replace(shot.view(), buffers=buffers))
    return facts_of(planned, appearance, posed, frame)
