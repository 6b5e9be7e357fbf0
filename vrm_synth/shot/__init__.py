"""A picture as data: Shot, and the recipe that makes shot i."""

from vrm_synth.shot.description import Shot

__all__ = ["Shot"]
