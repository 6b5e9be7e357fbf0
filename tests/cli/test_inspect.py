"""vrm-synth inspect: table and JSON of each file, evidence about licenses, broken files."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import run
from tests.corpus import CORPUS, needs_corpus
from tests.dataset.conftest import shot
from vrm_synth.vrm import load


def test_inspect_prints_a_table_and_json_of_each_file(folder):
    text = run("inspect", folder / "free.vrm", folder / "old.vrm").stdout
    assert "VRM 1.0" in text and "VRM 0.x" in text and "CC0" in text
    facts = json.loads(run("inspect", folder / "free.vrm", folder / "old.vrm", "--json").stdout)
    assert [f["vrm_version"] for f in facts] == ["1", "0"]
    assert facts[0]["sha256"] == load(folder / "free.vrm").sha256


@needs_corpus
def test_license_evidence_of_the_manifest_is_printed_beside_the_files_license(folder):
    path = CORPUS / "avatars" / "boombox_export4.vrm"
    text = run("inspect", path).stdout
    assert "Redistribution_Prohibited" in text and "evidence: CC0-1.0 by https://github.com/gm3/boom-tools" in text
    assert json.loads(run("inspect", path, "--json").stdout)[0]["evidence"]["license"] == "CC0-1.0"
    (folder / "shots.json").write_text(json.dumps([shot("a", path)]))
    errors = run("shots", folder / "shots.json", "-o", folder / "out").stderr
    assert "license Redistribution_Prohibited; CC0-1.0 by https://" in errors


def test_inspect_goes_on_past_a_broken_file(folder):
    (folder / "page.vrm").write_text("<html>")
    result = run("inspect", folder / "page.vrm", folder / "none.vrm", folder / "free.vrm", "--json", code=1)
    facts = json.loads(result.stdout)
    assert [("error" in f) for f in facts] == [True, True, False]
    assert len(result.stderr.splitlines()) == 2 and "page.vrm" in result.stderr and "none.vrm" in result.stderr


def test_inspect_says_what_parts_the_surface_is_taken_for_and_why():
    rows = json.loads(run("inspect", "demo", "--json").stdout)[0]["parts"]
    shoe = next(row for row in rows if row["subject"] == "Shoe")
    assert (shoe["part"], shoe["why"]) == ("shoes", "material name")
    assert sum(row["share"] for row in rows) == pytest.approx(1.0, abs=0.01)
    lines = run("inspect", "demo").stdout.splitlines()
    assert any("shoes" in line and line.endswith("material name: Shoe, Sole") for line in lines)
