"""The nearest name: what was probably meant, or nothing."""

from __future__ import annotations

import pytest

from vrm_synth.core.near_names import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [("wive", "wave"), ("WAVE", "wave"), ("stnad", "stand"), ("zzz", ""), ("", ""), (7, ""), ("x" * 100_000, "")],
)
def test_the_nearest_of_some_names(name, near):
    assert nearest(name, ["stand", "wave", "Run"]) == near
    assert did_you_mean(name, ["stand", "wave", "Run"]) == (f" (did you mean {near}?)" if near else "")


def test_names_come_back_as_they_are_written_and_of_two_alike_the_nearer():
    assert nearest("runn", {"Run", "run"}) == "run" and nearest("RUNN", {"Run", "RUN"}) == "RUN"
