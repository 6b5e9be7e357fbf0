"""Suggestions for misspelt names."""

from __future__ import annotations

import pytest

from vrm_synth.core.near_names import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [("wive", "wave"), ("WAVE", "wave"), ("stnad", "stand"), ("zzz", ""), ("", ""), (7, ""), ("x" * 100_000, "")],
)
def test_the_nearest_name_is_suggested(name, near):
    assert nearest(name, ["stand", "wave", "Run"]) == near
    assert did_you_mean(name, ["stand", "wave", "Run"]) == (f" (did you mean {near}?)" if near else "")


def test_names_keep_their_case_and_the_nearer_of_two_wins():
    assert nearest("runn", {"Run", "run"}) == "run" and nearest("RUNN", {"Run", "RUN"}) == "RUN"
