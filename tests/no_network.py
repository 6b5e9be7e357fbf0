"""No network: whoever asks for another machine, or for a name, is refused and remembered; also in a child process."""

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

_asked: list[list[str]] = []  # where to remember it: hooks cannot be taken off, so this one looks here
_hooked: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _asked or event not in (*LOOK_UPS, *SENDS):
        return
    to = args[0] if event in LOOK_UPS else args[1]
    unix = event in SENDS and isinstance(to, str | bytes | None)
    if unix or (event in SENDS and str(to[0]).startswith(LOCAL)):
        return
    _asked[-1].append(f"{event} {to}")
    raise ConnectionRefusedError(f"there is no network in this test: {event} {to}")


@contextlib.contextmanager
def no_network() -> Iterator[list[str]]:
    """Gives the list of what was asked for, also if whoever asked went on without it."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)
    _asked.append([])
    try:
        yield _asked[-1]
    finally:
        _asked.pop()


def python_without(folder: Path) -> tuple[Path, Path]:
    """(a Python for `python -I script` that has no network, a file that has what its scripts asked for)."""
    python, asked = folder / "python", folder / "asked"
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
        f"        open({str(asked)!r}, 'a').writelines(f'{{x}}\\n' for x in ['run', *asked])\n"
    )
    os.chmod(python, python.stat().st_mode | stat.S_IXUSR)
    return python, asked
