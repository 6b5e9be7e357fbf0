"""The local store: what has its name is on the disk, and so is its name."""

from __future__ import annotations

import os
from pathlib import Path

from vrm_synth.dataset.store import LocalStore


def test_a_file_is_synced_before_it_has_its_name_and_then_the_folders_that_name_it(tmp_path, monkeypatch):
    real, done = os.fsync, []

    def fsync(at: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{at}"))
        done.append((path.relative_to(tmp_path).as_posix(), (tmp_path / "set/train/0.tar").exists()))
        real(at)

    monkeypatch.setattr(os, "fsync", fsync)
    LocalStore(tmp_path / "set").put_file("train/0.tar", b"data")
    (first, named), *folders = done
    assert first.startswith("set/train/.0.tar.") and not named
    assert {name for name, _ in folders} == {"set/train", "set", "."} and all(named for _, named in folders)
    done.clear()
    LocalStore(tmp_path / "set").put_file("train/0.tar", b"other")
    assert [name for name, _ in done][1:] == ["set/train"]
