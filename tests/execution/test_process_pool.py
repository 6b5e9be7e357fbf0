"""The process pool yields the events of every piece once, also if workers crash or fail."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import HANG
from vrm_synth.core.errors import DatasetError, RenderError, ShotError
from vrm_synth.execution.process_pool import run_task

UNEXPECTED = {514: MemoryError(), 515: KeyError("hips\n"), 516: FileNotFoundError(2, "No such file", "a.vrm")}


@dataclass(frozen=True)
class Squaring:
    """Says n² of n twice; dies of what `deadly` names, complains of 13 and fails at a few more, cannot start where
    `broken`."""

    deadly: int = -1
    broken: str = ""

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[tuple[int, int]]]]:
        if self.broken == "dies":
            os._exit(3)
        if self.broken.startswith("/"):  # a file: the process that can remove it dies
            with contextlib.suppress(FileNotFoundError):
                Path(self.broken).unlink()
                os._exit(3)
            yield self.do
            return
        if self.broken:
            raise RenderError(self.broken)
        yield self.do

    def do(self, n: int) -> Iterator[tuple[int, int]]:
        if n == self.deadly:
            os._exit(7)
        if n == 13:
            raise ShotError("unlucky", got=n, where="shot 13")
        if n in UNEXPECTED:
            raise UNEXPECTED[n]
        yield n, n * n
        yield n, -n * n

    def on_device(self, device: int) -> Squaring:
        return self

    def on_crash(self, n: int, exit_reason: str) -> list[tuple[int, int]]:
        if exit_reason != "exit status 7":
            raise DatasetError("died otherwise", got=exit_reason)
        return [(n, 0)]


GROUPS = [range(100, 140), [1], [], range(2, 9)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_events_of_every_piece_arrive_once_and_together(workers):
    events = list(run_task(Squaring(), GROUPS, workers))
    assert [e[0] for e in events[::2]] == [e[0] for e in events[1::2]]
    assert sorted(events) == sorted((n, s * n * n) for group in GROUPS for n in group for s in (1, -1))
    assert workers > 1 or events[::2] == [(n, n * n) for group in GROUPS for n in group]
    assert multiprocessing.active_children() == []


def test_a_killed_process_loses_one_piece():
    events = list(run_task(Squaring(deadly=104), GROUPS, 2))
    expected = [(n, s * n * n) for group in GROUPS for n in group for s in (1, -1) if n != 104]
    assert sorted(events) == sorted([*expected, (104, 0)])


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_keeps_its_type_and_ends_the_run(workers):
    with pytest.raises(ShotError, match=r"^shot 13: unlucky; got 13$"):
        list(run_task(Squaring(), [range(20)], workers))
    with pytest.raises(RenderError, match=r"^no driver$"):
        list(run_task(Squaring(broken="no driver"), GROUPS, workers))
    assert multiprocessing.active_children() == []


UNEXPECTED_MESSAGES = [
    (514, r"^out of memory; allowed: fewer workers, smaller pictures, or more memory$"),
    (515, r"^\w+\.py:\d+: an error that should not be; got KeyError: 'hips\\n'$"),
    (516, r"^\w+\.py:\d+: an error that .*; got FileNotFoundError: .*'a\.vrm'$"),
]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("n", "message"), UNEXPECTED_MESSAGES)
def test_an_unexpected_exception_is_one_line(workers, n, message, capfd):
    with pytest.raises(RenderError, match=message):
        list(run_task(Squaring(), [[1, 2, n, 3]], workers))
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_crashes_on_startup_is_replaced(tmp_path):
    (tmp_path / "once").touch()
    events = list(run_task(Squaring(broken=str(tmp_path / "once")), GROUPS, 2))
    assert sorted(events) == sorted((n, s * n * n) for group in GROUPS for n in group for s in (1, -1))
    assert not (tmp_path / "once").exists()


def test_workers_that_always_crash_on_startup_stop_the_run():
    with pytest.raises(RenderError, match="died before it could draw; got exit status 3"):
        list(run_task(Squaring(broken="dies"), GROUPS, 2))


def test_the_forkserver_ignores_ctrl_c_from_its_start():
    looked = (
        "import pathlib, re, signal, time\n"
        "from multiprocessing import forkserver\n"
        "from vrm_synth.execution.process_pool import prepare\n"
        "prepare('vrm_synth.dataset.shot_list.render_list')\n"
        "for _ in range(20):\n"
        "    told = pathlib.Path(f'/proc/{forkserver._forkserver._forkserver_pid}/status').read_text()\n"
        "    masks = [int(re.search(rf'{n}:\\t(\\w+)', told)[1], 16) for n in ('SigBlk', 'SigIgn')]\n"
        "    assert (masks[0] | masks[1]) & (1 << (signal.SIGINT - 1)), masks\n"
        "    time.sleep(0.02)\n"
        "assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
    )
    process = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
