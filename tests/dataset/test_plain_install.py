"""An install without extras: the commands work, and a missing extra is one line with its pip command."""

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

from tests.dataset.test_derive import render_source
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
        if name.partition(".")[0] in {tuple(m for modules in EXTRAS.values() for m in modules)!r}:
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
    """Exit status, stdout and stderr of each command, run without any extra."""
    (folder / "hide").mkdir()
    (folder / "hide" / "sitecustomize.py").write_text(HIDE)
    for count in (2, 6, 9):
        (folder / f"{count}.yaml").write_text(f"avatars: [demo]\ncount: {count}\nsize: 32\nsettle_seconds: null\n")
    path = os.pathsep.join((str(folder / "hide"), str(ROOT)))
    env = os.environ | {"PYTHONPATH": path, "LP_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder, env=env, input=json.dumps(commands), capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    results = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(results) == len(commands) and not any(trace for *_, trace in results), results
    return [(code, out, err) for code, out, err, _ in results]


def test_every_extra_is_hidden_in_these_tests():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) == set(EXTRAS)


def test_commands_of_a_plain_install_work_without_extras(tmp_path):
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
    results = hidden(tmp_path, commands)
    assert [(c, code) for c, (code, _, _) in zip(commands, results, strict=True)] == [(c, 0) for c in commands], results
    lines = results[1][1].splitlines()
    note = (
        "not checked: near-duplicates need ImageHash, which is not installed; allowed: pip install 'vrm-synth[tables]'"
    )
    assert lines == [note, "6 pictures checked, 6 drawn again: sound"]
    assert "made again" not in results[2][2]


def test_a_missing_extra_is_one_line_and_writes_nothing(tmp_path):
    small = ["render", "2.yaml", "--workers", "1", "-o"]
    expected = {
        "tables": [["subset", "a", "-o", "x", "--where", "i < 3"], ["verify", "a", "--near"]],
        "jxl": [[*small, "x", "--encoding", "jxl"], ["convert", "a", "-o", "x", "--encoding", "jxl"]],
        "ray": [[*small, "x", "--engine", "ray"]],
        "pyrender": [[*small, "x", "--renderer", "pyrender"], ["verify", "a", "--renderer", "pyrender"]],
        "remote": [[*small, "s3://b/x"], ["verify", "s3://b/x"], ["shots", "s3://b/x", "-o", "x"]],
        "train": [
            ["train", "--base", "tiny", "--data", "a", "-o", "x", "--steps", "1"],
            ["sample", "tiny", "--prompt", "a", "-o", "x"],
        ],
    }
    expected["pyrender"][1] += ["--redraw", "1"]
    commands = [c for several in expected.values() for c in several]
    results = hidden(tmp_path, [[*small, "a"], *commands])[1:]
    extras = [extra for extra, several in expected.items() for _ in several]
    for extra, command, (code, _, err) in zip(extras, commands, results, strict=True):
        last = err.strip().splitlines()[-1]
        assert code == 1 and last.startswith("Error: ") and f"vrm-synth[{extra}]" in last, (command, err)
    assert not (tmp_path / "x").exists()


# ---------------------------------------------------------------- each by itself


def verify(store: LocalStore, *words: str, code: int = 0) -> dict:
    result = CliRunner().invoke(main, ["verify", str(store.folder), "--json", "--workers", "1", *words])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def jxl(avatars, tmp_path_factory) -> LocalStore:
    from tests.dataset.test_derive import derive

    top = tmp_path_factory.mktemp("jxl")
    return derive(
        [render_source(top / "a", avatars, count=4, splits={})], top / "jxl", "convert", "webdataset", encoding="jxl"
    )


def test_undecodable_pixels_are_noted_and_a_flipped_byte_is_still_found(jxl, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    report = verify(jxl, "--no-near")
    assert report["faults"] == [] and report["redrawn"] == 0
    remedy = "JPEG XL needs a plugin; allowed: pip install 'vrm-synth[jxl]'"
    assert report["not_checked"] == [f"the pixels of 4 pictures: {remedy}"]
    assert [line.endswith(remedy) for line in report["not_redrawn"]] == [True] * 4
    shutil.copytree(jxl.folder, tmp_path / "t")
    store = LocalStore(tmp_path / "t")
    data = bytearray(store.read("train/00000.tar"))
    data[1500] ^= 1
    store.put_file("train/00000.tar", bytes(data))
    assert verify(store, "--no-near", code=1)["broken_shards"] == [0]


def test_without_opengl_verify_checks_the_rest_and_notes_it(avatars, tmp_path, monkeypatch):
    store = render_source(tmp_path / "a", avatars, count=4, splits={})

    def none(*_: object) -> object:
        raise RenderError("no OpenGL here")

    monkeypatch.setattr("vrm_synth.render.open_backend", none)
    report = verify(store)
    assert report["faults"] == [] and report["not_redrawn"] == ["no OpenGL here"]
    result = CliRunner().invoke(main, ["verify", str(store.folder), "--redraw", "2"])
    assert result.exit_code == 1 and "no OpenGL here" in result.stderr


def test_repair_removes_nothing_that_it_cannot_render(avatars, tmp_path, monkeypatch):
    store = render_source(tmp_path / "a", avatars, count=8, splits={})
    store.delete(record_name(1))
    before = {name: store.read(name) for name in store.list()}

    def none(*_: object) -> object:
        raise RenderError("no OpenGL here")

    monkeypatch.setattr("vrm_synth.dataset.verify.repair.open_backend", none)
    result = CliRunner().invoke(main, ["verify", str(store.folder), "--repair", "--redraw", "0", "--workers", "1"])
    assert result.exit_code == 1 and "no OpenGL here" in result.stderr
    assert {name: store.read(name) for name in store.list()} == before and store.exists(COMPLETE_JSON)


def test_pictures_of_another_renderer_are_no_fault(avatars, tmp_path, gl):
    """Verify uses the dataset's renderer unless another is named, and that one redraws only its own pictures."""
    from dataclasses import replace

    from tests.dataset.faults import samples, shards
    from vrm_synth.dataset.derive import put_shard
    from vrm_synth.dataset.verify.redraw import redraw_some

    store = render_source(tmp_path / "a", avatars, passes=(), count=4, splits={})
    (shard,) = shards(store)
    by_pyrender = [replace(s, row={**s.row, "renderer": "llvmpipe, pyrender"}) for s in samples(store, shard)]
    put_shard(store, "webdataset", shard, by_pyrender)
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.dataset.identity.dataset_json import read_identity
    from vrm_synth.dataset.verify.report import ShardCheck

    checked = ShardCheck(shard, (), tuple(s.key for s in by_pyrender))
    redraws = [*redraw_some(store, read_identity(store), [checked], 4, gl, open_avatar)]
    assert [r.fault for r in redraws] == [None] * 4
    assert {r.undrawable for r in redraws} == {"pyrender drew it, and not gl: --renderer pyrender draws it again"}
    assert store.exists(DATASET_JSON)


def test_a_missing_jxl_plugin_is_reported_with_the_file(monkeypatch):
    from vrm_synth.io.image_decoder import JXL_SIGNATURES, open_image

    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(ExtraError, match=r"a\.jxl: JPEG XL needs a plugin; allowed: pip install 'vrm-synth\[jxl\]'"):
        open_image(JXL_SIGNATURES[0] + b"...", "a.jxl")
