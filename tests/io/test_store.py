"""The local store: files are synced before they get their name, folders after it."""

from __future__ import annotations

import os
from pathlib import Path

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe


def test_a_file_is_synced_before_it_has_its_name_and_then_the_folders_that_name_it(tmp_path, monkeypatch):
    real, sync_calls = os.fsync, []

    def fsync(at: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{at}"))
        sync_calls.append((path.relative_to(tmp_path).as_posix(), (tmp_path / "set/train/0.tar").exists()))
        real(at)

    monkeypatch.setattr(os, "fsync", fsync)
    LocalStore(tmp_path / "set").put_file("train/0.tar", b"data")
    (first, named), *folders = sync_calls
    assert first.startswith("set/train/.0.tar.") and not named
    assert {name for name, _ in folders} == {"set/train", "set", "."} and all(named for _, named in folders)
    sync_calls.clear()
    LocalStore(tmp_path / "set").put_file("train/0.tar", b"other")
    assert [name for name, _ in sync_calls][1:] == ["set/train"]


def test_files_put_together_sync_their_folder_once(tmp_path, monkeypatch):
    store, real, synced = LocalStore(tmp_path / "set"), os.fsync, []
    files = {f"train/00000/{i}.png": bytes([i]) * 9 for i in range(20)} | {"train/00000/metadata.jsonl": b"{}"}

    def fsync(at: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{at}"))
        synced.append((path.relative_to(tmp_path).as_posix(), len(store.list())))
        real(at)

    monkeypatch.setattr(os, "fsync", fsync)
    store.put_files(files)
    assert {name: store.read(name) for name in store.list()} == files
    each, folders = synced[: len(files)], synced[len(files) :]
    assert [existing for _, existing in each] == [*range(len(files))], "each file is on the disk before it has its name"
    assert sorted(folders) == [(name, len(files)) for name in (".", "set", "set/train", "set/train/00000")]


def test_a_shard_is_synced_before_its_record_is_written(tmp_path, monkeypatch, avatars):
    """The folder of a shard is synced, and only then is anything of its record written."""
    real, synced = os.fsync, []

    def fsync(at: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{at}")).relative_to(tmp_path).as_posix())
        real(at)

    recipe = Recipe.model_validate({"avatars": [str(avatars / "free.vrm")], "count": 3, "size": 16})
    dataset = RecipeDataset(recipe, LocalStore(tmp_path / "set"), open_avatar, DatasetSettings(shard_size=3))
    monkeypatch.setattr(os, "fsync", fsync)
    dataset.render_blocks([0])
    first = next(n for n, name in enumerate(synced) if name.startswith("set/records/."))
    assert "set/train/00000" in synced[:first] and synced.count("set/train/00000") == 1
    assert sum(name.startswith("set/train/00000/.") for name in synced[:first]) == 4
