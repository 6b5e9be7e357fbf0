"""Waiting for conditions and processes in tests, without a bound on time that a slow machine could exceed.

HANG, an hour, is a guard against hangs only. Work that must not grow is counted in calls or bytes, not in seconds;
speed is measured by benchmarks. `tests/test_patience.py` checks all tests for this.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HANG = 3600.0  # seconds


def wait_until(condition: Callable[[], Any], alive: Callable[[], bool] = lambda: True, every: float = 0.01) -> bool:
    """Poll until the condition holds; False if `alive` turns false before. every: seconds. Raises TimeoutError."""
    until = time.monotonic() + HANG
    while not condition():
        if not alive():
            return bool(condition())
        if time.monotonic() > until:
            raise TimeoutError(f"the condition did not hold within {HANG:.0f} s")
        time.sleep(every)
    return True


def ended(pid: int) -> bool:
    """Whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def children(pid: int) -> list[int]:
    """The process ids of the children of a process."""
    child_pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child_pids.append(int(stat.parent.name))
    return child_pids


def descendants(pid: int) -> list[int]:
    """The process ids of the children of a process and of their descendants."""
    direct = children(pid)
    return [*direct, *(deeper for child in direct for deeper in descendants(child))]


def stop(pids: list[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to the processes that still run."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def free_port() -> int:
    """A free TCP port on loopback."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def calls(work: Callable[[], Any]) -> int:
    """Number of calls of Python and C functions by `work`: the same on every machine and under any load."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
