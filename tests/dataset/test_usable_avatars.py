"""Unusable avatars: reported together, or skipped and recorded in dataset.json."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.command import error, run
from tests.vrm.vrm_file import glb, vrm0
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import AvatarError, DatasetError, LicenseError, RecipeError, UnusableAvatarsError
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.dataset.usable_avatars import MAX_LISTED, usable_avatars
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.atomic_files import check_writable
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe, load_recipe, source_at


@pytest.fixture
def folder(avatars, tmp_path) -> Path:
    """A folder of five: a.vrm and d.vrm are good, b.vrm is a page, c.vrm's license is not accepted, e.vrm is empty."""
    avatar_folder = tmp_path / "avatars"
    avatar_folder.mkdir()
    shutil.copy(avatars / "free.vrm", avatar_folder / "a.vrm")
    doc, data = vrm0()
    (avatar_folder / "d.vrm").write_bytes(glb(doc, bytes(data)))
    shutil.copy(avatars / "kept.vrm", avatar_folder / "c.vrm")
    (avatar_folder / "b.vrm").write_text("<html>")
    (avatar_folder / "e.vrm").write_bytes(b"")
    text = "avatars: [avatars]\ncount: 4\nsize: 16\nsettle_seconds: null\ncharacters:\n  b.vrm: {name: Bo}\n"
    (tmp_path / "recipe.yaml").write_text(text)
    return avatar_folder


def recipe_of(folder: Path) -> Recipe:
    return load_recipe(folder.parent / "recipe.yaml")


def test_all_unusable_avatars_are_reported_at_once(folder):
    looked_at = []
    with pytest.raises(UnusableAvatarsError) as caught:
        usable_avatars(recipe_of(folder), open_avatar, {}, checked=lambda: looked_at.append(1))
    e = caught.value
    assert str(e).startswith("3 of 5 avatars cannot be used; allowed: --skip-unusable to go on without them; or ")
    assert '--accept-license "VRM Public License 1.0 (avatarPermission=onlyAuthor; ' in str(e)
    assert [line.split(": ")[0] for line in e.details] == [str(folder / f"{n}.vrm") for n in "bce"]
    assert "license not accepted" in e.details[1] and not any("\n" in line for line in e.details)
    assert len(looked_at) == 5


def test_the_list_is_bounded(folder):
    for n in range(MAX_LISTED + 5):
        (folder / f"x{n:02}.vrm").write_bytes(b"")
    with pytest.raises(UnusableAvatarsError) as caught:
        usable_avatars(recipe_of(folder), open_avatar, {})
    assert len(caught.value.details) == MAX_LISTED + 1 and caught.value.details[-1] == "and 8 more"


@pytest.mark.parametrize(("bad", "kind"), [("b", AvatarError), ("c", LicenseError)])
def test_a_single_unusable_avatar_raises_its_own_error(folder, bad, kind):
    for name in set("bce") - {bad}:
        (folder / f"{name}.vrm").unlink()
    (folder.parent / "recipe.yaml").write_text("avatars: [avatars]\ncount: 4\n")
    with pytest.raises(kind, match=f"{bad}.vrm: ") as caught:
        usable_avatars(recipe_of(folder), open_avatar, {})
    assert caught.value.details == ("--skip-unusable to go on without this avatar",)


def test_skipped_avatars_are_reported_and_removed_from_the_recipe(folder):
    notes = []
    usable = usable_avatars(recipe_of(folder), open_avatar, {}, skip_unusable=True, note=notes.append)
    assert [Path(s).name for s in usable.recipe.avatars] == ["a.vrm", "d.vrm"] == [Path(s).name for s in usable.credits]
    assert [line.split(": ")[1] for line in notes] == [str(folder / f"{n}.vrm") for n in "bce"]
    assert [s["id"] for s in usable.skipped] == ["b", "c", "e"]
    assert str(folder) not in json.dumps(usable.skipped), "dataset.json tells no paths"
    assert usable.recipe.characters == {}
    plain = Recipe.model_validate(
        {"avatars": [str(folder / "a.vrm"), str(folder / "d.vrm")], "count": 4, "size": 16, "settle_seconds": None}
    )
    assert [source_at(usable.recipe, i) for i in range(4)] == [source_at(plain, i) for i in range(4)]


def test_skipping_every_avatar_is_an_error(folder):
    for name in "ad":
        (folder / f"{name}.vrm").unlink()
    with pytest.raises(UnusableAvatarsError, match="3 of 3 avatars cannot be used; allowed: other avatars"):
        usable_avatars(recipe_of(folder), open_avatar, {}, skip_unusable=True)


def test_an_expression_that_no_remaining_avatar_has_is_refused(folder):
    recipe = recipe_of(folder).model_copy(update={"expressions": {"winkk": 1.0}})
    with pytest.raises(RecipeError, match=r"has the expression \(did you mean wink\?\); got winkk"):
        usable_avatars(recipe, open_avatar, {}, skip_unusable=True)


def dataset(folder: Path, out: Path) -> RecipeDataset:
    return RecipeDataset(
        recipe_of(folder), LocalStore(out), open_avatar, DatasetSettings(shard_size=2, skip_unusable=True)
    )


def test_the_list_is_fixed_when_the_folder_is_claimed(folder, tmp_path, avatars):
    claimed = dataset(folder, tmp_path / "out")
    claimed.render_blocks([claimed.plan.blocks - 1], functools.partial(run_task, workers=1))
    identity_json = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert [a["id"] for a in identity_json["recipe"]["avatars"]] == ["a", "d"] and [
        s["id"] for s in identity_json["skipped"]
    ] == list("bce")
    assert dataset(folder, tmp_path / "out").plan == claimed.plan, "the same again goes on"
    shutil.copy(avatars / "free.vrm", folder / "b.vrm")  # mended: a job that sees it would draw other shots
    with pytest.raises(DatasetError, match=r"differs in avatars, characters \(with b\)"):
        dataset(folder, tmp_path / "out")
    (folder / "b.vrm").write_bytes(b"")
    (folder / "a.vrm").write_bytes(b"")  # broken meanwhile, or on another machine
    with pytest.raises(DatasetError, match=r"differs in avatars \(without a\)"):
        dataset(folder, tmp_path / "out")


def test_render_verify_and_repair_use_the_recorded_list(folder, tmp_path):
    command = ("render", tmp_path / "recipe.yaml", "-o", tmp_path / "out", "--shard-size", 2, "--workers", 1)
    result = run(*command, code=1)
    assert [x for x in result.stderr.splitlines() if x.startswith("Error: ")] == [result.stderr.splitlines()[-1]]
    assert sum(str(folder) in line for line in result.stderr.splitlines()) == 3 and not (tmp_path / "out").exists()
    result = run(*command, "--skip-unusable")
    assert result.stdout.startswith("4 pictures in ") and result.stderr.count("skipped: ") == 3
    assert run(*command, "--skip-unusable").stdout.startswith("nothing was missing")
    (broken,) = (tmp_path / "out").glob("train/00001/*2.png")
    intact = broken.read_bytes()
    broken.unlink()
    plain = ("--workers", 1, "--redraw", 0, "--no-near")
    run("verify", tmp_path / "out", "--repair", *plain)
    assert broken.read_bytes() == intact
    assert run("verify", tmp_path / "out", *plain).stdout.splitlines()[-1] == "4 pictures checked: sound"


# ---------------------------------------------------------------- -o


@pytest.mark.parametrize("out_name", ["file", "file/below", "taken", "link"])
def test_an_unusable_output_folder_is_reported_before_avatars_are_read(folder, tmp_path, out_name):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "photo.png").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(p.name for p in tmp_path.rglob("*"))

    def unread(source):
        raise AssertionError("an avatar was read")

    wrong = "not empty, and no dataset of ours" if out_name == "taken" else "cannot be made: .* is "
    with pytest.raises(DatasetError, match=wrong):
        RecipeDataset(recipe_of(folder), LocalStore(tmp_path / out_name), unread)
    message = error("render", folder, "-o", tmp_path / out_name)
    assert str(tmp_path / out_name) in message and "avatars cannot be used" not in message
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_an_unwritable_folder_is_reported(tmp_path, monkeypatch):
    def read_only(dir):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

    LocalStore(tmp_path / "a" / "b").check_writable()
    check_writable(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    with pytest.raises(DatasetError, match=rf"{tmp_path}/a/b: cannot be made: Read-only file system"):
        LocalStore(tmp_path / "a" / "b").check_writable()
    with pytest.raises(DatasetError, match=rf"{tmp_path}/a.png: cannot be written: Read-only file system"):
        check_writable(tmp_path / "a.png")
