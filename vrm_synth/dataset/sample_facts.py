"""The facts of one picture of a dataset, and what they need: its avatar's appearance, with the user's own words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.appearance import Appearance
from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.facts.facts import Facts
from vrm_synth.facts.observe import observe
from vrm_synth.parts.overrides import overrides_of
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Frame
from vrm_synth.render.geometry_buffer import VertexLabels, VisibleSurface
from vrm_synth.shot.planner import PlannedShot
from vrm_synth.shot.recipe import CharacterWords, Recipe, words_of
from vrm_synth.vrm.avatar import Avatar


def appearance_of(recipe: Recipe, avatar: Avatar, source: str) -> Appearance:
    """The appearance of an avatar of a recipe: by its `parts`, and its `characters` on top. Found once an avatar."""
    found = find_appearance(avatar, source, overrides_of(recipe.parts, source))
    return with_words(found, words_of(recipe.characters, source))


def with_words(appearance: Appearance, words: CharacterWords | None) -> Appearance:
    """The appearance with what the user knows better."""
    if words is None:
        return appearance
    given = {k: v for k, v in words.model_dump().items() if v is not None}
    return replace(appearance, **given)


def facts_of(planned: PlannedShot, appearance: Appearance, posed: PosedAvatar, frame: Frame) -> Facts:
    """The facts of a picture. posed, frame: as drawn, with appearance.groups.labels where the renderer has labels.

    Raises ShotError where the frame has no surface.
    """
    surface = frame.surface
    if surface is None:
        raise ShotError("a picture drawn without its surface", allowed="Buffers(surface=True)")
    if surface.label is None:
        labels = appearance.groups.labels
        surface = VisibleSurface(surface.depth, _labels(posed, planned.shot.camera, surface.depth, labels))
    return observe(planned, appearance, surface)


def _labels(posed: PosedAvatar, camera: Camera, depth: NDArray[np.float32], labels: VertexLabels) -> NDArray[np.uint8]:
    from vrm_synth.facts.labels_by_depth import labels_by_depth

    return labels_by_depth(posed, camera, depth, labels)
