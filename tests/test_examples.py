"""The examples run, and say of themselves what is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from vrm_synth.avatar import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.dataset.take import take
from vrm_synth.render.gl.renderer import GLRenderer
from vrm_synth.shot import load_recipe, shot_at

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_recipe_renders(path):
    recipe = load_recipe(path)
    shot = shot_at(recipe, recipe.count - 1, open_avatar)
    renderer = GLRenderer()
    _, frame = take(renderer, open_avatar(shot.avatar), shot)
    renderer.close()
    assert frame.rgba.shape == (recipe.size[1], recipe.size[0], 4)
    assert f"vrm-synth render examples/{path.name} " in path.read_text()


def test_the_list_of_shots_is_answered(tmp_path):
    done = CliRunner().invoke(main, ["shots", str(EXAMPLES / "features.json"), "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for entry in json.loads((EXAMPLES / "features.json").read_text()):
        assert json.loads((tmp_path / f"{entry['id']}.json").read_text())["warnings"] == []
        with Image.open(tmp_path / f"{entry['id']}.png") as picture:
            assert picture.size == (512, 512) and len(picture.getcolors(1 << 20)) > 100


def test_the_script_draws_its_picture(tmp_path):
    command = [sys.executable, EXAMPLES / "one_picture.py", "demo", tmp_path / "a.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "licence CC0" in done.stdout
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (512, 512) and len(picture.getcolors(1 << 20)) > 100


def test_the_road_from_render_to_preview(tmp_path):
    command = [sys.executable, EXAMPLES / "train_tiny.py", tmp_path / "a b", "3", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("$ vrm-synth") == 4
    assert len(list((tmp_path / "a b" / "samples").glob("0*.png"))) == 4
    assert (tmp_path / "a b" / "run" / "preview.html").read_text().count("<img ") == 2 * 4


def test_the_list_of_examples_is_whole():
    listed = set(re.findall(r"^\| \[([\w.]+)\]\(\1\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == {p.name for p in EXAMPLES.iterdir() if p.suffix in (".yaml", ".json", ".py")}
