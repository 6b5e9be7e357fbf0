"""Several processes that answer shots, each with a renderer of its own.

Spawned, not forked: a GL context does not survive a fork. A process that dies takes one shot with it, the
one it was drawing; the others go to a fresh process.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from vrm_synth.avatar import open_avatar
from vrm_synth.core.errors import RenderError, VrmSynthError
from vrm_synth.dataset.answers import Batch, Done, Event, answer_batch, answer_malformed, batches, fail
from vrm_synth.dataset.files import make_folder
from vrm_synth.dataset.shotlist import Listed
from vrm_synth.render import Compat, open_renderer
from vrm_synth.shot import Shot

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Job:
    """What every worker is told at its start. base: the folder that relative avatar paths start from."""

    out: Path
    base: Path
    renderer: str
    device: int
    compat: Compat = "none"


@dataclass(frozen=True)
class _Ready:
    """The worker has its renderer, or has answered its batch."""


@dataclass(frozen=True)
class _Stopped:
    """The worker cannot go on. reason: one line."""

    reason: str


@dataclass(eq=False)
class _Worker:
    """A process and what it still owes."""

    process: BaseProcess
    pipe: Connection
    started: bool = False
    owed: deque[Shot] = field(default_factory=deque)


def answer_shots(listed: Sequence[Listed], job: Job, workers: int = 1) -> Iterator[Event]:
    """Answer every entry into job.out, in this process or in several; the answers are the same.

    Raises RenderError where nothing can be drawn at all, DatasetError where the folder cannot be written.
    """
    make_folder(job.out)
    yield from answer_malformed(listed, job.out)
    queue = batches(listed, workers)
    if workers > 1:
        yield from answer_with_workers(queue, job, workers)
    elif queue:
        with contextlib.closing(open_renderer(job.renderer, job.device)) as renderer:
            for batch in queue:
                yield from answer_batch(
                    renderer, functools.partial(open_avatar, base=job.base), batch, job.out, job.compat
                )


def answer_with_workers(queue: Sequence[Batch], job: Job, workers: int) -> Iterator[Event]:
    """Answer all batches with `workers` processes. Raises RenderError where they cannot start, DatasetError
    where the folder cannot be written."""
    waiting = deque(queue)
    crew = [_start(job) for _ in range(min(workers, len(waiting)))]
    try:
        while waiting or any(w.owed for w in crew):
            by_pipe = {w.pipe: w for w in crew}
            for pipe in wait(list(by_pipe)):
                worker = by_pipe[pipe]  # type: ignore[index]
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    yield _bury(worker, waiting, job)
                    crew[crew.index(worker)] = _start(job)
                    continue
                if isinstance(message, _Stopped):
                    raise RenderError(message.reason)
                if isinstance(message, _Ready):
                    worker.started = True
                    if waiting:
                        batch = waiting.popleft()
                        worker.owed = deque(batch)
                        with contextlib.suppress(BrokenPipeError):  # then its pipe has ended, which comes next
                            worker.pipe.send(batch)
                    continue
                if isinstance(message, Done):
                    worker.owed.popleft()
                yield message
    finally:
        for worker in crew:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


def _start(job: Job) -> _Worker:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_work, args=(theirs, job), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends when the process does
    return _Worker(process, ours)


def _bury(worker: _Worker, waiting: deque[Batch], job: Job) -> Done:
    worker.process.join()
    worker.pipe.close()
    code = worker.process.exitcode or 0
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    if not worker.started or not worker.owed:
        raise RenderError("a worker process died before it could draw", got=how)
    shot = worker.owed.popleft()
    if worker.owed:
        waiting.appendleft(tuple(worker.owed))
    return fail(shot.id, f"shot {shot.id}: the worker process died while drawing it; got {how}", job.out)


def _work(pipe: Connection, job: Job) -> None:
    """A worker's life: answer batches until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    try:
        renderer = open_renderer(job.renderer, job.device)
        while True:
            pipe.send(_Ready())
            opener = functools.partial(open_avatar, base=job.base)
            for event in answer_batch(renderer, opener, pipe.recv(), job.out, job.compat):
                pipe.send(event)
    except (EOFError, BrokenPipeError):
        return  # the parent has gone
    except VrmSynthError as e:
        pipe.send(_Stopped(str(e)))
