"""Find the appearance of an avatar: labels of its surface, colors of its textures, names of its parts."""

from __future__ import annotations

from vrm_synth.appearance.appearance import Appearance
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.vrm.avatar import Avatar


def find_appearance(avatar: Avatar, source: str, overrides: PartOverrides | None = None) -> Appearance:
    """The appearance of an avatar; found once an avatar, source and overrides. source: as in the recipe."""
    raise NotImplementedError
