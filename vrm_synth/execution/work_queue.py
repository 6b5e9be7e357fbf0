"""The queue of a task's pieces, in groups, and the state of a worker that takes from it.

Processes of this machine (process_pool.py) and Ray's actors (ray_cluster.py) are both a `Crew` of `Worker`s.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from vrm_synth.execution.crash_policy import WorkerCrashPolicy
from vrm_synth.execution.task_protocol import Task, skip_none

MAX_BATCH = 16  # pieces; long enough for the hand-over to cost nothing

Piece = TypeVar("Piece")
Event = TypeVar("Event")


class WorkQueue(Generic[Piece]):
    """Groups of pieces that are handed to workers batch by batch.

    workers: their number; skip: pieces to leave out, asked for each when its turn comes.
    """

    def __init__(self, groups: Iterable[Sequence[Piece]], workers: int, skip: Callable[[Piece], bool] = skip_none):
        self._workers, self._skip = workers, skip
        self._groups = {number: deque(group) for number, group in enumerate(groups)}
        self._begun: set[int] = set()

    def take(self, group: int | None) -> tuple[int, tuple[Piece, ...]] | None:
        """The next batch (its group, its pieces) for a worker whose last group was `group`.

        It is of the same group while that has pieces, else of the first group that no worker has begun, else of the
        one with most pieces left. None where nothing is left.
        """
        while (batch := self._next(group)) is not None:
            number, pieces = batch
            if pieces := tuple(piece for piece in pieces if not self._skip(piece)):
                self._begun.add(number)
                return number, pieces
        return None

    def give_back(self, group: int, pieces: tuple[Piece, ...]) -> None:
        """Put back pieces that their worker could not do; they are the next of their group."""
        self._groups[group].extendleft(reversed(pieces))

    def __bool__(self) -> bool:
        return any(self._groups.values())

    def _next(self, group: int | None) -> tuple[int, tuple[Piece, ...]] | None:
        left = [number for number, pieces in self._groups.items() if pieces]
        if not left:
            return None
        if group not in left:
            fresh = [number for number in left if number not in self._begun]
            group = fresh[0] if fresh else max(left, key=lambda number: len(self._groups[number]))
        assert group is not None
        pieces = self._groups[group]
        # Shorter towards the end, so that all workers end together.
        length = min(MAX_BATCH, math.ceil(len(pieces) / (2 * self._workers)))
        return group, tuple(pieces.popleft() for _ in range(length))


@dataclass(eq=False, kw_only=True)
class Worker:
    """A process that does pieces one after the other.

    started: whether it has opened its task.
    group: of the batch that it works on; None before its first.
    pending: pieces of that batch that are not done; the first is the one it is at.
    """

    started: bool = False
    group: int | None = None
    pending: deque[Any] = field(default_factory=deque)


class Crew(Generic[Piece, Event]):
    """The workers of a task and the queue that they share; how they are started and heard is a subclass's."""

    def __init__(self, task: Task[Piece, Event], queue: WorkQueue[Piece], policy: WorkerCrashPolicy):
        self._task, self._queue, self._policy = task, queue, policy

    def assign(self, worker: Worker) -> bool:
        """Give a worker without pieces its next batch; whether it has pieces now."""
        if not worker.pending and (batch := self._queue.take(worker.group)) is not None:
            worker.group, pieces = batch
            worker.pending = deque(pieces)
        return bool(worker.pending)

    def on_start(self, worker: Worker) -> None:
        """Note that a worker has opened its task."""
        worker.started = True
        self._policy.on_start()

    def on_crash(self, worker: Worker, exit_reason: str, out_of_memory: bool = False) -> list[Event]:
        """Give back what a dead worker has not done; the events of the piece that it died of, where it is to blame.

        Raises RenderError where workers die for other reasons again and again, and what the task raises.
        """
        events: list[Event] = []
        blamed = self._policy.blames_piece(worker.started, exit_reason, out_of_memory)
        if blamed and worker.pending:
            events += self._task.on_crash(worker.pending.popleft(), exit_reason)
        if worker.pending and worker.group is not None:
            self._queue.give_back(worker.group, tuple(worker.pending))
            worker.pending.clear()
        return events
