"""Light setups: the key light is on the camera side of the figure, and the sum is not overexposed."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.rng import rng
from vrm_synth.core.transforms import direction_to_camera
from vrm_synth.stage.light_setups import SETUPS, light


@pytest.mark.parametrize("setup", SETUPS)
def test_the_light_falls_on_what_the_camera_sees(setup: str) -> None:
    sides = set()
    for i in range(60):
        azimuth = float(rng(0, "azimuth", i).uniform(-180, 180))
        key, fill = light(setup, azimuth, rng(0, "light", i))
        travels = np.array(key.direction)
        assert np.linalg.norm(travels) == pytest.approx(1)
        assert travels @ direction_to_camera(azimuth, 0) < -0.1  # away from the camera
        assert travels[1] < 0  # downward
        brightest = key.intensity * max(key.color) + fill.intensity * max(fill.color)
        assert 0.85 < brightest < 1.2
        sides.add(bool(np.cross(direction_to_camera(azimuth, 0), -travels)[1] > 0))
    assert sides == {True, False}


def test_the_top_key_is_steep_and_the_flat_fill_strong() -> None:
    def key(setup: str) -> tuple[float, float]:
        lights = [light(setup, 0.0, rng(0, "light", i)) for i in range(40)]
        return float(np.mean([-k.direction[1] for k, _ in lights])), float(np.mean([f.intensity for _, f in lights]))

    assert key("top")[0] > 0.8 > key("front")[0]
    assert key("flat")[1] > 0.5 > key("side")[1]


def test_unknown_setups_are_refused() -> None:
    with pytest.raises(RecipeError, match="unknown lighting"):
        light("disco", 0.0, rng(0, "light"))
