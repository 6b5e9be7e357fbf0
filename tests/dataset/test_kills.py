"""Datasets after SIGKILL, on a full or read-only disk, and with workers at their memory limit."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.patience import HANG, children, wait_until

ROOT = Path(__file__).resolve().parents[2]
COUNT, SHARD = 24, 3
SHARDS = 2 * COUNT // SHARD  # two splits
RECIPE = f"avatars: [free.vrm]\ncount: {COUNT}\nsize: 64\nseed: 2\nsettle_seconds: 0.1\nsplits: {{test: 0.3}}\n"


def command(folder: Path, out: Path, *arguments: object) -> list[str]:
    options = ["--shard-size", SHARD, "--format", "webdataset", *arguments]
    return [
        sys.executable,
        "-m",
        "vrm_synth",
        "render",
        str(folder / "recipe.yaml"),
        "-o",
        str(out),
        *map(str, options),
    ]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "LP_NUM_THREADS": "0"}


def run(folder: Path, out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, out, *arguments), env=environment(), text=True, capture_output=True, timeout=HANG
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file except those that contain times."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "metrics.json"
    }


@pytest.fixture(scope="module")
def recipe_folder(avatars, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    shutil.copy(avatars / "free.vrm", folder)
    (folder / "recipe.yaml").write_text(RECIPE)
    completed = run(folder, folder / "whole", "--workers", 2)
    assert completed.returncode == 0, completed.stderr
    return folder


def workers_of(pid: int) -> list[int]:
    """The rendering workers: children of the fork server that the command starts."""
    return [worker for server in children(pid) for worker in children(server)]


def records(out: Path) -> set[Path]:
    return set((out / "records").glob("[0-9]*.json"))


def killed_at_random(recipe_folder: Path, out: Path, times: int, seed: int) -> None:
    """Start the command again and again, and kill the parent or one of its workers once a random number of shards is
    there, until `times` kills have each met a run with shards both done and missing."""
    random, hits, late = np.random.default_rng(seed), 0, False
    while hits < times:
        if late or len(records(out)) > SHARDS // 2:
            shutil.rmtree(out)
        before = {p: p.stat().st_mtime_ns for p in records(out)}
        process = subprocess.Popen(
            command(recipe_folder, out, "--workers", 2),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        target = max(1, len(before)) if late else int(random.integers(max(1, len(before)), SHARDS))
        wait_until(lambda n=target: len(records(out)) >= n, lambda p=process: p.poll() is None)
        time.sleep(random.uniform(0, 0.1))
        parent = hits % 2 == 1
        finished = len(records(out))
        hit = False
        for pid in [process.pid] if parent else workers_of(process.pid)[-1:]:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.kill(pid, signal.SIGKILL)
                hit = process.poll() in (None, -signal.SIGKILL) and 0 < finished < SHARDS
        # Where the machine let nobody look in time the run was through: that was no hit, and the next one is looked
        # at from its first shard on.
        hits, late = hits + hit, not hit
        # A worker that was killed is replaced, and the run ends well.
        assert process.wait(timeout=HANG) in ((0, -signal.SIGKILL) if parent else (0,))
        assert all(p.stat().st_mtime_ns == at for p, at in before.items()), "a finished shard was written again"


@pytest.mark.parametrize("times", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_sigkill_at_any_moment_loses_no_finished_shard(recipe_folder, times):
    out = recipe_folder / f"killed {times}"
    killed_at_random(recipe_folder, out, times, seed=times)
    completed = run(recipe_folder, out, "--workers", 2)
    assert completed.returncode == 0, completed.stderr
    assert files(out) == files(recipe_folder / "whole")


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_and_jobs_in_any_order_make_the_same_bytes(recipe_folder, workers):
    out = recipe_folder / f"parts {workers}"
    for part in (2, 0, 1):
        completed = run(recipe_folder, out, "--workers", workers, "--shard", f"{part}/3")
        assert completed.returncode == 0, completed.stderr
        assert (out / "complete.json").exists() == (part == 1)
    assert files(out) == files(recipe_folder / "whole")


def mounted(folder: Path, *options: str) -> bool:
    folder.mkdir(exist_ok=True)
    completed = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True)
    return completed.returncode == 0


@pytest.fixture
def small_disk(recipe_folder):
    folder = recipe_folder / "disk"
    if os.geteuid() or not mounted(folder, "-o", "size=200k"):
        pytest.skip("mounting a small tmpfs needs root and CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_run_can_be_resumed(recipe_folder, small_disk):
    out = small_disk
    completed = run(recipe_folder, out, "--workers", 2)
    assert completed.returncode == 1 and completed.stderr.splitlines()[-1].startswith("Error: ")
    assert "No space left on device" in completed.stderr and "Traceback" not in completed.stderr
    assert not (out / "complete.json").exists()
    untouched = {p: p.stat().st_mtime_ns for p in (out / "records").glob("*.json")}
    assert len(untouched) < SHARDS
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert run(recipe_folder, out, "--workers", 2).returncode == 0
    assert files(out) == files(recipe_folder / "whole")
    assert all(p.stat().st_mtime_ns == at for p, at in untouched.items())


def test_a_read_only_disk_is_one_line(recipe_folder, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    completed = run(recipe_folder, small_disk)
    assert (
        completed.returncode == 1
        and "Read-only file system" in completed.stderr
        and "Traceback" not in completed.stderr
    )


def memory_of(pid: int) -> int:
    """Bytes of address space of a process."""
    (line,) = (s for s in Path(f"/proc/{pid}/status").read_text().splitlines() if s.startswith("VmSize"))
    return int(line.split()[1]) << 10


def contents(folder: Path) -> dict[str, bytes]:
    """Every member of every tar, pictures decoded.

    Of pixels, and not of bytes: once in ten such runs, and never elsewhere, a picture drawn by a process at its limit
    had the same pixels and another PNG of the same length (twelve bytes of ISA-L's stream, other matches of the same
    cost). What Mesa or ISA-L do there when memory cannot be had is not known.
    """
    members = {}
    for path in sorted(folder.rglob("*.tar")):
        with tarfile.open(path) as shard:
            for member in shard.getmembers():
                data = shard.extractfile(member).read()
                is_png = member.name.endswith(".png")
                members[f"{path.relative_to(folder)}/{member.name}"] = (
                    Image.open(io.BytesIO(data)).tobytes() if is_png else data
                )
    return members


def test_workers_at_their_memory_limit_stop_with_one_line_and_no_partial_shard(recipe_folder):
    """Workers that have drawn may not grow any more, which pictures of this size need to; the parent may."""
    large = recipe_folder / "large"
    large.mkdir()
    shutil.copy(recipe_folder / "free.vrm", large)
    (large / "recipe.yaml").write_text(RECIPE.replace("size: 64", "size: 1024"))
    expected, out = large / "whole", large / "again"
    assert run(large, expected, "--workers", 2).returncode == 0
    while True:
        with subprocess.Popen(
            command(large, out, "--workers", 2), env=environment(), text=True, stdout=subprocess.DEVNULL, stderr=-1
        ) as process:
            wait_until(lambda: records(out), lambda p=process: p.poll() is None)
            for worker in workers_of(process.pid):
                with contextlib.suppress(OSError):  # it has ended by itself
                    limit = memory_of(worker)
                    resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
            in_time = len(records(out)) < SHARDS // 2
            _, stderr = process.communicate(timeout=HANG)
        if in_time:
            break
        shutil.rmtree(out)  # the limits came when next to nothing was left to draw
    assert process.returncode == 1 and "Traceback" not in stderr
    assert stderr.splitlines()[-1].startswith("Error: out of memory; allowed: fewer workers,")
    assert 0 < len(records(out)) < SHARDS and not (out / "complete.json").exists()
    before = {p: p.stat().st_mtime_ns for p in records(out)}
    assert run(large, out, "--workers", 2).returncode == 0
    assert contents(out) == contents(expected) and (out / "complete.json").exists()
    assert all(p.stat().st_mtime_ns == at for p, at in before.items())
