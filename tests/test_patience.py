"""No test has a bound on time: timeouts, clocks and sleeps in the source of the tests; and the waiting helpers."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.patience import HANG, calls, descendants, ended, free_port, stop, wait_until

TESTS = Path(__file__).resolve().parent
CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "monotonic_ns", "alarm")
# Where a clock is read, or a second is slept, and why nobody fails by it.
ALLOWED = {
    "patience.py": "it is the one place that waits",
    "dataset/test_kills.py": "sleeps before it kills, so that the moment is any; a kill that comes too late is no hit",
    "dataset/test_caption_dataset.py": "the same",
    "training/test_resume.py": "the same",
    "training/test_killed.py": "the same, and an encoder that takes its time",
}
FILES = sorted(p for p in TESTS.rglob("*.py"))


def hasty(path: Path) -> Iterator[str]:
    """Bounds on time in a file: numeric timeouts, uses of clocks, joins and waits with a number of seconds."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        at = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
            yield from (f"{at}: {k}={keywords[k]}" for k in ("timeout", "deadline") if keywords.get(k) is not None)
            numbers = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, int | float)]
            if name in ("join", "wait", "acquire") and numbers:
                yield f"{at}: {name}({numbers[0]})"
            of_time = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("time", "signal")
            if of_time and name in (*CLOCKS, "sleep"):
                yield f"{at}: {name}()"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(TESTS).as_posix())
def test_no_test_has_a_bound_on_time(path):
    if path.relative_to(TESTS).as_posix() not in ALLOWED:
        assert list(hasty(path)) == []


def test_the_exceptions_are_still_needed_and_have_no_bound():
    for name in ALLOWED:
        findings = list(hasty(TESTS / name))
        assert findings and (name == "patience.py" or all("sleep()" in f for f in findings))


def test_time_bounds_are_detected(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import subprocess, time\nsubprocess.run([], timeout=300)\nthread.join(5)\nsettings(deadline=200)\n"
        "time.perf_counter()\ntime.sleep(1)\nsubprocess.run([], timeout=HANG)\nsettings(deadline=None)\n"
    )
    assert len(list(hasty(bad))) == 5


def test_property_tests_have_no_deadline():
    for name in ("steady", "default"):
        profile = settings.get_profile(name)
        assert profile.deadline is None and HealthCheck.too_slow in profile.suppress_health_check


def test_call_counts_are_reproducible():
    def work(n):
        return [abs(i) for i in range(n)]

    assert calls(lambda: work(1000)) - calls(lambda: work(10)) == 990
    assert calls(lambda: work(10)) == calls(lambda: work(10))


def test_waiting_ends_when_the_condition_holds_or_the_process_is_gone():
    answers = iter([0, 0, 1])
    assert wait_until(lambda: next(answers), every=0)
    assert not wait_until(lambda: False, lambda: False)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        assert wait_until(lambda: descendants(process.pid), lambda: process.poll() is None)
        started = [process.pid, *descendants(process.pid)]
        assert not any(map(ended, started)) and ended(2**22 + 1)
        stop(started)
        process.wait(timeout=HANG)
        assert wait_until(lambda: all(map(ended, started)))
    stop(started)
    assert 0 < free_port() < 2**16 and os.getpid() not in started
