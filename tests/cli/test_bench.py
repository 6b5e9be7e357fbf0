"""vrm-synth bench: the report as text and as JSON."""

from __future__ import annotations

import json

from tests.cli.command import error, run


def test_bench_prints_rates_stages_and_advice(folder):
    text = run("bench", folder / "free.vrm", "--count", 2, "--workers", 1, "--size", 32).stdout
    assert "1 worker" in text and "pictures/s" in text and "free.vrm" in text
    assert all(f"\n  {stage} " in text for stage in ("load", "plan", "pose", "draw", "read back", "encode", "write"))
    assert "\n- " in text
    report = json.loads(run("bench", folder / "free.vrm", "--count", 2, "--workers", 1, "--size", 32, "--json").stdout)
    assert report["rates"][0]["workers"] == 1 and report["advice"]


def test_bench_refuses_a_file_that_is_not_an_avatar(folder):
    assert "free.glb" in error("bench", folder / "free.glb", "--count", 2)
