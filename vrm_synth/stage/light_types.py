"""Lights: one directional, one ambient, as in the shots format."""

from __future__ import annotations

from dataclasses import dataclass

from vrm_synth.core.vectors import Vec3


@dataclass(frozen=True)
class Light:
    """A directional light. direction: the way it travels; color: linear RGB; intensity 1.0 on a white
    lit colour gives white."""

    direction: Vec3 = (-0.5, -0.6, -1.0)
    color: Vec3 = (1.0, 1.0, 1.0)
    intensity: float = 0.8


@dataclass(frozen=True)
class Ambient:
    """Light from everywhere: linear RGB times intensity.

    ground: the colour from below where it is another one; `color` is then the sky's, and a surface gets a
    mix of both by where its normal points in the world.
    """

    color: Vec3 = (1.0, 1.0, 1.0)
    intensity: float = 0.25
    ground: Vec3 | None = None
