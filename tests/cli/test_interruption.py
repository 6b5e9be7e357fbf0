"""Ctrl-C, a killed parent and a full disk: one line, no partial files, no orphaned workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import start
from tests.dataset.conftest import shot
from tests.patience import HANG, descendants, ended, wait_until


@pytest.mark.parametrize("command", ["shots", "render"])
def test_a_full_disk_is_one_line(folder, command):
    source = {"shots": "shots.json", "render": "recipe.yaml"}[command]
    code = (
        "import resource, sys\nfrom vrm_synth.cli import main\nresource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        f"sys.argv = ['vrm-synth', {command!r}, {str(folder / source)!r}, '-o', {str(folder / 'out')!r}]\nmain()"
    )
    environment = {**os.environ, "MESA_SHADER_CACHE_DISABLE": "true"}
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, env=environment
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "cannot be written: File too large" in process.stderr.splitlines()[-1]
    assert not list((folder / "out").rglob("*.part"))


SLOW = 1000  # slow shots, so many that a process which has written the first is still far from the last


def slow_shots(folder: Path) -> Path:
    path = folder / "shots.json"
    path.write_text(json.dumps([shot(f"s{i}", spring_bones={"settle_seconds": 40 + i / 100}) for i in range(SLOW)]))
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_prints_one_line_and_exits_with_130(folder, workers):
    process = start("shots", slow_shots(folder), "-o", folder / "out", "--workers", workers)
    assert wait_until(lambda: list((folder / "out").glob("*.png")), lambda: process.poll() is None)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=HANG)
    # A shell shows 130 for either: Python may end itself by the signal where it was inside a C call.
    assert process.returncode in (130, -signal.SIGINT)
    assert out == "" and err.splitlines()[-1] == "Interrupted." and "Traceback" not in err
    assert not list((folder / "out").rglob("*.part"))


def test_ctrl_c_leaves_a_folder_that_the_same_command_can_resume(folder):
    (folder / "recipe.yaml").write_text("avatars: [free.vrm]\ncount: 100000\nsize: 32\n")
    process = start("render", folder / "recipe.yaml", "-o", folder / "out", "--shard-size", 4)
    assert wait_until(lambda: len(list((folder / "out").glob("records/*.json"))) > 1, lambda: process.poll() is None)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode in (130, -signal.SIGINT) and "Traceback" not in err
    assert {p.name for p in (folder / "out").iterdir()} == {"train", "records", "dataset.json"}
    for record in folder.glob("out/records/*.json"):
        assert all(
            (folder / "out" / file["name"]).stat().st_size == file["bytes"]
            for file in json.loads(record.read_text())["files"]
        )


def test_workers_end_when_their_parent_is_killed(folder):
    process = start("shots", slow_shots(folder), "-o", folder / "out", "--workers", 2)
    assert wait_until(lambda: list((folder / "out").glob("*.png")), lambda: process.poll() is None)
    workers = descendants(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.communicate(timeout=HANG)
    wait_until(lambda: all(map(ended, workers)))
    assert len(list((folder / "out").glob("*.png"))) < SLOW
