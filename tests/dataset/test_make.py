"""Datasets: the same bytes however they are made, pictures that can be made again, and a gate that holds."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from vrm_synth import __version__
from vrm_synth.avatar import Avatar, open_avatar
from vrm_synth.core.errors import DatasetError, LicenceError, RecipeError, RenderError
from vrm_synth.dataset import make
from vrm_synth.dataset.answers import Answering, answer_shots
from vrm_synth.dataset.make import Dataset, gaze_in_angles, path_from
from vrm_synth.dataset.shotlist import read_shots
from vrm_synth.dataset.take import take
from vrm_synth.pose.evaluate import LookAtAngles
from vrm_synth.shot import Shot, load_recipe

COUNT = 10
once = functools.cache(open_avatar)


def opened(source: str) -> Avatar:
    """The built-in avatar takes a second to make: once is enough."""
    return once(source) if source == "demo" else open_avatar(source)


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    settings = {
        "avatars": [os.path.relpath(avatars / "free.vrm", folder), "demo"],
        "count": COUNT,
        "seed": 4,
        "size": [48, 64],
        "background": {"transparent": 1, "pink": 1},
        "settle_seconds": 0.1,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return folder / "recipe.yaml"


@pytest.fixture
def change(recipe_file, tmp_path):
    """The recipe with other settings, beside it so that its paths stay right."""

    def change(**settings):
        path = recipe_file.parent / f"{tmp_path.name}.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(recipe_file.read_text()), **settings}))
        return path

    return change


def render(gl, recipe_file, out, only=None, done=lambda: None):
    recipe = load_recipe(recipe_file)
    Dataset(recipe, out, {}, opened).render(gl, only or range(recipe.count), done)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(gl, recipe_file, tmp_path_factory):
    """The dataset that the other tests look at; they do not change it."""
    return render(gl, recipe_file, tmp_path_factory.mktemp("sets") / "whole")


def test_a_dataset_has_its_files(whole, avatars):
    pictures = [f"images/{i:06d}.png" for i in range(COUNT)]
    assert set(files(whole)) == {*pictures, "metadata.jsonl", "README.md", "contact_sheet.png", "dataset.json"}
    found = rows(whole)
    assert [r["file_name"] for r in found] == pictures and [r["i"] for r in found] == list(range(COUNT))
    hashes = {"free": open_avatar(str(avatars / "free.vrm")).sha256, "demo": open_avatar("demo").sha256}
    assert {r["avatar"]: r["avatar_sha256"] for r in found} == hashes
    for row in found:
        assert row["licence"] == "CC0-1.0" and row["caption"].endswith(".") and row["seed"] == 4
        with Image.open(whole / row["file_name"]) as picture:
            assert picture.size == (48, 64) and picture.mode == "RGBA"
            assert picture.getchannel("A").getextrema() == (0 if row["shot"]["background"] is None else 255, 255)


def test_made_again_and_in_halves_in_the_other_order_it_is_the_same_to_the_byte(gl, recipe_file, whole):
    again = render(gl, recipe_file, whole.parent / "again")
    halves = render(gl, recipe_file, whole.parent / "halves", range(COUNT // 2, COUNT))
    assert len(rows(halves)) == COUNT - COUNT // 2
    assert f"(of {COUNT} that the recipe asks for)" in (halves / "README.md").read_text()
    render(gl, recipe_file, halves, range(COUNT // 2))
    assert files(again) == files(whole)
    assert files(halves) == files(whole)
    render(gl, recipe_file, halves, range(3, 6))
    assert files(halves) == files(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_picture_can_be_made_again_from_its_line(whole, tmp_path, workers):
    events = list(answer_shots(read_shots(whole / "metadata.jsonl"), Answering(tmp_path, whole, "gl", 0), workers))
    assert not any(getattr(e, "error", "") for e in events)
    for row in rows(whole):
        assert (tmp_path / f"{row['shot']['id']}.png").read_bytes() == (whole / row["file_name"]).read_bytes()


def test_datasets_loads_it_and_hands_back_shots(whole, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    found = load_dataset("imagefolder", data_dir=str(whole), cache_dir=str(tmp_path / "cache"))
    assert list(found) == ["train"] and found["train"].num_rows == COUNT
    for row, loaded in zip(rows(whole), found["train"], strict=True):
        assert loaded["caption"] == row["caption"] and loaded["image"].size == (48, 64)
        ours, theirs = Shot.from_json(row["shot"]), Shot.from_json(loaded["shot"])
        assert {**vars(theirs), "labels": {}} == {**vars(ours), "labels": {}}


def test_shots_name_files_from_the_folder_and_built_in_avatars_as_they_are(whole, avatars):
    named = {r["avatar"]: r["shot"]["avatar"] for r in rows(whole)}
    assert named["demo"] == "demo" and not os.path.isabs(named["free"])
    assert os.path.samefile(whole / named["free"], avatars / "free.vrm")


def test_paths_are_right_from_a_folder_behind_a_link(tmp_path):
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    (tmp_path / "a.vrm").write_bytes(b"")
    assert os.path.samefile(
        tmp_path / "link" / path_from(tmp_path / "link", str(tmp_path / "a.vrm")), tmp_path / "a.vrm"
    )


def test_a_gaze_at_a_point_is_kept_as_angles_that_draw_the_same(gl, avatars):
    avatar = open_avatar(str(avatars / "free.vrm"))
    camera = {"position": [0.5, 1.6, 3], "target": [0, 1.6, 0]}
    entry = {"id": "a", "avatar": "x", "camera": camera, "size": [64, 64], "look_at": [0.5, 1.9, 2]}
    shot = Shot.from_json(entry | {"pose": {"bones": {"head": [0, 0.1, 0, 0.995]}}})
    angled = gaze_in_angles(avatar, shot)
    assert isinstance(angled.look_at, LookAtAngles)
    (before, first), (after, second) = take(gl, avatar, shot), take(gl, avatar, angled)
    assert before.look_at == after.look_at and before.look_at.yaw != 0
    assert (first.rgba == second.rgba).all() and (before.world_from_node == after.world_from_node).all()


@pytest.mark.parametrize("settings", [{"seed": 5}, {"count": COUNT + 1}, {"size": 48}, {"avatars": ["demo"]}])
def test_another_recipe_is_refused_and_changes_nothing(gl, change, whole, settings):
    before = files(whole)
    with pytest.raises(DatasetError, match=f"another recipe's dataset; got .*{next(iter(settings))}"):
        render(gl, change(**settings), whole)
    assert files(whole) == before


def test_an_expression_that_no_avatar_has_is_refused_before_anything_is_made(change, tmp_path):
    with pytest.raises(RecipeError, match=r"no avatar .* expression; got happyy; allowed: aa, angry"):
        Dataset(load_recipe(change(expressions=["happy", "happyy"])), tmp_path / "new", {}, opened)
    assert not (tmp_path / "new").exists()
    Dataset(load_recipe(change(expressions=["surprised"])), tmp_path / "new", {}, opened)  # a preset may be lacking


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipe_sha256": 1}', "\ufeff"])
def test_a_broken_identity_is_one_error(recipe_file, tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json: not a dataset's identity"):
        Dataset(load_recipe(recipe_file), tmp_path, {}, opened)


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_makes_the_same_bytes(recipe_file, whole, workers):
    out, recipe, told = whole.parent / f"by {workers}", load_recipe(recipe_file), []
    half = COUNT // 2
    if workers == 2:
        Dataset(recipe, out, {}, opened).render_with_workers(2, range(half, COUNT), lambda: told.append(1))
        Dataset(recipe, out, {}, opened).render_with_workers(2, range(half), lambda: told.append(1))
    else:
        Dataset(recipe, out, {}, opened).render_with_workers(3, range(COUNT), lambda: told.append(1))
    assert files(out) == files(whole) and len(told) == COUNT
    assert multiprocessing.active_children() == []


def test_a_worker_that_dies_stops_it_and_the_rest_can_follow(gl, change, tmp_path):
    """The shot is named in one line, what was drawn is kept."""
    recipe = load_recipe(change(settle_seconds=20.0, avatars=["demo"]))
    dataset, out = Dataset(recipe, tmp_path, {}, opened), tmp_path
    with pytest.raises(RenderError, match=r"^shot 00000\d: the worker process died while drawing it; got SIGKILL$"):
        dataset.render_with_workers(2, range(COUNT), lambda: multiprocessing.active_children()[0].kill())
    have = [row["i"] for row in rows(out)]
    assert 1 <= len(have) < COUNT and all((out / row["file_name"]).exists() for row in rows(out))
    assert multiprocessing.active_children() == []


def test_another_renderer_is_another_dataset(recipe_file, whole):
    with pytest.raises(DatasetError, match="differs in renderer"):
        Dataset(load_recipe(recipe_file), whole, {}, opened, "pyrender")


def test_accepting_a_licence_does_not_make_it_another_recipe(gl, change, whole):
    Dataset(load_recipe(change(accept_licences=["Other"])), whole, {}, opened)


def test_an_avatar_that_has_changed_makes_it_another_recipe(gl, tmp_path, avatars):
    shutil.copy(avatars / "free.vrm", tmp_path / "a.vrm")
    (tmp_path / "r.yaml").write_text("avatars: [a.vrm]\ncount: 1\nsize: 16\naccept_licences: [VRM Public License 1.0]")
    render(gl, tmp_path / "r.yaml", tmp_path / "out")
    shutil.copy(avatars / "kept.vrm", tmp_path / "a.vrm")
    with pytest.raises(DatasetError, match="differs in avatars"):
        render(gl, tmp_path / "r.yaml", tmp_path / "out")


def test_a_folder_that_is_not_ours_is_left_alone(gl, recipe_file, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(DatasetError, match="not empty, and no dataset of ours"):
        render(gl, recipe_file, tmp_path)
    assert files(tmp_path) == {"README.md": b"mine"}


def test_another_versions_folder_is_refused(gl, recipe_file, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "old")
    text = (tmp_path / "old" / "dataset.json").read_text()
    (tmp_path / "old" / "dataset.json").write_text(text.replace(f'"{__version__}"', '"0.0.1"'))
    with pytest.raises(DatasetError, match=r"another version.*got 0\.0\.1"):
        render(gl, recipe_file, tmp_path / "old")


def test_an_avatar_that_is_not_free_stops_it_before_anything_is_made(gl, change, tmp_path, avatars):
    path = change(avatars=["demo", str(avatars / "kept.vrm")])
    with pytest.raises(LicenceError, match=r"kept\.vrm: licence not accepted; got VRM Public License 1\.0"):
        render(gl, path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_accepted_licence_is_carried_into_lines_and_card(gl, change, tmp_path, avatars):
    path = change(avatars=[str(avatars / "kept.vrm")], count=2, accept_licences=["VRM Public License 1.0"])
    out = render(gl, path, tmp_path / "out")
    assert {r["licence"] for r in rows(out)} == {"VRM Public License 1.0"}
    assert "license: other" in (out / "README.md").read_text()


def test_an_interruption_keeps_what_is_drawn_and_the_rest_can_follow(gl, recipe_file, whole):
    out, drawn = whole.parent / "interrupted", []

    def interrupt():
        drawn.append(1)
        if len(drawn) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(gl, recipe_file, out, done=interrupt)
    have = [r["i"] for r in rows(out)]
    assert len(have) == 4 and all((out / r["file_name"]).exists() for r in rows(out))
    render(gl, recipe_file, out, [i for i in range(COUNT) if i not in have])
    assert files(out) == files(whole)


def test_leftovers_of_a_killed_run_do_no_harm(gl, recipe_file, whole):
    out = whole.parent / "killed"
    out.mkdir()
    (out / ".metadata.jsonl.123.part").write_bytes(b"half")
    render(gl, recipe_file, out)
    found = files(out)
    assert found.pop(".metadata.jsonl.123.part") == b"half" and found == files(whole)


def test_an_error_in_one_shot_names_it_and_keeps_the_others(gl, recipe_file, tmp_path, monkeypatch):
    def failing(renderer, avatar, shot):
        if shot.id == "000002":
            raise DatasetError("broken", where=f"shot {shot.id}")
        return take(renderer, avatar, shot)

    monkeypatch.setattr(make, "take", failing)
    with pytest.raises(DatasetError, match="shot 000002: broken"):
        render(gl, recipe_file, tmp_path)
    assert (tmp_path / "metadata.jsonl").exists() and 2 not in [r["i"] for r in rows(tmp_path)]
