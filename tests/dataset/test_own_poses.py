"""Datasets with the user's own pose files: dataset.json contains the poses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from vrm_synth.cli.main import main

POSE = "say:\n- text: pointing up\nbones:\n  rightUpperArm: [-71, 17, 5]\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "mine.yaml").write_text(POSE)
    (tmp_path / "recipe.yaml").write_text(
        "avatars: [demo]\ncount: 4\nsize: 48\nsettle_seconds: null\nposes: [wave, poses/*.yaml]\n"
    )
    return tmp_path / "recipe.yaml"


def test_a_dataset_does_not_need_the_users_pose_files_again(recipe: Path) -> None:
    out, file = recipe.parent / "out", recipe.parent / "poses" / "mine.yaml"
    render = ("render", recipe, "-o", out, "--workers", 1)
    assert run(*render).exit_code == 0
    recipe_json = json.loads((out / "dataset.json").read_text())["recipe"]
    assert recipe_json["own_poses"]["mine"]["bones"] == {"rightUpperArm": [-71.0, 17.0, 5.0]}
    assert recipe_json["poses"] == {"wave": 1.0, "mine": 1.0}
    assert "nothing was missing" in run(*render).output

    file.write_text(POSE.replace("-71", "-60"))
    refused = run(*render)
    assert refused.exit_code == 1 and "differs in own_poses" in refused.output
    file.unlink()
    assert "poses[1]: the glob matches no file" in run(*render).output
    assert run("verify", out, "--redraw", 4).exit_code == 0
    next((out / "train").rglob("*.png")).unlink()
    repaired = run("verify", out, "--repair")
    assert repaired.exit_code == 0, repaired.output
    assert run("verify", out, "--redraw", 4).exit_code == 0


def test_dataset_json_has_no_own_poses_without_any(recipe: Path) -> None:
    recipe.write_text("avatars: [demo]\ncount: 1\nsize: 48\nsettle_seconds: null\n")
    assert run("render", recipe, "-o", recipe.parent / "out", "--workers", 1).exit_code == 0
    assert "own_poses" not in (recipe.parent / "out" / "dataset.json").read_text()


def test_poses_show_draws_a_file(recipe: Path) -> None:
    file, out = recipe.parent / "poses" / "mine.yaml", recipe.parent / "mine.png"
    result = run("poses", "show", file, "wave", "-o", out)
    assert result.exit_code == 0, result.output
    with Image.open(out) as sheet:
        assert sheet.width >= 2 * 256
    file.write_text("bones: {haed: [1, 2, 3]}\n")
    refused = run("poses", "show", file, "-o", out)
    assert refused.exit_code == 1
    assert f"Error: {file}:1: bones.haed: unknown bone (did you mean head?)" in refused.output
    assert "did you mean mine.yaml?" in run("poses", "show", file.with_name("mien.yaml"), "-o", out).output
