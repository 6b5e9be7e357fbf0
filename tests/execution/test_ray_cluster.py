"""Ray yields the same events as the process pool, and every run ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.execution.test_process_pool import GROUPS, UNEXPECTED_MESSAGES, Squaring
from vrm_synth.core.errors import RenderError, ShotError
from vrm_synth.execution.ray_cluster import Cluster, connected, run_task_on_ray

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def local_ray():
    """Ray on this machine for all tests of this file: it takes five seconds to start."""
    with connected(Cluster(), 2):
        yield


@dataclass(frozen=True)
class EnvironmentTask:
    """A task that returns, for each piece, environment variables of its process."""

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[tuple[int, int, dict[str, str]]]]]:
        pid = os.getpid()
        names = ("LP_NUM_THREADS", "OMP_NUM_THREADS", "RAY_USAGE_STATS_ENABLED")
        yield lambda n: iter([(n, pid, {name: os.environ.get(name, "") for name in names})])

    def on_crash(self, n: int, exit_reason: str) -> list[tuple[int, int, dict[str, str]]]:
        raise AssertionError(exit_reason)

    def on_device(self, device: int) -> EnvironmentTask:
        return self


def test_the_events_of_every_piece_arrive_once_and_in_order(local_ray):
    events = list(run_task_on_ray(Squaring(), GROUPS, 2))
    for group in GROUPS:
        for n in group:
            assert [e for e in events if e[0] == n] == [(n, n * n), (n, -n * n)]
    assert len(events) == 2 * sum(map(len, GROUPS))


def test_each_actor_is_a_process_with_its_thread_limit(local_ray):
    events = list(run_task_on_ray(EnvironmentTask(), [range(8), range(8, 16)], 2, Cluster(threads=3)))
    assert sorted(n for n, _, _ in events) == list(range(16))
    assert len({pid for _, pid, _ in events} - {os.getpid()}) == 2
    for _, _, environment in events:
        assert environment == {"LP_NUM_THREADS": "3", "OMP_NUM_THREADS": "3", "RAY_USAGE_STATS_ENABLED": "0"}
    assert Cluster(threads=1).environment["LP_NUM_THREADS"] == "0", "llvmpipe counts helpers"


def test_an_error_keeps_its_type_and_ends_the_run(local_ray):
    with pytest.raises(ShotError, match=r"^shot 13: unlucky; got 13$"):
        list(run_task_on_ray(Squaring(), [range(20)], 2))
    with pytest.raises(RenderError, match=r"^no driver$"):
        list(run_task_on_ray(Squaring(broken="no driver"), GROUPS, 2))


@pytest.mark.parametrize(("n", "message"), UNEXPECTED_MESSAGES)
def test_an_unexpected_exception_is_one_line(local_ray, n, message):
    with pytest.raises(RenderError, match=message):
        list(run_task_on_ray(Squaring(), [[1, 2, n, 3]], 2))


def test_actors_that_always_crash_on_startup_stop_the_run(local_ray):
    with pytest.raises(RenderError, match="an actor died before it could draw"):
        list(run_task_on_ray(Squaring(broken="dies"), GROUPS, 2))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "cannot connect to Ray; got ConnectionRefusedError"),
        ("nonsense", "cannot connect to Ray; got ValueError"),
        ("ray://127.0.0.1:10001", r"Ray's client cannot stream.*allowed: host:6379 or auto"),
    ],
)
def test_a_missing_cluster_is_one_line_at_once(address, message, monkeypatch):
    """Ray itself would retry for minutes and end the process, so it is not called if nothing listens."""
    import ray

    init_calls, init = [], ray.init
    monkeypatch.setattr(ray, "init", lambda **options: (init_calls.append(options["address"]), init(**options)))
    with pytest.raises(RenderError, match=message), connected(Cluster(address), 2):
        pass
    assert init_calls == (["nonsense"] if address == "nonsense" else [])


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RenderError, match=r"Ray is not installed; allowed: pip install 'vrm-synth\[ray\]'"):
        list(run_task_on_ray(Squaring(), GROUPS, 2))
