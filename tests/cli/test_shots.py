"""vrm-synth shots: pictures and answers, failed shots, licenses."""

from __future__ import annotations

import json
import os

import pytest

from tests.cli.command import error, run
from tests.dataset.conftest import shot


def test_the_manifest_license_of_every_avatar_is_found_by_its_hash():
    from vrm_synth.cli.shots import _manifest_license
    from vrm_synth.licensing.evidence import load_evidence

    for sha256, entry in load_evidence().items():
        assert _manifest_license(sha256) == f"; {entry.license} by {entry.evidence}"
    assert _manifest_license("0" * 64) == ""


def test_shots_renders_each_and_prints_licenses(folder):
    result = run("shots", folder / "shots.json", "-o", folder / "out")
    assert result.stdout == f"3 pictures in {folder / 'out'}\n"
    assert sorted(os.listdir(folder / "out")) == ["a.json", "a.png", "b.json", "b.png", "c.json", "c.png"]
    assert "free.vrm: license CC0" in result.stderr
    assert "kept.vrm: license VRM Public License 1.0" in result.stderr


def test_shots_exits_with_1_if_a_shot_failed(folder):
    (folder / "shots.json").write_text(json.dumps([shot("a"), shot("b", "none.vrm"), shot("c", size=[0, 0])]))
    result = run("shots", folder / "shots.json", "-o", folder / "out", code=1)
    assert result.stdout == f"1 picture in {folder / 'out'}, 2 failed\n"
    assert sorted(os.listdir(folder / "out")) == ["a.json", "a.png", "b.json", "c.json"]
    assert sum(line.startswith("Error: ") for line in result.stderr.splitlines()) == 2


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "..\\a"])
def test_shots_writes_nothing_outside_its_folder(folder, name):
    (folder / "shots.json").write_text(json.dumps([shot("a"), shot(name)]))
    before = sorted(os.listdir(folder))
    assert "no usable id" in error("shots", folder / "shots.json", "-o", folder / "out")
    assert sorted(os.listdir(folder)) == before
