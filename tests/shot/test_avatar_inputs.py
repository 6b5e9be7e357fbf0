"""Inputs of commands: avatars, folders, globs, recipes, or none of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vrm_synth.core.errors import RecipeError
from vrm_synth.shot import load_recipe, recipe_of
from vrm_synth.shot.avatar_sources import resolve_avatars
from vrm_synth.yaml_models.strict_yaml import RefusedError


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a recipe, avatars beside it and in a folder whose name is a pattern."""
    folder = tmp_path / "[CC0] avatars"
    folder.mkdir()
    for path in (tmp_path / "aki.vrm", folder / "a.vrm", folder / "b.VRM", folder / "c [1].vrm", folder / "c 1.vrm"):
        path.write_bytes(b"glTF")
    (tmp_path / "recipe.yaml").write_text("avatars: [aki.vrm]\ncount: 7\nseed: 3\nsize: [64, 32]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(sources: tuple[str, ...]) -> list[str]:
    assert all(os.path.isabs(s) for s in sources)
    return [Path(s).name for s in sources]


# ---------------------------------------------------------------- commands' arguments


@pytest.mark.parametrize(
    ("inputs", "avatars"),
    [
        (["aki.vrm"], ["aki.vrm"]),
        (["[CC0] avatars"], ["a.vrm", "b.VRM", "c 1.vrm", "c [1].vrm"]),
        (["[CC0] avatars/"], ["a.vrm", "b.VRM", "c 1.vrm", "c [1].vrm"]),
        (["[CC0] avatars/?.vrm", "aki.vrm"], ["a.vrm", "aki.vrm"]),
        (["*.vrm"], ["aki.vrm"]),
    ],
    ids=str,
)
def test_avatars_are_a_recipe_with_everything_else_at_its_default(working_folder, inputs, avatars):
    recipe = recipe_of(inputs)
    assert names(recipe.avatars) == avatars
    (working_folder / "same.yaml").write_text(f"avatars: {[str(s) for s in inputs]}\ncount: 24\n")
    assert recipe.model_dump() == load_recipe(working_folder / "same.yaml").model_dump()


def test_built_in_avatars_are_accepted_as_inputs(working_folder):
    assert recipe_of(["demo", "demo:4..5"], count=3, seed=2, size=64).avatars == ("demo", "demo:4", "demo:5")


def test_a_file_of_any_name_that_is_a_glb_is_an_avatar(working_folder):
    (working_folder / "model.bin").write_bytes(b"glTF\2\0\0\0")
    assert names(recipe_of(["model.bin"]).avatars) == ["model.bin"]


def test_count_seed_and_size_count_instead_of_the_recipes_own(working_folder):
    plain, changed = recipe_of(["recipe.yaml"]), recipe_of(["recipe.yaml"], count=5, seed=0, size=16)
    assert (plain.count, plain.seed, plain.size) == (7, 3, (64, 32))
    assert (changed.count, changed.seed, changed.size) == (5, 0, (16, 16))
    assert changed.avatars == plain.avatars
    avatars = recipe_of(["aki.vrm"], count=5, seed=9, size=16)
    assert (avatars.count, avatars.seed, avatars.size) == (5, 9, (16, 16))


def test_a_count_from_the_command_may_be_missing_in_the_recipe(working_folder):
    (working_folder / "short.yaml").write_text("avatars: [aki.vrm]\n")
    assert recipe_of(["short.yaml"], count=2).count == 2


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["akj.vrm"], r"avatars\[0\]: no such file \(did you mean aki.vrm\?\); got 'akj.vrm'"),
        (["recipe.yml"], r"recipe.yml: no such file \(did you mean recipe.yaml\?\)"),
        (["aki"], r"aki: no such file \(did you mean aki.vrm\?\)"),
        (
            ["recipe.yaml", "aki.vrm"],
            "these cannot be rendered together; got recipe.yaml; allowed: one recipe, or avatars alone",
        ),
        (["recipe.yaml", "recipe.yaml"], "these cannot be rendered together"),
        (["nothing*.vrm"], "the glob matches no file"),
        (["demo:hair=2"], r"hair=2.*hair_color"),
    ],
    ids=str,
)
def test_an_input_that_is_neither_is_one_line(working_folder, inputs, message):
    with pytest.raises(RecipeError, match=message) as e:
        recipe_of(inputs)
    assert "\n" not in str(e.value)


def test_a_change_outside_a_recipes_limits_has_the_recipes_error(working_folder):
    with pytest.raises(RecipeError, match=r"recipe.yaml:1: count: not allowed; got 0"):
        load_recipe(working_folder / "recipe.yaml", count=0)


def test_a_folder_with_avatars_in_subfolders_hints_at_a_glob(working_folder):
    (working_folder / "all" / "one").mkdir(parents=True)
    (working_folder / "all" / "one" / "x.vrm").write_bytes(b"glTF")
    with pytest.raises(RecipeError, match=r"the folder has no .vrm file; its folders have: write all/\*\*/\*.vrm"):
        recipe_of(["all"])
    assert names(recipe_of(["all/**/*.vrm"]).avatars) == ["x.vrm"]


# ---------------------------------------------------------------- patterns and names


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("*.vrm", ["a.vrm", "c 1.vrm", "c [1].vrm"]),
        ("**/*.VRM", ["b.VRM"]),
        ("[ab].*", ["a.vrm", "b.VRM"]),
        ("c [1].vrm", ["c [1].vrm"]),
        (".", ["a.vrm", "b.VRM", "c 1.vrm", "c [1].vrm"]),
        ("../[CC0] avatars/c*.vrm", ["c 1.vrm", "c [1].vrm"]),
        ("../[CC0] avatars", ["a.vrm", "b.VRM", "c 1.vrm", "c [1].vrm"]),
        ("../*/a.vrm", ["a.vrm"]),
    ],
)
def test_the_recipes_own_folder_is_no_pattern(working_folder, entry, expected):
    assert names(resolve_avatars(entry, working_folder / "[CC0] avatars")) == expected


def test_an_absolute_pattern_and_one_from_home_go_through_folders_with_brackets(working_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(working_folder / "[CC0] avatars"))
    assert names(resolve_avatars(f"{working_folder}/[CC0] avatars/?.vrm", Path("/"))) == ["a.vrm"]
    assert names(resolve_avatars("~/?.vrm", Path("/"))) == ["a.vrm"]
    assert names(resolve_avatars("~/c [1].vrm", Path("/"))) == ["c [1].vrm"]


@pytest.mark.parametrize("entry", ["[CC0] avatars", "[CC0] avatars/*", "[CC0] avatars/**/*.vrm"])
def test_files_that_are_no_avatars_are_left_out_with_a_note(working_folder, entry):
    folder = working_folder / "[CC0] avatars"
    (folder / "._a.vrm").write_bytes(b"attributes")
    (folder / ".hidden.vrm").write_bytes(b"glTF")
    (folder / "gone.vrm").symlink_to(working_folder / "nowhere")
    (folder / "link.vrm").symlink_to(folder / "a.vrm")
    (folder / "z.vrm").mkdir()
    notes: list[str] = []
    resolved = names(resolve_avatars(entry, working_folder, notes.append))
    assert {"a.vrm", "c 1.vrm", "c [1].vrm", "link.vrm"} <= set(resolved)
    assert not {"._a.vrm", ".hidden.vrm", "gone.vrm", "z.vrm"} & set(resolved)
    (line,) = notes
    assert line.startswith(f"{entry}: passed over ") and "gone.vrm (a dangling link)" in line
    assert "z.vrm (a folder)" in line


def test_the_note_about_left_out_files_is_bounded(working_folder):
    for n in range(30):
        (working_folder / "[CC0] avatars" / f"._{n}.vrm").write_bytes(b"")
    notes: list[str] = []
    load = working_folder / "r.yaml"
    load.write_text("avatars: ['[CC0] avatars']\ncount: 1\n")
    assert len(load_recipe(load, notes.append).avatars) == 4
    assert len(notes) == 1 and notes[0].endswith(" and 25 more") and len(notes[0]) < 300


def test_a_folder_without_avatars_is_refused(working_folder):
    (working_folder / "empty").mkdir()
    (working_folder / "empty" / "._a.vrm").write_bytes(b"")
    with pytest.raises(RefusedError, match=r"the folder has no \.vrm file"):
        resolve_avatars("empty", working_folder)


def test_a_pattern_names_each_file_once(working_folder):
    assert names(resolve_avatars("**/**/a.vrm", working_folder)) == ["a.vrm"]


@pytest.mark.parametrize("name", ["あき\u3000春.vrm", "👩\u200d🎤.vrm"])
def test_a_path_with_wide_spaces_or_joiners_is_a_path(working_folder, name):
    (working_folder / name).write_bytes(b"glTF")
    assert names(resolve_avatars(name, working_folder)) == [name]


@pytest.mark.parametrize("entry", ["a\nb.vrm", "a\x1b[2J.vrm", "a" * 5000])
def test_a_path_with_control_characters_or_too_long_is_refused(working_folder, entry):
    with pytest.raises(RefusedError, match="not an avatar"):
        resolve_avatars(entry, working_folder)
