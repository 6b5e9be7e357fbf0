"""A picture as data: Shot, the recipe, and (recipe, i) → Shot.

Each is imported when it is asked for: a Shot alone needs neither recipes nor pose library, and whoever only hands
shots on, none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy import lazily

if TYPE_CHECKING:
    from vrm_synth.shot.description import Shot
    from vrm_synth.shot.recipe import Recipe, builtin_recipe, load_recipe
    from vrm_synth.shot.sample import PlannedShot, plan_shot, preset_shot, shot_at, source_at

__all__ = [
    "PlannedShot", "Recipe", "Shot", "builtin_recipe", "load_recipe", "plan_shot", "preset_shot", "shot_at", "source_at"
]  # fmt: skip

__getattr__ = lazily(
    __name__,
    {
        "Shot": "description",
        **dict.fromkeys(("Recipe", "builtin_recipe", "load_recipe"), "recipe"),
        **dict.fromkeys(("PlannedShot", "plan_shot", "preset_shot", "shot_at", "source_at"), "sample"),
    },
)
