"""First commands of new users: they render, or one line names the command to type."""

from __future__ import annotations

import json
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tests.cli.command import error, run
from tests.vrm.vrm_file import glb, vrm1
from vrm_synth.cli.suggestions import kind_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with aki.vrm, more/bea.vrm, recipe.yaml, shots.json, a dataset and a run."""
    doc, data = vrm1()
    (tmp_path / "more").mkdir()
    for name in ("aki.vrm", "more/bea.vrm"):
        (tmp_path / name).write_bytes(glb(doc, bytes(data)))
    (tmp_path / "recipe.yaml").write_text("avatars: [aki.vrm]\ncount: 50\nsize: 16\nsettle_seconds: null\n")
    (tmp_path / "shots.json").write_text(" [{}]")
    for name, file in (("pictures", "dataset.json"), ("run", "run.yaml")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("inputs", [["aki.vrm"], ["more/"], ["aki.vrm", "mor[e]/*.vrm"], ["recipe.yaml"]], ids=" ".join)
def test_render_takes_avatars_folders_globs_or_a_recipe(folder, inputs):
    command = ("render", *inputs, "-o", "x", "--count", 2, "--size", 16, "--workers", 1)
    assert run(*command).stdout.startswith("2 pictures in x; ")
    assert run(*command).stdout.startswith("nothing was missing in x; ")
    effective = json.loads((folder / "x" / "dataset.json").read_text())["recipe"]
    assert (effective["count"], effective["size"]) == (2, [16, 16])
    assert run("verify", "x", "--workers", 1, "--redraw", 1).stdout.endswith(
        "2 pictures checked, 1 drawn again: sound\n"
    )


def test_jobs_of_avatars_make_one_dataset(folder):
    command = ("render", "more", "-o", "x", "--count", 4, "--size", 16, "--shard-size", 2, "--workers", 1)
    run(*command, "--shard", "0/2")
    (folder / "more" / "new.vrm").write_bytes((folder / "aki.vrm").read_bytes())
    assert "differs in avatars (with new)" in error(*command, "--shard", "1/2")
    (folder / "more" / "new.vrm").unlink()
    assert run(*command, "--shard", "1/2").stdout.startswith("2 pictures in x; a look at them")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aki.vrm", "avatar"), ("gone.vrm", "avatar"), ("demo", "avatar"), ("demo:3", "avatar"),
        ("recipe.yaml", "recipe"), ("shots.json", "shots"), ("pictures", "dataset"), ("pictures/", "dataset"),
        ("run", "run"), ("more", "folder"), ("nowhere", ""), ("s3://bucket/x", ""), ("pictures/dataset.json", "recipe"),
    ],
)  # fmt: skip
def test_the_kind_of_an_argument(folder, name, kind):
    assert kind_of(name) == ("" if name == "gone.vrm" and not kind else kind)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "render -o x",
            "what to draw is missing: vrm-synth render recipe.yaml -o x, or vrm-synth render my-avatars/ -o x",
        ),
        ("render shots.json -o x", "shots.json is a list of shots: vrm-synth shots shots.json -o DIR"),
        ("render pictures -o x", "pictures is a dataset: vrm-synth verify pictures"),
        ("render run/ -o x", "run/ is a training run: vrm-synth preview run"),
        ("shots aki.vrm -o x", "aki.vrm is an avatar: vrm-synth render aki.vrm -o DIR, or vrm-synth inspect aki.vrm"),
        ("shots recipe.yaml -o x", "recipe.yaml is a recipe: vrm-synth render recipe.yaml -o DIR"),
        ("verify recipe.yaml", "recipe.yaml is a recipe: "),
        ("verify aki.vrm", "aki.vrm is an avatar: "),
        ("finish aki.vrm", "aki.vrm is an avatar: "),
        ("bench recipe.yaml", "recipe.yaml is a recipe: "),
        ("aki.vrm", "No such command 'aki.vrm'. aki.vrm is an avatar: vrm-synth render aki.vrm -o DIR"),
        ("recipe.yaml -o x", "No such command 'recipe.yaml'. recipe.yaml is a recipe: vrm-synth render recipe.yaml"),
        ("rendr aki.vrm", "No such command 'rendr'. Did you mean 'render'?"),
        ("poses shwo", "No such command 'shwo'. Did you mean 'show'?"),
        ("zzzzzz", "No such command 'zzzzzz'."),
        ("render aki.vrm -o x --cuont 3", "No such option '--cuont'"),
        ("render aki.vrm -o x --format webdatset", "Did you mean 'webdataset'?"),
        ("render aki.vrm -o x --renderer GL", "Did you mean 'gl'?"),
        ("sample m --prompt a -o x --scheduler dpm+2m", "Did you mean 'dpm++2m'?"),
    ],
)
def test_wrong_inputs_and_misspelt_words_name_the_command_to_type(folder, command, message):
    before = sorted(folder.rglob("*"))
    assert message in error(*command.split(), code=2)
    assert sorted(folder.rglob("*")) == before


def test_a_misspelt_option_names_the_right_one():
    assert "--count" in error("render", "aki.vrm", "-o", "x", "--cuont", "3", code=2).removeprefix("Error: No such")


@pytest.mark.parametrize("name", ["recipe.yaml", "more", "shots.json"])
def test_inspect_continues_after_an_input_that_is_not_an_avatar(folder, name):
    result = run("inspect", name, "aki.vrm", code=1)
    assert f"Error: {name} is a" in result.stderr and "VRM 1.0" in result.stdout


@pytest.mark.parametrize(
    "command",
    ["inspect aki.vrm --render no/a.png", "poses show -o no/a.png", "cameras show -o more", "avatar demo -o no/a.vrm"],
)
def test_an_unwritable_output_file_is_refused_before_rendering(folder, command, monkeypatch):
    monkeypatch.setattr("vrm_synth.render.open_backend", lambda *_: pytest.fail("something was drawn"))
    for module in ("vrm_synth.builtin_avatar", "vrm_synth.builtin_avatar.generate"):
        monkeypatch.setattr(resolve_name(module), "build_glb", lambda *_: pytest.fail("an avatar was built"))
    message = error(*command.split(), code=2 if "more" in command else 1)
    assert "no/a" in message or "more" in message


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("poses show wive -o a.png", "no such pose (did you mean wave?)"),
        ("cameras show bust_front_levle -o a.png", "no such view (did you mean bust_front_level?)"),
        ("poses show wave -o a.png --view bust_front_levle", "no such view (did you mean bust_front_level?)"),
        ("avatar demo -o a.vrm --set hair_colr=pink", "(did you mean hair_color?)"),
    ],
)
def test_unknown_preset_names_suggest_the_nearest(folder, command, message):
    assert message in error(*command.split())
