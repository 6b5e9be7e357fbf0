"""Calls the vrm-synth command, in the tests' process or in one of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

from click.testing import CliRunner, Result

from vrm_synth.cli import main


def run(*args: object, code: int = 0) -> Result:
    """Call the command in this process; it must exit with `code` and without a traceback."""
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def error(*args: object, code: int = 1) -> str:
    """Call a command that must fail, and return its one error line; nothing may go to stdout."""
    result = run(*args, code=code)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and result.stdout == ""
    return errors[0]


def start(*args: object, **popen_options: object) -> subprocess.Popen[str]:
    """Start the command as a process in its own group, with Ctrl-C's default handler.

    Where the tests run in the background of a shell, SIGINT is ignored and children inherit that.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "vrm_synth", *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **popen_options,  # type: ignore[call-overload]
    )  # fmt: skip
