"""A picture as data: Shot, Recipe, and (recipe, i) → Shot.

Names are imported at their first use: a Shot alone needs neither recipes nor the pose library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.shot.avatar_inputs import builtin_recipe, default_recipe, recipe_of
    from vrm_synth.shot.compose import compose_shot, preset_shot
    from vrm_synth.shot.planner import PlannedShot, plan_shot, source_at
    from vrm_synth.shot.recipe import Recipe, load_recipe
    from vrm_synth.shot.shot import Shot

__all__ = [
    "PlannedShot",
    "Recipe",
    "Shot",
    "builtin_recipe",
    "compose_shot",
    "default_recipe",
    "load_recipe",
    "plan_shot",
    "preset_shot",
    "recipe_of",
    "source_at",
]

__getattr__ = lazily(
    __name__,
    {
        "Shot": "shot",
        **dict.fromkeys(("builtin_recipe", "default_recipe", "recipe_of"), "avatar_inputs"),
        **dict.fromkeys(("compose_shot", "preset_shot"), "compose"),
        **dict.fromkeys(("Recipe", "load_recipe"), "recipe"),
        **dict.fromkeys(("PlannedShot", "plan_shot", "source_at"), "planner"),
    },
)
