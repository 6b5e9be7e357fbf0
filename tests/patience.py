"""Waiting in tests: for as long as it takes. How long that is, is for benchmarks to say, and no test fails for it.

A guard against hangs is HANG: an hour, which says that nothing will come of it on any machine under any load. Work that
must not grow is counted in calls or bytes, not in seconds. `tests/test_patience.py` holds all tests to this.
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
    """Look every so many seconds until the condition holds; False where `alive` says first that it never will."""
    until = time.monotonic() + HANG
    while not condition():
        if not alive():
            return bool(condition())
        if time.monotonic() > until:
            raise TimeoutError(f"nothing came of it in {HANG:.0f} s")
        time.sleep(every)
    return True


def ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def children(pid: int) -> list[int]:
    """The process ids of what a process has started."""
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
    """The process ids of all that a process has started, and of what those have."""
    direct = children(pid)
    return [*direct, *(deeper for child in direct for deeper in descendants(child))]


def stop(pids: list[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def calls(work: Callable[[], Any]) -> int:
    """How many functions, Python's and C's, a piece of work calls: the same on every machine and under any load."""
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
