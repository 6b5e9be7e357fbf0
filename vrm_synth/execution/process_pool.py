"""Run a task piece by piece in this process, or in several processes with a renderer of their own.

Workers are forked, but not from this process, whose threads and GL context would not survive it: from a server
that has imported what drawing needs and done nothing else (multiprocessing's "forkserver"). Two workers that are
spawned each import for themselves what the server imports once, while the parent still reads its input: whole
commands of 200 shots at 512² by two workers took 1.4 s and not 2.0 (crimsom), 4.4 s and not 5.1 (the built-in avatar).

Pieces come in groups that share something costly, such as an avatar: a worker stays with its group while anything is
left of it, so that it reads each avatar once at most. It gets a few pieces at a time and answers each with one
message; what it has not been able to send waits with it. A process that dies takes one piece with it, the one it was
at; the others of its part go to a fresh process.

Inside a worker nothing overlaps. Encoding and writing in a thread beside the next draw cost more than it gave
(m_expressive at 512² on llvmpipe, six interleaved rounds of 100 pictures on one core of a busy machine: medians
30.6 CPU-ms a picture without and 32.7 with): all of it is the processor's work, and encoding takes less than one
of those milliseconds. Where a GPU draws, other processes keep it busy while one of them encodes.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from vrm_synth.core.errors import VrmSynthError, unexpected
from vrm_synth.execution.crash_policy import WorkerCrashPolicy
from vrm_synth.execution.main_module import hidden_main_module
from vrm_synth.execution.task_protocol import Task, TaskError, skip_none
from vrm_synth.execution.work_queue import Crew, Worker, WorkQueue

SERVER = multiprocessing.get_context("forkserver")

Piece = TypeVar("Piece")
Event = TypeVar("Event")


def prepare(*modules: str) -> None:
    """Start the server that workers are forked from; it imports while its caller goes on.

    modules: what it imports, best all that the task's workers would. Workers get this moment's environment variables.
    Optional, and for programs that use no such server of their own (it is one a process): `run_task` starts a server
    that imports nothing where there is none.
    """
    SERVER.set_forkserver_preload(["vrm_synth.execution.worker_preload", *modules])
    # The server starts with Ctrl-C blocked, which is this process's to answer, until it can ignore it itself.
    resource_tracker.ensure_running()  # else the server's start begins with it, and it lets Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_task(
    task: Task[Piece, Event],
    groups: Iterable[Sequence[Piece]],
    workers: int = 1,
    skip: Callable[[Piece], bool] = skip_none,
) -> Generator[Event, None, None]:
    """Run the task with every piece of every group; yield the events of each piece together, and in order.

    workers: 1 works in this process, group by group; more start as many processes, and pieces come as they are
    done. skip: pieces to leave out, asked for each when its turn comes. Raises what the task raises, RenderError where
    workers die one after the other before they can begin.
    """
    if workers > 1:
        yield from _ProcessCrew(task, groups, workers, skip).run()
        return
    try:
        with task.open() as do:
            for group in groups:
                for piece in group:
                    if not skip(piece):
                        yield from do(piece)
    except VrmSynthError:
        raise
    except Exception as e:
        raise unexpected(e) from e


# ---------------------------------------------------------------- in the parent


@dataclass(frozen=True)
class _Ready:
    """Message: the worker has opened its task, or done all pieces of its part."""


@dataclass(frozen=True)
class _Done:
    """Message: a piece is done, with its events."""

    events: tuple[Any, ...]


@dataclass(eq=False, kw_only=True)
class _ProcessWorker(Worker):
    """A worker process and the parent's end of its pipe."""

    process: BaseProcess
    pipe: Connection


class _ProcessCrew(Crew[Piece, Event]):
    """Worker processes of this machine."""

    def __init__(
        self, task: Task[Piece, Event], groups: Iterable[Sequence[Piece]], workers: int, skip: Callable[[Piece], bool]
    ):
        groups = [group for group in groups if group]
        super().__init__(task, WorkQueue(groups, workers, skip), WorkerCrashPolicy())
        self._size = min(workers, sum(map(len, groups)))
        self._workers: list[_ProcessWorker] = []

    def run(self) -> Iterator[Event]:
        """Yield the events of all pieces."""
        try:
            self._workers += [self._start() for _ in range(self._size)]
            while self._queue or any(w.pending for w in self._workers):
                by_pipe = {w.pipe: w for w in self._workers}
                for pipe in wait(list(by_pipe)):
                    yield from self._receive(by_pipe[pipe])  # type: ignore[index]
        finally:
            for worker in self._workers:  # all at once: the system takes a while to free a worker's memory
                worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()

    def _start(self) -> _ProcessWorker:
        parent_end, worker_end = SERVER.Pipe()
        process = SERVER.Process(target=_worker_main, args=(worker_end, self._task), daemon=True)
        with hidden_main_module():
            process.start()
        worker_end.close()  # so that the pipe ends when the process does
        return _ProcessWorker(process=process, pipe=parent_end)

    def _receive(self, worker: _ProcessWorker) -> Iterable[Event]:
        """The events of one message, or of the worker's death."""
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._replace(worker)
        if isinstance(message, TaskError):
            raise message.error()
        if isinstance(message, _Ready):
            self.on_start(worker)
            if self.assign(worker):
                with contextlib.suppress(BrokenPipeError):  # then its pipe has ended, which comes next
                    worker.pipe.send(tuple(worker.pending))
            return ()
        worker.pending.popleft()
        return message.events

    def _replace(self, worker: _ProcessWorker) -> list[Event]:
        worker.process.join()
        worker.pipe.close()
        code = worker.process.exitcode or 0
        exit_reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        events = self.on_crash(worker, exit_reason)
        self._workers[self._workers.index(worker)] = self._start()
        return events


# ---------------------------------------------------------------- in a worker


def _worker_main(pipe: Connection, task: Task[Any, Any]) -> None:
    """Worker main loop: do parts until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    gc.freeze()  # what the server has imported stays as it is, and shared
    gc.enable()
    try:
        with task.open() as do:
            while True:
                pipe.send(_Ready())
                for piece in pipe.recv():
                    pipe.send(_Done(tuple(do(piece))))
    except (EOFError, BrokenPipeError):
        return  # the parent has gone
    except Exception as e:
        pipe.send(TaskError.of(e))
