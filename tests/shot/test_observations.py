"""Observations: typed, checked, and unchanged by JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vrm_synth.core.errors import ShotError
from vrm_synth.shot.observations import Observations


def test_observations_survive_json() -> None:
    observations = Observations(framing="bust", face_in_sight=True, phrases=("waving",), azimuth=12.5, elevation=-3.0)
    assert Observations.from_json(json.loads(json.dumps(observations.to_json()))) == observations
    assert Observations().to_json().keys() == observations.to_json().keys()


def test_absent_and_null_keys_observe_nothing() -> None:
    assert Observations.from_json({}) == Observations.from_json({"azimuth": None, "phrases": None}) == Observations()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("azimuth", "left", r"observations\.azimuth"),
        ("azimuth", float("nan"), r"observations\.azimuth"),
        ("phrases", "waving", r"observations\.phrases"),
        ("phrases", [1], r"observations\.phrases"),
        ("face_in_sight", "yes", r"observations\.face_in_sight"),
        ("framin", "bust", "did you mean framing"),
    ],
)
def test_values_of_another_type_are_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(ShotError, match=message):
        Observations.from_json({key: value})
