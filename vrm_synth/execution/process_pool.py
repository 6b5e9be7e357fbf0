"""One task done piece by piece, in this process or in several, each with a renderer of its own.

Workers are forked, but not from this process, whose threads and GL context would not survive it: from a server
that has imported what drawing needs and done nothing else (multiprocessing's "forkserver"). Two workers that are
spawned each import for themselves what the server imports once, while the parent still reads its input: whole
commands of 200 shots at 512² by two workers took 1.4 s and not 2.0 (crimsom), 4.4 s and not 5.1 (the built-in avatar).

Pieces come in groups that share something costly, such as an avatar: a worker stays with its group while anything is
left of it, so that it reads each avatar once at most. It is handed a few pieces at a time and answers each with one
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
import math
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

from vrm_synth.core.errors import RenderError, VrmSynthError, unexpected
from vrm_synth.execution.main_module import hidden_main_module

SERVER = multiprocessing.get_context("forkserver")
STARTS = 4  # processes in a row that may die before any of them could draw
LONGEST_PART = 16  # pieces; long enough for the hand-over to cost nothing

Piece = TypeVar("Piece")
Event = TypeVar("Event")
Taken = TypeVar("Taken", contravariant=True)
Told = TypeVar("Told", covariant=True)


class Task(Protocol[Taken, Told]):
    """What is to be done with each piece. Frozen and picklable: every process gets a copy."""

    def opened(self) -> AbstractContextManager[Callable[[Taken], Iterable[Told]]]:
        """The doing of it, for as long as it is open: piece → what is to be told of it.

        An exception from either stops the whole task, and reaches whoever called `work` as a VrmSynthError: what one
        process met by chance, as the end of its memory, may not decide what is made.
        """
        ...

    def lost(self, piece: Taken, how: str) -> Iterable[Told]:
        """What is to be told of a piece whose process died. May raise, to stop the whole task."""
        ...


def prepare(*modules: str) -> None:
    """Start the server that workers come from; it imports beside whatever its caller does next.

    modules: what it imports, best all that the task's workers would. Workers get this moment's environment variables.
    Optional, and for programs that use no such server of their own (it is one a process): `work` starts a server that
    imports nothing where there is none.
    """
    SERVER.set_forkserver_preload(["vrm_synth.execution.worker_preload", *modules])
    # The server is born deaf to Ctrl-C, which is this process's to answer, until it can say itself that it ignores it.
    resource_tracker.ensure_running()  # else the server's start begins with it, and it lets Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def none(piece: object) -> bool:
    """No piece is left out."""
    return False


def work(
    task: Task[Piece, Event],
    groups: Iterable[Sequence[Piece]],
    workers: int = 1,
    skip: Callable[[Piece], bool] = none,
) -> Generator[Event, None, None]:
    """Do the task with every piece of every group; the events of one piece come together, and in order.

    workers: 1 works in this process, group by group; more start as many processes, and pieces come as they are
    done. skip: pieces to leave out, asked for each when its turn comes. Raises what the task raises, RenderError where
    workers die one after the other before they can begin.
    """
    if workers > 1:
        yield from _with_crew(task, groups, workers, skip)
        return
    try:
        with task.opened() as do:
            for group in groups:
                for piece in group:
                    if not skip(piece):
                        yield from do(piece)
    except VrmSynthError:
        raise
    except Exception as e:
        raise unexpected(e) from e


# ---------------------------------------------------------------- who does what


class Queue(Generic[Piece]):
    """Groups on their way to `workers` workers, part by part. skip: pieces to leave out when their turn comes."""

    def __init__(self, groups: Iterable[Sequence[Piece]], workers: int, skip: Callable[[Piece], bool] = none):
        self._workers, self._skip = workers, skip
        self._left = {number: deque(group) for number, group in enumerate(groups)}
        self._begun: set[int] = set()

    def take(self, group: int | None) -> tuple[int, tuple[Piece, ...]] | None:
        """The next part for a worker that has worked on `group`: of the same group, else of the first that nobody
        has begun, else of the one with most left. None where nothing is left."""
        while (found := self._next(group)) is not None:
            number, part = found
            if part := tuple(piece for piece in part if not self._skip(piece)):
                self._begun.add(number)
                return number, part
        return None

    def _next(self, group: int | None) -> tuple[int, tuple[Piece, ...]] | None:
        left = [number for number, pieces in self._left.items() if pieces]
        if not left:
            return None
        fresh = [number for number in left if number not in self._begun]
        if group not in left:
            group = fresh[0] if fresh else max(left, key=lambda number: len(self._left[number]))
        assert group is not None
        pieces = self._left[group]
        # Shorter towards the end, so that all workers end together.
        length = min(LONGEST_PART, math.ceil(len(pieces) / (2 * self._workers)))
        return group, tuple(pieces.popleft() for _ in range(length))

    def give_back(self, group: int, part: tuple[Piece, ...]) -> None:
        """A part that its worker could not do."""
        self._left[group].extendleft(reversed(part))

    def __bool__(self) -> bool:
        return any(self._left.values())


# ---------------------------------------------------------------- in the parent


@dataclass(frozen=True)
class _Ready:
    """The worker is open, or through with its part."""


@dataclass(frozen=True)
class _Done:
    """A piece is done."""

    events: tuple[Any, ...]


@dataclass(frozen=True)
class _Stopped:
    """The worker cannot go on."""

    kind: type[VrmSynthError]
    reason: str


@dataclass(eq=False)
class _Worker:
    """A process, the group it is at and what it still owes."""

    process: BaseProcess
    pipe: Connection
    started: bool = False
    group: int | None = None
    owed: deque[Any] = field(default_factory=deque)


def _with_crew(
    task: Task[Piece, Event], groups: Iterable[Sequence[Piece]], workers: int, skip: Callable[[Piece], bool]
) -> Iterator[Event]:
    groups = [group for group in groups if group]
    queue = Queue(groups, workers, skip)
    crew = [_start(task) for _ in range(min(workers, sum(map(len, groups))))]
    stillborn = 0
    try:
        while queue or any(w.owed for w in crew):
            by_pipe = {w.pipe: w for w in crew}
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    stillborn = 0 if worker.started else stillborn + 1
                    yield from _bury(worker, queue, task, stillborn < STARTS)
                    crew[crew.index(worker)] = _start(task)
                    continue
                if isinstance(message, _Stopped):
                    raise message.kind(message.reason)
                if isinstance(message, _Ready):
                    worker.started, stillborn = True, 0
                    _hand_out(worker, queue)
                    continue
                worker.owed.popleft()
                yield from message.events
    finally:
        for worker in crew:  # all at once: the system takes a while to clear a worker's memory away
            worker.process.kill()
        for worker in crew:
            worker.process.join()
            worker.pipe.close()


def _start(task: Task[Any, Any]) -> _Worker:
    ours, theirs = SERVER.Pipe()
    process = SERVER.Process(target=_live, args=(theirs, task), daemon=True)
    with hidden_main_module():
        process.start()
    theirs.close()  # so that the pipe ends when the process does
    return _Worker(process, ours)


def _hand_out(worker: _Worker, queue: Queue[Any]) -> None:
    found = queue.take(worker.group)
    if found is None:
        return
    worker.group, part = found
    worker.owed = deque(part)
    with contextlib.suppress(BrokenPipeError):  # then its pipe has ended, which comes next
        worker.pipe.send(part)


def _bury(worker: _Worker, queue: Queue[Piece], task: Task[Piece, Event], patient: bool) -> Iterable[Event]:
    worker.process.join()
    worker.pipe.close()
    code = worker.process.exitcode or 0
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    if not worker.started and not patient:
        raise RenderError("a worker process died before it could draw", got=how)
    if not worker.owed or worker.group is None:
        return ()  # it had nothing to do
    piece = worker.owed.popleft()
    if worker.owed:
        queue.give_back(worker.group, tuple(worker.owed))
    return task.lost(piece, how)


# ---------------------------------------------------------------- in a worker


def _live(pipe: Connection, task: Task[Any, Any]) -> None:
    """A worker's life: do parts until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    gc.freeze()  # what the server has imported stays as it is, and shared
    gc.enable()
    try:
        with task.opened() as do:
            while True:
                pipe.send(_Ready())
                for piece in pipe.recv():
                    pipe.send(_Done(tuple(do(piece))))
    except (EOFError, BrokenPipeError):
        return  # the parent has gone
    except Exception as e:
        told = unexpected(e)
        pipe.send(_Stopped(type(told), str(told)))
