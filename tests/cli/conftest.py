"""A working folder for the tests of commands: avatars, a recipe and a list of shots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.dataset.conftest import shot
from tests.vrm.vrm_file import glb, vrm0, vrm1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with free.vrm (CC0), kept.vrm (not), old.vrm (VRM 0.x), recipe.yaml and shots.json."""
    doc, data = vrm1()
    (tmp_path / "free.vrm").write_bytes(glb(doc, bytes(data)))
    del doc["extensions"]["VRMC_vrm"]["meta"]["otherLicenseUrl"]
    (tmp_path / "kept.vrm").write_bytes(glb(doc, bytes(data)))
    doc, data = vrm0()
    (tmp_path / "old.vrm").write_bytes(glb(doc, bytes(data)))
    (tmp_path / "recipe.yaml").write_text("avatars: [free.vrm]\ncount: 6\nsize: 32\nsettle_seconds: 0\n")
    (tmp_path / "shots.json").write_text(json.dumps([shot("a"), shot("b", "kept.vrm"), shot("c", "old.vrm")]))
    return tmp_path
