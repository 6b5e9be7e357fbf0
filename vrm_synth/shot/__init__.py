"""A picture as data: Shot, the recipe, and (recipe, i) → Shot."""

from vrm_synth.shot.description import Shot
from vrm_synth.shot.recipe import Recipe, builtin_recipe, load_recipe
from vrm_synth.shot.sample import preset_shot, shot_at, source_at

__all__ = ["Recipe", "Shot", "builtin_recipe", "load_recipe", "preset_shot", "shot_at", "source_at"]
