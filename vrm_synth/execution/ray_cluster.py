"""A task done by Ray Core: by actors on this machine, or on a cluster's.

An actor is a process with a renderer of its own, made inside it; a call is one piece (of a dataset: the shards of a
block), whose events stream back while it is at work. Ray is told neither to restart an actor nor to repeat a call:
what becomes of a piece that its process died of is the task's to say, as with processes of our own
(execution/process_pool.py), and a dead actor is followed by a fresh one as long as there is work and one of them got
to it.
What Ray ended for want of memory is done again, and blamed on no piece: who else uses the machine may not decide what
is quarantined.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from vrm_synth import __version__
from vrm_synth.core.errors import RenderError, VrmSynthError, unexpected
from vrm_synth.execution.process_pool import Queue, Task, none

Piece = TypeVar("Piece")
Event = TypeVar("Event")
Taken = TypeVar("Taken", contravariant=True)
Told = TypeVar("Told", covariant=True)

STARTS = 3  # actors that may die before they could begin, one after the other
OBJECT_STORE = 80 << 20  # bytes; Ray takes no less, and would take a third of the machine: events are small
LONG = 30.0  # seconds without an actor after which a cluster is said to be waited for


@dataclass(frozen=True)
class Cluster:
    """Where actors live.

    address: of a cluster ("auto", "head:6379"); "local" starts Ray on this machine and ends it afterwards.
    devices: EGL indices, which actors share; gpus: what each actor reserves of a GPU instead (0.25: four share one),
    and then draws on the EGL device that has the number of that GPU. threads: of numerical libraries and of Mesa's
    software renderer, in each actor.
    """

    address: str = "local"
    devices: tuple[int, ...] = (0,)
    gpus: float = 0.0
    threads: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """What an actor's process finds in its environment."""
        # To llvmpipe 0 is "in the calling thread", which is what one thread means.
        mesa = 0 if self.threads == 1 else self.threads
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {"LP_NUM_THREADS": str(mesa), **dict.fromkeys(names, str(self.threads))}


HERE = Cluster()


class Placed(Task[Taken, Told], Protocol):
    """A task that can be told where to draw."""

    def on(self, device: int) -> Task[Taken, Told]:
        """The same task on one EGL device."""
        ...


def work(
    task: Placed[Piece, Event],
    groups: Iterable[Sequence[Piece]],
    actors: int,
    cluster: Cluster = HERE,
    note: Callable[[str], object] = lambda text: None,
    skip: Callable[[Piece], bool] = none,
) -> Generator[Event, None, None]:
    """Do the task with every piece of every group by that many actors; otherwise as workers.work.

    note: called with a line of what whoever waits should know. Raises what the task raises, and RenderError where
    Ray is missing, cannot be reached, or no actor lives long enough to begin.
    """
    groups = [group for group in groups if group]
    with connected(cluster, actors) as ray:
        crew = _Crew(ray, task, Queue(groups, actors, skip), cluster, note)
        try:
            yield from crew.run(min(actors, sum(map(len, groups))))
        finally:
            crew.end()


# ---------------------------------------------------------------- in the driver


@dataclass(eq=False)
class _Actor:
    """An actor; the EGL device it was given, the call it is at, the group of that, and the pieces it still owes."""

    handle: Any
    device: int | None
    stream: Any = None
    started: bool = False
    group: int | None = None
    owed: deque[Any] = field(default_factory=deque)


class _Crew:
    """The actors at work, and who does what."""

    def __init__(
        self, ray: Any, task: Placed[Any, Any], queue: Queue[Any], cluster: Cluster, note: Callable[[str], Any]
    ):
        self._ray, self._task, self._queue, self._cluster, self._note = ray, task, queue, cluster, note
        self._actors: list[_Actor] = []
        self._starts = 0  # actors that died before they could begin, since one did begin
        self._starved = 0  # actors that Ray killed to free memory, since one told of something

    def run(self, actors: int) -> Iterator[Any]:
        devices = (None,) if self._cluster.gpus else self._cluster.devices
        self._actors = [self._new(devices[k % len(devices)]) for k in range(actors)]
        for actor in self._actors:
            self._hand_out(actor)
        while any(a.owed for a in self._actors):
            streams = {a.stream: a for a in self._actors if a.owed}
            ready, _ = self._ray.wait(list(streams), num_returns=1, timeout=LONG, fetch_local=False)
            if not ready and not any(a.started for a in self._actors):
                self._note("waiting for the cluster to start an actor; `ray status` says what it lacks")
            for stream in ready:
                yield from self._hear(streams[stream])

    def end(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor.handle)

    def _new(self, device: int | None) -> _Actor:
        made = self._ray.remote(_Hand).options(
            num_cpus=1,
            num_gpus=self._cluster.gpus,
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": self._cluster.environment},
        )
        return _Actor(made.remote(self._task, device, __version__), device)

    def _hand_out(self, actor: _Actor) -> None:
        if not actor.owed:
            found = self._queue.take(actor.group)
            if found is None:
                return
            actor.group, part = found
            actor.owed = deque(part)
        call = actor.handle.do.options(num_returns="streaming", _generator_backpressure_num_objects=1)
        actor.stream = call.remote(actor.owed[0])

    def _hear(self, actor: _Actor) -> Iterator[Any]:
        try:
            message = self._ray.get(next(actor.stream))
        except StopIteration:
            actor.owed.popleft()
            self._hand_out(actor)
            return
        except self._ray.exceptions.RayError as e:
            yield from self._bury(actor, e)
            return
        if isinstance(message, _Stopped):
            raise message.kind(message.reason)
        actor.started, self._starts = True, 0
        if message:  # () says that it begins
            self._starved = 0
        yield from message

    def _bury(self, actor: _Actor, e: Exception) -> Iterator[Any]:
        self._ray.kill(actor.handle)
        starved = isinstance(e, self._ray.exceptions.OutOfMemoryError)
        if starved:  # which the whole machine is to blame for, and no piece
            self._starved += 1
            if self._starved == STARTS:
                raise RenderError("the cluster has no memory left", allowed="fewer workers, or more memory")
        elif not actor.started:
            self._starts += 1
            if self._starts == STARTS:
                raise RenderError("an actor died before it could draw", got=_how(e), where=f"{STARTS} times in a row")
        fresh = self._new(actor.device)
        self._actors[self._actors.index(actor)] = fresh
        fresh.group = actor.group
        if actor.started and not starved:
            yield from self._task.lost(actor.owed.popleft(), _how(e))
        if actor.owed and actor.group is not None:
            self._queue.give_back(actor.group, tuple(actor.owed))
        self._hand_out(fresh)


def _how(e: Exception) -> str:
    """What became of an actor, in a few words; Ray's own are a page."""
    cause = getattr(e, "cause", None)
    if isinstance(cause, Exception):
        return f"{type(cause).__name__}: {cause}"
    return "its process ended"


@contextlib.contextmanager
def connected(cluster: Cluster, actors: int) -> Iterator[Any]:
    """The ray module, connected; what was not connected before is not afterwards."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as e:
        raise RenderError("Ray is not installed", allowed="pip install 'vrm-synth[ray]'") from e
    if ray.is_initialized() and cluster.address == "local":
        yield ray
        return
    local = {"num_cpus": actors, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    try:
        _reach(cluster.address)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            **(local if cluster.address == "local" else {}),
        )
    except (ValueError, RuntimeError, OSError) as e:
        raise RenderError("cannot connect to Ray", got=_gist(e), where=cluster.address) from e
    # Ray prints a page to stdout for every process that dies; ours is one line, where it belongs.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield ray
    finally:
        ray.shutdown()


def _gist(e: BaseException) -> str:
    """The line of an exception of Ray's that says what is wrong; others hold whole tracebacks."""
    told = str(e.__cause__ or e).splitlines()
    errors = [line for line in told if "Error: " in line]
    return errors[-1].strip() if errors else f"{type(e).__name__}: {e}"


def _reach(address: str) -> None:
    """Raises OSError where nobody answers at host:port: Ray itself would wait two minutes and end the process."""
    if address.startswith("ray://"):
        raise RenderError(
            "Ray's client cannot stream", got=address, allowed="host:6379 or auto, from a node of the cluster"
        )
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


# ---------------------------------------------------------------- in an actor


@dataclass(frozen=True)
class _Stopped:
    """The task cannot go on."""

    kind: type[VrmSynthError]
    reason: str


class _Hand:
    """An actor: a copy of the task, opened at the first call. device: an EGL index; None: of the GPU that Ray gave."""

    def __init__(self, task: Placed[Any, Any], device: int | None, version: str):
        self._task, self._device, self._version = task, device, version
        self._open = contextlib.ExitStack()
        self._do: Callable[[Any], Iterable[Any]] | None = None

    def do(self, piece: Any) -> Iterator[tuple[Any, ...] | _Stopped]:
        """() when it begins, and each event of the piece."""
        try:
            if self._do is None:
                self._do = self._open.enter_context(self._placed().opened())
            yield ()
            for event in self._do(piece):
                yield (event,)
        except Exception as e:
            told = unexpected(e)
            yield _Stopped(type(told), str(told))

    def _placed(self) -> Task[Any, Any]:
        if __version__ != self._version:
            raise RenderError("a node has another version of vrm-synth", got=__version__, allowed=self._version)
        if self._device is not None:
            return self._task.on(self._device)
        import ray

        return self._task.on(int(ray.get_gpu_ids()[0]))
