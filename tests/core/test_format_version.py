"""Format numbers: older files are read, newer ones are refused in one line."""

from __future__ import annotations

import pytest

from vrm_synth.core.errors import DatasetError, RecipeError, ShotError
from vrm_synth.core.format_version import check_format
from vrm_synth.pose.pose_library import read_pose
from vrm_synth.shot import Shot, load_recipe


def test_a_missing_number_is_the_first_format():
    assert check_format(None, 3) == 1
    assert [check_format(n, 3) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_newer_format_is_refused_with_what_is_known():
    message = r"^dataset\.json: a format newer than this version of vrm-synth; got 4; allowed: up to 3$"
    with pytest.raises(DatasetError, match=message):
        check_format(4, 3, "dataset.json")


@pytest.mark.parametrize("value", [0, -1, True, "1", 1.0, [1]])
def test_a_format_that_is_no_number_is_refused_with_the_readers_error(value):
    with pytest.raises(RecipeError, match="not a format number"):
        check_format(value, 3, error=RecipeError)


def test_recipes_and_pose_files_may_say_their_format(tmp_path):
    recipe, pose = tmp_path / "recipe.yaml", tmp_path / "mine.yaml"
    recipe.write_text("format: 1\navatars: [demo]\ncount: 1\nseed: 1\n")
    pose.write_text("format: 1\nsay: [{text: standing}]\n")
    assert load_recipe(recipe).count == 1 and read_pose(pose).name == "mine"
    for file, reader in ((recipe, load_recipe), (pose, read_pose)):
        file.write_text(file.read_text().replace("format: 1", "format: 2"))
        with pytest.raises(RecipeError, match=r"yaml:1: a format newer than this version of vrm-synth; got 2"):
            reader(file)


def test_a_shot_may_say_its_format():
    entry = {"id": "a", "avatar": "a.vrm", "camera": {"position": [0, 1, 2]}, "size": [8, 8], "format": 1}
    assert "format" not in Shot.from_json(entry).to_json()
    with pytest.raises(ShotError, match="a format newer than this version of vrm-synth; got 2"):
        Shot.from_json({**entry, "format": 2})
