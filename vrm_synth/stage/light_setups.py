"""Light setups by name: where the key light stands as seen from the camera, and how strong its fill is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.transforms import direction_to_camera
from vrm_synth.core.vectors import Vec3
from vrm_synth.stage.light_types import Ambient, Light

Span = tuple[float, float]


@dataclass(frozen=True)
class LightSetup:
    """Ranges a shot draws from. azimuth: degrees to either side of the camera; elevation: degrees above it;
    key and fill: intensities of the directional and the ambient light."""

    azimuth: Span
    elevation: Span
    key: Span
    fill: Span


# key + fill stays near 1, so that a white cloth is white and no colour is burnt out.
SETUPS: dict[str, LightSetup] = {
    "front": LightSetup((5, 30), (15, 40), (0.62, 0.75), (0.28, 0.38)),
    "side": LightSetup((50, 80), (10, 45), (0.68, 0.82), (0.24, 0.34)),
    "top": LightSetup((0, 35), (55, 75), (0.62, 0.75), (0.30, 0.40)),
    "flat": LightSetup((0, 15), (10, 25), (0.30, 0.42), (0.58, 0.68)),
}
# Tints of the key light, linear RGB: a lamp, daylight, a cool sky. None turns a colour into another's name.
TINTS: tuple[Vec3, ...] = ((1.0, 1.0, 1.0), (1.0, 0.97, 0.92), (0.95, 0.98, 1.0))


def light(setup: str, camera_azimuth: float, rng: np.random.Generator) -> tuple[Light, Ambient]:
    """The lights of one shot; azimuth of the camera in degrees. Raises RecipeError for an unknown setup."""
    if setup not in SETUPS:
        raise RecipeError(f"unknown lighting{did_you_mean(setup, SETUPS)}", got=setup, allowed=", ".join(SETUPS))
    s = SETUPS[setup]
    side = 1.0 if rng.random() < 0.5 else -1.0
    from_light = direction_to_camera(camera_azimuth + side * rng.uniform(*s.azimuth), rng.uniform(*s.elevation))
    x, y, z = (-from_light).tolist()
    tint = TINTS[int(rng.integers(len(TINTS)))]
    return Light((x, y, z), tint, float(rng.uniform(*s.key))), Ambient((1.0, 1.0, 1.0), float(rng.uniform(*s.fill)))
