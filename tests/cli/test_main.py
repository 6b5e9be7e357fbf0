"""Help, version, usage errors and missing files: one line each, and the right exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

import vrm_synth
from tests.cli.command import error, run
from tests.patience import HANG
from vrm_synth import __version__

COMMANDS = [
    (), ("render",), ("demo",), ("shots",), ("inspect",), ("avatar",), ("avatar", "demo"), ("poses",),
    ("poses", "list"), ("poses", "show"), ("cameras",), ("cameras", "list"), ("cameras", "show"), ("bench",),
    ("verify",), ("subset",), ("merge",), ("convert",),
    ("train",), ("sample",), ("preview",),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_explains_every_command(command):
    text = run(*command, "--help").stdout
    assert "Usage:" in text
    if (len(command) == 2 and "list" not in command) or command in [
        ("render",),
        ("demo",),
        ("shots",),
        ("inspect",),
        ("train",),
        ("sample",),
        ("preview",),
    ]:
        assert "Example" in text and f"vrm-synth {' '.join(command)}" in text
    assert run(*command, "-h").stdout == text


def test_version_imports_no_heavy_library():
    code = (
        "import sys; from vrm_synth.cli import main\ntry: main(['--version'])\nexcept SystemExit: print(*sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    version, modules = process.stdout.splitlines()
    assert version == f"vrm-synth, version {__version__}"
    assert not {"numpy", "scipy", "PIL", "moderngl", "pydantic", "tqdm", "torch", "yaml"} & set(modules.split())


@pytest.mark.parametrize(
    "args",
    [
        ("nothing",), ("render",), ("render", "r.yaml"), ("demo",), ("demo", "-o", "x", "--count", "0"),
        ("demo", "-o", "x", "--shard", "2/2"), ("demo", "-o", "x", "--shard", "1/0"),
        ("demo", "-o", "x", "--shard", "a/b"), ("demo", "-o", "x", "--device", "0,"), ("inspect",),
        ("shots", "s.json"), ("shots", "s.json", "-o", "x", "--workers", "0"),
        ("shots", "s.json", "-o", "x", "--renderer", "vulkan"), ("avatar", "demo"),
        ("avatar", "demo", "-o", "x.vrm", "--vrm", "2"),
        ("avatar", "demo", "-o", "x.vrm", "--variant", "1", "--set", "outfit=dress"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_exits_with_2_and_writes_nothing(args, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error(*args, code=2)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "name", "allowed"),
    [
        (("avatar", "demo", "-o"), "a.obj", ".vrm or .glb"),
        (("avatar", "demo", "-o"), "a", ".vrm or .glb"),
        (("poses", "show", "-o"), "a.gif", ".png"),
        (("cameras", "show", "-o"), "a.jpg", ".png"),
        (("inspect", "demo", "--render"), "a.webp", ".png"),
    ],
)  # fmt: skip
def test_output_files_need_the_right_extension(args, name, allowed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert f"'{name}' must end in {allowed}." in error(*args, name, code=2)
    assert os.listdir(tmp_path) == []


def test_a_missing_extra_is_named_with_its_pip_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for package in ("models", "sampling"):  # which the command imports anew
        monkeypatch.setattr(vrm_synth, package, import_module(f"vrm_synth.{package}"))
    for name in [m for m in sys.modules if m.startswith(("vrm_synth.models", "vrm_synth.sampling"))]:
        monkeypatch.delitem(sys.modules, name)
    message = error("sample", "tiny", "--prompt", "a", "-o", tmp_path / "x")
    assert "torch is not installed; pip install 'vrm-synth[train]'" in message and not (tmp_path / "x").exists()


def test_missing_inputs_and_unwritable_outputs_are_one_line(folder):
    assert "gone.yaml" in error("render", folder / "gone.yaml", "-o", folder / "out")
    assert "gone.json" in error("shots", folder / "gone.json", "-o", folder / "out")
    assert "cannot be made: Not a directory" in error("shots", folder / "shots.json", "-o", folder / "free.vrm" / "out")
    assert "cannot be made" in error("render", folder / "recipe.yaml", "-o", folder / "free.vrm" / "out")
    assert "cannot be written" in error(
        "poses", "show", "stand", "--avatar", folder / "free.vrm", "-o", folder / "no" / "a.png"
    )
    assert "cannot be written" in error("avatar", "demo", "-o", folder / "no" / "a.vrm")
    assert "gone.vrm" in error("poses", "show", "--avatar", folder / "gone.vrm", "-o", folder / "a.png")


def test_a_pipe_closed_by_its_reader_is_no_error():
    command = f"{sys.executable} -m vrm_synth poses list --json | head -c 10"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=HANG)
    assert process.stdout.startswith("[") and process.stderr == ""
