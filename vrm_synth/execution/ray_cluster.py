"""Run a task with Ray Core: by actors on this machine, or on a cluster.

An actor is a process that opens its own renderer. One call processes one piece (in a dataset: the shards of a block)
and streams the events of the piece back as they happen. Ray neither restarts actors nor repeats calls:
crash_policy.py decides what happens to a piece whose process died, as in process_pool.py. A dead actor is replaced as
long as there is work and any actor has begun some. A piece whose actor Ray ended for lack of memory is repeated and not
blamed, so that other users of the machine cannot cause a piece to be quarantined.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vrm_synth import __version__
from vrm_synth.core.errors import RenderError
from vrm_synth.execution.crash_policy import WorkerCrashPolicy
from vrm_synth.execution.task_protocol import PlaceableTask, Task, TaskError, skip_none
from vrm_synth.execution.work_queue import Crew, Worker, WorkQueue

Piece = TypeVar("Piece")
Event = TypeVar("Event")

OBJECT_STORE = 80 << 20  # bytes; Ray takes no less, and would take a third of the machine: events are small
START_NOTICE = 30.0  # seconds without an actor, after which a note says that the cluster is waited for


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster to run on, and what each actor gets of it.

    address: of a cluster ("auto", "head:6379"); "local" starts Ray on this machine and ends it afterwards.
    devices: EGL indices, which actors share.
    gpus: share of a GPU that each actor reserves instead (0.25: four share one); it then draws on the EGL device that
        has the number of that GPU.
    threads: of numerical libraries and of Mesa's software renderer, in each actor.
    """

    address: str = "local"
    devices: tuple[int, ...] = (0,)
    gpus: float = 0.0
    threads: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of an actor's process."""
        # To llvmpipe 0 is "in the calling thread", which is what one thread means.
        mesa = 0 if self.threads == 1 else self.threads
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {"LP_NUM_THREADS": str(mesa), **dict.fromkeys(names, str(self.threads))}


LOCAL_CLUSTER = Cluster()


def run_task_on_ray(
    task: PlaceableTask[Piece, Event],
    groups: Iterable[Sequence[Piece]],
    actors: int,
    cluster: Cluster = LOCAL_CLUSTER,
    note: Callable[[str], object] = lambda text: None,
    skip: Callable[[Piece], bool] = skip_none,
) -> Generator[Event, None, None]:
    """Run the task on every piece with up to `actors` Ray actors.

    Event order and `skip` as in `process_pool.run_task`.
    note: called with a line of progress for the user, such as that the cluster is waited for.

    Raises the errors of the task, and RenderError where Ray is missing or cannot be reached, or where no actor lives
    long enough to begin.
    """
    groups = [group for group in groups if group]
    with connected(cluster, actors) as ray:
        crew = _ActorCrew(ray, task, WorkQueue(groups, actors, skip), cluster, note)
        try:
            yield from crew.run(min(actors, sum(map(len, groups))))
        finally:
            crew.kill()


# ---------------------------------------------------------------- in the driver


@dataclass(eq=False, kw_only=True)
class _ActorWorker(Worker):
    """An actor.

    handle: Ray's actor handle.
    device: its EGL device; None for that of the GPU that Ray assigns.
    stream: events of its current call.
    """

    handle: Any
    device: int | None
    stream: Any = None


class _ActorCrew(Crew[Any, Any]):
    """The actors of a run."""

    def __init__(
        self,
        ray: Any,
        task: PlaceableTask[Any, Any],
        queue: WorkQueue[Any],
        cluster: Cluster,
        note: Callable[[str], object],
    ):
        super().__init__(task, queue, WorkerCrashPolicy("an actor"))
        self._ray, self._cluster, self._note = ray, cluster, note
        self._actors: list[_ActorWorker] = []

    def run(self, actors: int) -> Iterator[Any]:
        """Yield the events of all pieces."""
        devices = (None,) if self._cluster.gpus else self._cluster.devices
        self._actors = [self._start(devices[k % len(devices)]) for k in range(actors)]
        for actor in self._actors:
            self._call(actor)
        while any(a.pending for a in self._actors):
            streams = {a.stream: a for a in self._actors if a.pending}
            ready, _ = self._ray.wait(list(streams), num_returns=1, timeout=START_NOTICE, fetch_local=False)
            if not ready and not any(a.started for a in self._actors):
                self._note("waiting for the cluster to start an actor; `ray status` says what it lacks")
            for stream in ready:
                yield from self._receive(streams[stream])

    def kill(self) -> None:
        """End all actors."""
        for actor in self._actors:
            self._ray.kill(actor.handle)

    def _start(self, device: int | None) -> _ActorWorker:
        actor_class = self._ray.remote(_Actor).options(
            num_cpus=1,
            num_gpus=self._cluster.gpus,
            max_restarts=0,
            max_task_retries=0,
            runtime_env={"env_vars": self._cluster.environment},
        )
        return _ActorWorker(handle=actor_class.remote(self._task, device, __version__), device=device)

    def _call(self, actor: _ActorWorker) -> None:
        """Let an actor do its next piece, if there is one."""
        if self.assign(actor):
            call = actor.handle.do.options(num_returns="streaming", _generator_backpressure_num_objects=1)
            actor.stream = call.remote(actor.pending[0])

    def _receive(self, actor: _ActorWorker) -> Iterable[Any]:
        """The events of one message, or of the actor's death."""
        try:
            message = self._ray.get(next(actor.stream))
        except StopIteration:
            actor.pending.popleft()
            self._call(actor)
            return ()
        except self._ray.exceptions.RayError as e:
            return self._replace(actor, e)
        if isinstance(message, TaskError):
            raise message.error()
        self.on_start(actor)
        if message:  # () says that it begins
            self._policy.on_event()
        events: tuple[Any, ...] = message
        return events

    def _replace(self, actor: _ActorWorker, e: Exception) -> Iterator[Any]:
        self._ray.kill(actor.handle)
        out_of_memory = isinstance(e, self._ray.exceptions.OutOfMemoryError)
        events = self.on_crash(actor, _exit_reason(e), out_of_memory)
        fresh = self._start(actor.device)
        self._actors[self._actors.index(actor)] = fresh
        fresh.group = actor.group
        yield from events  # before the next piece is taken: they may decide that it is skipped
        self._call(fresh)


def _exit_reason(e: Exception) -> str:
    """The end of an actor in a few words; Ray's own are a page."""
    cause = getattr(e, "cause", None)
    if isinstance(cause, Exception):
        return f"{type(cause).__name__}: {cause}"
    return "its process ended"


@contextlib.contextmanager
def connected(cluster: Cluster, actors: int) -> Iterator[Any]:
    """A context with the ray module, connected to the cluster; disconnected afterwards where it was not before."""
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
        _check_address(cluster.address)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            **(local if cluster.address == "local" else {}),
        )
    except (ValueError, RuntimeError, OSError) as e:
        raise RenderError("cannot connect to Ray", got=_error_line(e), where=cluster.address) from e
    # Ray prints a page to stdout for every process that dies; ours is one line, where it belongs.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield ray
    finally:
        ray.shutdown()


def _error_line(e: BaseException) -> str:
    """The one line of a Ray exception that says what is wrong; the others hold whole tracebacks."""
    lines = str(e.__cause__ or e).splitlines()
    errors = [line for line in lines if "Error: " in line]
    return errors[-1].strip() if errors else f"{type(e).__name__}: {e}"


def _check_address(address: str) -> None:
    """Raise OSError where nothing answers at host:port: Ray itself would wait two minutes and end the process."""
    if address.startswith("ray://"):
        raise RenderError(
            "Ray's client cannot stream", got=address, allowed="host:6379 or auto, from a node of the cluster"
        )
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


# ---------------------------------------------------------------- in an actor


class _Actor:
    """A copy of the task in an actor's process, opened at the first call.

    device: an EGL index; None for that of the GPU that Ray gave.
    """

    def __init__(self, task: PlaceableTask[Any, Any], device: int | None, version: str):
        self._task, self._device, self._version = task, device, version
        self._stack = contextlib.ExitStack()
        self._do: Callable[[Any], Iterable[Any]] | None = None

    def do(self, piece: Any) -> Iterator[tuple[Any, ...] | TaskError]:
        """Yield () when the piece begins, then each of its events."""
        try:
            if self._do is None:
                self._do = self._stack.enter_context(self._placed().open())
            yield ()
            for event in self._do(piece):
                yield (event,)
        except Exception as e:
            yield TaskError.of(e)

    def _placed(self) -> Task[Any, Any]:
        if __version__ != self._version:
            raise RenderError("a node has another version of vrm-synth", got=__version__, allowed=self._version)
        if self._device is not None:
            return self._task.on_device(self._device)
        import ray

        return self._task.on_device(int(ray.get_gpu_ids()[0]))
