"""Files are written whole or not at all, and complaints name the file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from tests.patience import HANG
from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import make_folder, to_json, write_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.txt"
    write_file(path, b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["a.txt"]


def test_file_mode_follows_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        write_file(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_full_disk_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    # A limit on the size of files stands for the full disk: the system refuses the write half way.
    code = (
        "import resource, pathlib, sys\n"
        "from vrm_synth.io.atomic_files import write_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_file(pathlib.Path(sys.argv[1]), bytes(5000))\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    process = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, timeout=HANG)
    assert process.stdout == f"StoreError {tmp_path / 'a'}: cannot be written: File too large\n"
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_an_interruption_leaves_no_part_file(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("write", [lambda p: write_file(p, b""), make_folder])
def test_an_unwritable_path_is_named(tmp_path, write):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"file/a: cannot be (written|made): Not a directory"):
        write(tmp_path / "file" / "a")


def test_json_is_canonical():
    assert to_json({"b": [1, 2.5, None], "a": "é"}) == '{"b": [1, 2.5, null], "a": "é"}'
    with pytest.raises(ValueError, match="JSON"):
        to_json(float("nan"))
