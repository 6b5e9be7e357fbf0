"""A picture as data: Shot, the recipe, and (recipe, i) → Shot.

A Shot alone needs neither recipes nor pose library; they are imported when they are asked for, because workers that
only draw would wait a tenth of a second for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vrm_synth.shot.description import Shot

if TYPE_CHECKING:
    from vrm_synth.shot.recipe import Recipe, builtin_recipe, load_recipe
    from vrm_synth.shot.sample import preset_shot, shot_at, source_at

__all__ = ["Recipe", "Shot", "builtin_recipe", "load_recipe", "preset_shot", "shot_at", "source_at"]

_HOMES = {
    **dict.fromkeys(("Recipe", "builtin_recipe", "load_recipe"), "recipe"),
    **dict.fromkeys(("preset_shot", "shot_at", "source_at"), "sample"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
