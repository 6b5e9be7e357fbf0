"""Refuses and records every connection to another machine and every name lookup, here or in a child process."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOCAL = ("127.", "localhost", "::1")

_requests: list[
    list[str]
] = []  # one list per open context; audit hooks cannot be removed, so the hook checks for a list
_hooked: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _requests or event not in (*LOOK_UPS, *SENDS):
        return
    to = args[0] if event in LOOK_UPS else args[1]
    unix = event in SENDS and isinstance(to, str | bytes | None)
    if unix or (event in SENDS and str(to[0]).startswith(LOCAL)):
        return
    _requests[-1].append(f"{event} {to}")
    raise ConnectionRefusedError(f"there is no network in this test: {event} {to}")


@contextlib.contextmanager
def no_network() -> Iterator[list[str]]:
    """Yields the list of refused requests, which also has those whose error was swallowed."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)
    _requests.append([])
    try:
        yield _requests[-1]
    finally:
        _requests.pop()


def python_without(folder: Path) -> tuple[Path, Path]:
    """Write a Python for `python -I script` that has no network; returns (its path, the log of refused requests)."""
    python, requests = folder / "python", folder / "asked"
    python.write_text(
        f"#!{sys.executable} -I\n"
        "import runpy, sys\n"
        f"here = runpy.run_path({__file__!r})\n"
        "assert sys.argv.pop(1) == '-I'\n"
        "sys.argv.pop(0)\n"
        "with here['no_network']() as asked:\n"
        "    try:\n"
        "        runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "    finally:\n"
        f"        open({str(requests)!r}, 'a').writelines(f'{{x}}\\n' for x in ['run', *asked])\n"
    )
    os.chmod(python, python.stat().st_mode | stat.S_IXUSR)
    return python, requests
