"""A plain install, none of the extras: what it offers works; what is missing is one line that says how to get it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.dataset.test_derive import made
from vrm_synth.cli.main import main
from vrm_synth.core.errors import ExtraError, RenderError
from vrm_synth.io.file_names import COMPLETE_JSON, DATASET_JSON, record_name
from vrm_synth.io.store import LocalStore

ROOT = Path(__file__).resolve().parents[2]
# extra → what is imported of it; what comes along with others, too
EXTRAS = {
    "pyrender": ("pyrender", "OpenGL", "pyglet", "trimesh"),
    "codecs": ("DracoPy", "meshopt", "opengl_basisu"),
    "tables": ("duckdb", "imagehash", "pywt"),
    "jxl": ("pillow_jxl",),
    "train": ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "tensorboard"),
    "ray": ("ray",),
    "remote": ("fsspec", "s3fs"),
    "dev": ("datasets", "webdataset", "flask", "moto", "pandas", "requests", "huggingface_hub"),
}
HIDE = f"""
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {tuple(m for some in EXTRAS.values() for m in some)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
"""
# Every process, those that workers are forked from included, begins with HIDE.
DRIVER = """
import json, sys
from click.testing import CliRunner
from vrm_synth.cli.main import main

for command in json.load(sys.stdin):
    done = CliRunner().invoke(main, command)
    trace = not (done.exception is None or isinstance(done.exception, SystemExit))
    print(json.dumps([done.exit_code, done.stdout, done.stderr, trace]), flush=True)
"""


def hidden(folder: Path, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Status, stdout and stderr of each command, none of the extras being there."""
    (folder / "hide").mkdir()
    (folder / "hide" / "sitecustomize.py").write_text(HIDE)
    for count in (2, 6, 9):
        (folder / f"{count}.yaml").write_text(f"avatars: [demo]\ncount: {count}\nsize: 32\nsettle_seconds: null\n")
    path = os.pathsep.join((str(folder / "hide"), str(ROOT)))
    env = os.environ | {"PYTHONPATH": path, "LP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder, env=env, input=json.dumps(commands), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(commands) and not any(trace for *_, trace in told), told
    return [(code, out, err) for code, out, err, _ in told]


def test_every_extra_is_hidden_here():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) == set(EXTRAS)


def test_what_a_plain_install_offers_works_in_it(tmp_path):
    commands = [
        ["render", "6.yaml", "-o", "a", "--workers", "2", "--shard-size", "4"],
        ["verify", "a"],
        ["verify", "a", "--repair", "--redraw", "1"],
        ["convert", "a", "-o", "w", "--format", "webdataset"],
        ["convert", "a", "-o", "p", "--format", "parquet", "--encoding", "webp"],
        ["merge", "w", "p", "-o", "m"],
        ["verify", "m", "--redraw", "1"],
        ["render", "9.yaml", "-o", "a", "--workers", "1", "--shard-size", "4"],
        ["finish", "a"],
        ["shots", "p", "--id", "3", "-o", "again"],
        ["inspect", "demo", "--json"],
        ["avatar", "demo", "-o", "demo.vrm"],
        ["inspect", "demo.vrm", "--render", "turn.png"],
        ["poses", "list"],
        ["cameras", "show", "bust_front_level", "-o", "c.png"],
        ["bench", "--count", "2", "--workers", "1", "--size", "32"],
    ]
    told = hidden(tmp_path, commands)
    assert [(c, code) for c, (code, _, _) in zip(commands, told, strict=True)] == [(c, 0) for c in commands], told
    lines = told[1][1].splitlines()
    note = (
        "not checked: near-duplicates need ImageHash, which is not installed; allowed: pip install 'vrm-synth[tables]'"
    )
    assert lines == [note, "6 pictures checked, 6 drawn again: sound"]
    assert "made again" not in told[2][2]


def test_what_is_asked_for_and_missing_is_one_line_and_leaves_nothing(tmp_path):
    small = ["render", "2.yaml", "--workers", "1", "-o"]
    wanted = {
        "tables": [["subset", "a", "-o", "x", "--where", "i < 3"], ["verify", "a", "--near"]],
        "jxl": [[*small, "x", "--encoding", "jxl"], ["convert", "a", "-o", "x", "--encoding", "jxl"]],
        "ray": [[*small, "x", "--engine", "ray"]],
        "pyrender": [[*small, "x", "--renderer", "pyrender"], ["verify", "a", "--renderer", "pyrender"]],
        "remote": [[*small, "s3://b/x"], ["verify", "s3://b/x"], ["shots", "s3://b/x", "-o", "x"]],
        "train": [["train", "--base", "tiny", "--data", "a", "-o", "x", "--steps", "1"], ["preview", "x"]],
    }
    wanted["pyrender"][1] += ["--redraw", "1"]
    commands = [c for several in wanted.values() for c in several]
    told = hidden(tmp_path, [[*small, "a"], *commands])[1:]
    extras = [extra for extra, several in wanted.items() for _ in several]
    for extra, command, (code, _, err) in zip(extras, commands, told, strict=True):
        last = err.strip().splitlines()[-1]
        assert code == 1 and last.startswith("Error: ") and f"vrm-synth[{extra}]" in last, (command, err)
    assert not (tmp_path / "x").exists()


# ---------------------------------------------------------------- each by itself


def verify(store: LocalStore, *words: str, code: int = 0) -> dict:
    done = CliRunner().invoke(main, ["verify", str(store.folder), "--json", "--workers", "1", *words])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def jxl(avatars, tmp_path_factory) -> LocalStore:
    from tests.dataset.test_derive import derive

    top = tmp_path_factory.mktemp("jxl")
    return derive([made(top / "a", avatars, count=4, splits={})], top / "jxl", "convert", "webdataset", encoding="jxl")


def test_pixels_that_nothing_here_reads_are_a_note_and_a_flipped_byte_is_still_found(jxl, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    found = verify(jxl, "--no-near")
    assert found["faults"] == [] and found["redrawn"] == 0
    remedy = "JPEG XL needs a plugin; allowed: pip install 'vrm-synth[jxl]'"
    assert found["not_checked"] == [f"the pixels of 4 pictures: {remedy}"]
    assert [line.endswith(remedy) for line in found["not_redrawn"]] == [True] * 4
    shutil.copytree(jxl.folder, tmp_path / "t")
    store = LocalStore(tmp_path / "t")
    data = bytearray(store.read("train/00000.tar"))
    data[1500] ^= 1
    store.put_file("train/00000.tar", bytes(data))
    assert verify(store, "--no-near", code=1)["broken_shards"] == [0]


def test_without_opengl_all_else_is_checked_and_that_is_noted(avatars, tmp_path, monkeypatch):
    store = made(tmp_path / "a", avatars, count=4, splits={})

    def none(*_: object) -> object:
        raise RenderError("no OpenGL here")

    monkeypatch.setattr("vrm_synth.render.open_backend", none)
    found = verify(store)
    assert found["faults"] == [] and found["not_redrawn"] == ["no OpenGL here"]
    done = CliRunner().invoke(main, ["verify", str(store.folder), "--redraw", "2"])
    assert done.exit_code == 1 and "no OpenGL here" in done.stderr


def test_repair_removes_nothing_that_it_could_not_make(avatars, tmp_path, monkeypatch):
    store = made(tmp_path / "a", avatars, count=8, splits={})
    store.delete(record_name(1))
    before = {name: store.read(name) for name in store.list()}

    def none(*_: object) -> object:
        raise RenderError("no OpenGL here")

    monkeypatch.setattr("vrm_synth.dataset.verify.repair.open_backend", none)
    done = CliRunner().invoke(main, ["verify", str(store.folder), "--repair", "--redraw", "0", "--workers", "1"])
    assert done.exit_code == 1 and "no OpenGL here" in done.stderr
    assert {name: store.read(name) for name in store.list()} == before and store.exists(COMPLETE_JSON)


def test_what_another_renderer_drew_is_no_fault(avatars, tmp_path, gl):
    """The renderer is the dataset's own unless another is named, which then draws nothing that it did not draw."""
    from dataclasses import replace

    from tests.dataset.faults import samples, shards
    from vrm_synth.dataset.derive import put_shard
    from vrm_synth.dataset.verify.redraw import redraw_some

    store = made(tmp_path / "a", avatars, passes=(), count=4, splits={})
    (shard,) = shards(store)
    others = [replace(s, row={**s.row, "renderer": "llvmpipe, pyrender"}) for s in samples(store, shard)]
    put_shard(store, "webdataset", shard, others)
    from vrm_synth.builtin_avatar.avatar_source import open_avatar
    from vrm_synth.dataset.identity.dataset_json import read_identity
    from vrm_synth.dataset.verify.report import ShardCheck

    checked = ShardCheck(shard, (), tuple(s.key for s in others))
    found = [*redraw_some(store, read_identity(store), [checked], 4, gl, open_avatar)]
    assert [r.fault for r in found] == [None] * 4
    assert {r.undrawable for r in found} == {"pyrender drew it, and not gl: --renderer pyrender draws it again"}
    assert store.exists(DATASET_JSON)


def test_an_extra_that_is_missing_is_reported_with_its_place(monkeypatch):
    from vrm_synth.io.image_decoder import JXL_SIGNATURES, open_image

    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(ExtraError, match=r"a\.jxl: JPEG XL needs a plugin; allowed: pip install 'vrm-synth\[jxl\]'"):
        open_image(JXL_SIGNATURES[0] + b"...", "a.jxl")
