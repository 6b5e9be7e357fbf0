"""The scripts behind make: quiet where nothing is missing, and a page that names no machine."""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCH = {
    "device": "llvmpipe",
    "size": [512, 512],
    "shots": 50,
    "rows": [
        {
            "renderer": "gl",
            "avatar": "demo",
            "triangles": 30000,
            "images_per_second": 12.34,
            "ms": {"load": 1, "draw": 2.5},
        },
        {"renderer": "pyrender", "avatar": "demo", "triangles": 30000, "images_per_second": 3.0, "ms": {"draw": 9.0}},
    ],
}


@pytest.fixture
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure", ROOT / "scripts" / "measure.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_check_gl_is_silent_where_a_context_starts():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "check_gl.py"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_is_valid_shell():
    subprocess.run(["bash", "-n", ROOT / "scripts" / "setup.sh"], check=True)
    assert (ROOT / "scripts" / "setup.sh").stat().st_mode & 0o111 and (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_page_has_a_row_each_and_a_cell_a_stage(measure, monkeypatch):
    monkeypatch.setattr(measure, "commit", lambda: "abc1234")
    page = measure.page("===== 5 passed in 1.00s =====", BENCH, "close")
    assert "| gl | demo | 30,000 | 12.3 | 1.00 | 2.50 |" in page
    assert "| pyrender | demo | 30,000 | 3.0 |  | 9.00 |" in page
    assert "\n5 passed in 1.00s\n" in page and "abc1234" in page
    assert re.search(r"\*\*Day\*\*: \d{4}-\d\d-\d\d$", page, re.MULTILINE)


def test_the_page_tells_neither_host_nor_paths(measure, monkeypatch):
    monkeypatch.setattr(measure, "commit", lambda: "abc1234")
    page = measure.page("5 passed", BENCH, "close")
    assert str(ROOT) not in page
    assert platform.node() not in re.split(r"\W+", page)
