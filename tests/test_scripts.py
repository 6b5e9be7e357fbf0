"""The scripts behind make: silent where nothing is missing, and measured.md names no machine."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure", ROOT / "scripts" / "measure.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "measure", module)  # where dataclasses look names up
    spec.loader.exec_module(module)
    return module


def test_check_gl_is_silent_where_a_context_starts():
    process = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_gl.py"], capture_output=True, text=True, timeout=HANG
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent/a.json", "OpenGL cannot start: EGL finds no device; "),
        ("MESA_GL_VERSION_OVERRIDE", "3.3", "OpenGL 4.3 is needed; got 3.3, of EGL device 0; "),
    ],
)
def test_check_gl_says_what_is_missing(variable, value, message):
    if variable.startswith("MESA") and Path("/dev/nvidiactl").exists():
        pytest.skip("Mesa's drivers alone can be told to be old")
    script, environment = ROOT / "scripts" / "check_gl.py", {**os.environ, variable: value}
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=HANG, env=environment)
    assert process.returncode == 1 and process.stdout.startswith(message) and process.stdout.count("\n") == 1


def test_setup_is_valid_shell():
    subprocess.run(["bash", "-n", ROOT / "scripts" / "setup.sh"], check=True)
    assert (ROOT / "scripts" / "setup.sh").stat().st_mode & 0o111 and (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_setup_dev_installs_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (installed,) = re.findall(
        r"^setup-dev:\n\t@scripts/setup\.sh (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert sorted(installed.split(",")) == sorted(extras)


def sections(measure, tmp_path, monkeypatch, *commands):
    """The script's sections replaced by small ones, its page by one in a folder of the test's."""
    example_sections = tuple(
        measure.Section(name, name.title(), f"About {name}.", ("-c", code)) for name, code in commands
    )
    monkeypatch.setattr(measure, "SECTIONS", example_sections)
    monkeypatch.setattr(measure, "PAGE", tmp_path / "measured.md")
    monkeypatch.setattr(measure, "commit", lambda: "abc1234")
    return measure.PAGE


def test_measuring_one_section_again_keeps_the_others(measure, tmp_path, monkeypatch):
    page = sections(measure, tmp_path, monkeypatch, ("one", "print(1)"), ("two", "print(2)"), ("three-d", "print(3)"))
    assert measure.main(["three-d", "one"]) == 0
    assert re.findall(r"```\n(.*)\n```", page.read_text()) == ["1", "3"]
    first = page.read_text()
    sections(measure, tmp_path, monkeypatch, ("one", "print(10)"), ("two", "print(2)"), ("three-d", "print(3)"))
    assert measure.main(["one"]) == 0
    assert page.read_text() == first.replace("\n1\n", "\n10\n")
    assert measure.main([]) == 0
    assert re.findall(r"```\n(.*)\n```", page.read_text()) == ["10", "2", "3"]
    assert re.search(r"^\d{4}-\d\d-\d\d, commit abc1234, .*cores", page.read_text(), re.MULTILINE)


def test_a_section_that_fails_is_not_written(measure, tmp_path, monkeypatch, capfd):
    page = sections(measure, tmp_path, monkeypatch, ("one", "print(1)"), ("two", "print('no'); raise SystemExit(3)"))
    assert measure.main([]) == 3
    assert re.findall(r"```\n(.*)\n```", page.read_text()) == ["1"]
    assert "no" in capfd.readouterr().out


def test_a_section_has_other_arguments_on_a_gpu(measure, monkeypatch):
    section = measure.Section("one", "One", "", ("-c", "import sys; print(sys.argv[1:])"), on_gpu=("--size", "512"))
    for nvidia_smi, message in ((None, "[]"), ("/usr/bin/nvidia-smi", "['--size', '512']")):
        monkeypatch.setattr(measure.shutil, "which", lambda tool, nvidia_smi=nvidia_smi: nvidia_smi)
        assert measure.measured(section) == (message, 0)


def test_every_section_runs_an_existing_file(measure):
    files = [section.command[0] for section in measure.SECTIONS if section.command[0] != "-m"]
    assert files and all((ROOT / name).is_file() for name in files)
    names = [section.name for section in measure.SECTIONS]
    assert len(set(names)) == len(names)


def test_an_unknown_section_is_refused(measure, capsys):
    assert measure.main(["speed"]) == 2
    assert capsys.readouterr().err.startswith("no such section: speed; there are: tests, fidelity, three-vrm")


def test_measured_md_names_neither_host_nor_paths(measure, tmp_path, monkeypatch):
    page = sections(measure, tmp_path, monkeypatch, ("one", "print(1)"))
    measure.main([])
    assert str(ROOT) not in page.read_text()
    assert platform.node() not in re.split(r"\W+", page.read_text())


def test_every_named_benchmark_exists(measure):
    for section in measure.SECTIONS:
        if section.command[0].endswith(".py"):
            assert (ROOT / section.command[0]).is_file(), section.name
