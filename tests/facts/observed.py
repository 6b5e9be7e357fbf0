"""Planned shots drawn once and observed, for tests and benchmarks of facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.camera.camera import Camera
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.facts.facts import Facts
from vrm_synth.facts.observe import observe
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import PlannedShot, Recipe, plan_shot
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True, eq=False)
class Observed:
    """A shot, what was found in its picture, and the picture. rgba: (H, W, 4) uint8."""

    planned: PlannedShot
    posed: PosedAvatar
    facts: Facts
    rgba: NDArray[np.uint8]


@cache
def backend() -> GLBackend:
    """One OpenGL context for all."""
    return GLBackend()


def observe_shot(
    recipe: Recipe,
    i: int,
    open_avatar: Callable[[str], Avatar],
    overrides: PartOverrides | None = None,
    move: Callable[[Camera, float], Camera] | None = None,
    supersample: int | None = None,
) -> Observed:
    """Plan, draw and observe shot i of a recipe.

    move: another camera than planned, from it and the picture's width / height; supersample: another than the recipe's.
    """
    planned = plan_shot(recipe, i, open_avatar)
    shot = planned.shot
    if move is not None:
        camera = move(shot.camera, shot.size[0] / shot.size[1])
        shot = replace(shot, camera=camera)
        planned = replace(planned, shot=shot, view=replace(planned.view, camera=camera))
    if supersample is not None:
        shot = replace(shot, supersample=supersample)
    avatar = planned.view.posed.avatar
    appearance = find_appearance(avatar, shot.figure.avatar, overrides)
    posed = pose_for(avatar, shot) if planned.posed is None else planned.posed
    buffers = Buffers(surface=True, vertex_labels=appearance.groups.labels)
    frame = backend().render(posed, replace(shot.view(), buffers=buffers))
    assert frame.surface is not None
    return Observed(planned, posed, observe(planned, appearance, frame.surface), frame.rgba)


def ray_cast_ids(observed: Observed) -> NDArray[np.int32]:
    """(H, W) triangles at the centres of the picture's pixels, −1 for the background."""
    view = replace(observed.planned.shot.view(), buffers=Buffers(geometry=frozenset()))
    geometry = backend().render(observed.posed, view).geometry
    assert geometry is not None
    return geometry.triangle
