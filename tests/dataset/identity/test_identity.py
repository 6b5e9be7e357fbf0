"""The identity of a dataset folder: other recipes, settings, avatars and versions are refused."""

from __future__ import annotations

import shutil

import pytest

from tests.dataset.renders import SHARD, STRICT, claim, files, render
from vrm_synth import __version__
from vrm_synth.core.errors import DatasetError, RecipeError
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat

pytestmark = pytest.mark.usefixtures("cached_avatars")


@pytest.mark.parametrize("settings", [{"seed": 5}, {"size": 48}, {"avatars": ["demo"]}, {"passes": ["mask"]}])
def test_another_recipe_is_refused_and_changes_nothing(changed_recipe, rendered, settings):
    before = files(rendered)
    with pytest.raises(DatasetError, match=f"another recipe's dataset; got .*{next(iter(settings))}"):
        render(changed_recipe(**settings), rendered)
    assert files(rendered) == before


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (DatasetSettings(shard_size=5), "shard_size"), (DatasetSettings(OutputFormat("parquet"), SHARD), "format"),
        (DatasetSettings(OutputFormat(encoding="webp"), SHARD), "encoding"),
        (DatasetSettings(shard_size=SHARD, renderer="pyrender"), "renderer"),
    ],
)  # fmt: skip
def test_other_output_settings_are_refused_by_name(recipe_file, rendered, settings, key):
    with pytest.raises(DatasetError, match=f"differs in {key};"):
        claim(recipe_file, rendered, settings)


def test_an_expression_that_no_avatar_has_is_refused_before_anything_is_written(changed_recipe, tmp_path):
    with pytest.raises(
        RecipeError, match=r"no avatar .* expression \(did you mean happy\?\); got happyy; allowed: aa, angry"
    ):
        claim(changed_recipe(expressions=["happy", "happyy"]), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    claim(changed_recipe(expressions=["surprised"]), tmp_path / "new")  # a preset may be lacking


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipe_sha256": 1}', "\ufeff"])
def test_a_broken_identity_is_one_error(recipe_file, tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json: not a dataset's identity"):
        claim(recipe_file, tmp_path)


def test_accepting_a_license_does_not_make_it_another_recipe(changed_recipe, rendered):
    claim(changed_recipe(accept_licenses=["Other"]), rendered)


def test_a_changed_avatar_file_makes_it_another_recipe(tmp_path, avatars):
    shutil.copy(avatars / "free.vrm", tmp_path / "a.vrm")
    (tmp_path / "r.yaml").write_text(f"avatars: [a.vrm]\ncount: 1\nsize: 16\naccept_licenses: ['{STRICT}']")
    render(tmp_path / "r.yaml", tmp_path / "out")
    shutil.copy(avatars / "kept.vrm", tmp_path / "a.vrm")
    with pytest.raises(DatasetError, match="differs in avatars"):
        claim(tmp_path / "r.yaml", tmp_path / "out")


def test_a_folder_with_other_files_is_refused_and_left_alone(recipe_file, tmp_path):
    (tmp_path / "README.md").write_text("another project")
    with pytest.raises(DatasetError, match="not empty, and no dataset of ours"):
        claim(recipe_file, tmp_path)
    assert files(tmp_path) == {"README.md": b"another project"}


def test_a_dataset_of_another_version_is_refused(recipe_file, rendered, tmp_path):
    shutil.copytree(rendered, tmp_path / "old")
    text = (tmp_path / "old" / "dataset.json").read_text()
    (tmp_path / "old" / "dataset.json").write_text(text.replace(f'"{__version__}"', '"0.0.1"'))
    with pytest.raises(DatasetError, match=r"another version.*got 0\.0\.1"):
        claim(recipe_file, tmp_path / "old")
