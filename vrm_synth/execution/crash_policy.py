"""Crash policy: retries and quarantine of pieces of work, shots and avatars whose worker died.

    a worker dies before it began          another is started; MAX_FAILED_STARTS in a row stop the run
    Ray ended it for want of memory        its piece is done again; MAX_OUT_OF_MEMORY in a row stop the run
    it dies while it is at a piece         the task decides (`Task.on_crash`); its other pieces go to other workers
    while it is at a whole block (Ray)     the block is tried MAX_BLOCK_TRIES times, then shot by shot
    while it is at a shot                  the shot is tried MAX_SHOT_CRASHES times, then quarantined
    at MAX_CONSECUTIVE_SHOTS of an avatar  the rest of that avatar's shots in the block are quarantined, too

An avatar that kills the process that draws it would cost two processes per shot. So within a block it is given up
after the first MAX_CONSECUTIVE_SHOTS of its shots in a row, by number, that processes died of: all of its later shots
are quarantined, drawn or not. The result does not depend on the order of drawing: shots before that row are always
tried, shots after it are always dropped. Blocks do not know of each other, as they may be
made on different machines, so that an avatar like this costs each block a few processes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vrm_synth.core.errors import RenderError

MAX_FAILED_STARTS = 4
MAX_OUT_OF_MEMORY = 3
MAX_BLOCK_TRIES = 2
MAX_SHOT_CRASHES = 2
MAX_CONSECUTIVE_SHOTS = 3
SHOT_QUARANTINED = f"{MAX_SHOT_CRASHES} processes that drew it died"
AVATAR_GIVEN_UP = f"its avatar is given up: processes died of {MAX_CONSECUTIVE_SHOTS} of its shots in a row"

Group = TypeVar("Group", bound=Hashable)


class WorkerCrashPolicy:
    """Decides whether the piece that a worker was at is to blame for its death, and when to stop the run.

    worker: what to call one in an error.
    """

    def __init__(self, worker: str = "a worker process"):
        self._worker = worker
        self._failed_starts = 0  # since a worker began
        self._out_of_memory = 0  # since a worker got anything done

    def on_start(self) -> None:
        """A worker has begun."""
        self._failed_starts = 0

    def on_event(self) -> None:
        """A worker got something done."""
        self._out_of_memory = 0

    def blames_piece(self, started: bool, exit_reason: str, out_of_memory: bool = False) -> bool:
        """True if the piece that a dead worker was at is to blame. Raises RenderError where the run cannot go on.

        started: whether the worker had begun; out_of_memory: whether it was ended to free memory, for which the whole
        machine is to blame.
        """
        if out_of_memory:
            self._out_of_memory += 1
            if self._out_of_memory == MAX_OUT_OF_MEMORY:
                raise RenderError("the cluster has no memory left", allowed="fewer workers, or more memory")
            return False
        self._failed_starts = 0 if started else self._failed_starts + 1
        if self._failed_starts == MAX_FAILED_STARTS:
            where = f"{MAX_FAILED_STARTS} times in a row"
            raise RenderError(f"{self._worker} died before it could draw", got=exit_reason, where=where)
        return started


class ShotCrashPolicy(Generic[Group]):
    """Counts the processes that died of each shot, and decides which shots to quarantine.

    group_of: shot → its group, the shots of one avatar in one block.
    shots_of: group → its shots, rising; called where a process died of one of them.
    """

    def __init__(self, group_of: Callable[[int], Group], shots_of: Callable[[Group], Sequence[int]]):
        self._group_of, self._shots_of = group_of, shots_of
        self._groups: dict[Group, _GroupCrashes] = {}  # where a process died

    def on_crash(self, i: int) -> bool:
        """A process died of shot i; whether to quarantine the shot."""
        group = self._group_of(i)
        if group not in self._groups:
            self._groups[group] = _GroupCrashes(self._shots_of(group))
        crashes = self._groups[group].crashes
        crashes[i] += 1
        return crashes[i] == MAX_SHOT_CRASHES

    def on_success(self, i: int) -> None:
        """Shot i was drawn, whatever happened before."""
        if self._groups and (group := self._groups.get(self._group_of(i))):
            group.crashes.pop(i, None)

    def should_wait(self, i: int) -> bool:
        """True if shot i may come to be given up with its avatar, and should wait until that is known."""
        return self._is_after_run(i, 1)

    def is_given_up(self, i: int) -> bool:
        """True if shot i is given up with its avatar."""
        return self._is_after_run(i, MAX_SHOT_CRASHES)

    def _is_after_run(self, i: int, min_crashes: int) -> bool:
        group = self._groups.get(self._group_of(i)) if self._groups else None
        return group is not None and i > group.end_of_run(min_crashes)


@dataclass(frozen=True)
class _GroupCrashes:
    """The shots of an avatar in a block, rising, and how many processes died of some of them."""

    shots: Sequence[int]
    crashes: Counter[int] = field(default_factory=Counter)

    def end_of_run(self, min_crashes: int) -> float:
        """Number of the last of the first MAX_CONSECUTIVE_SHOTS neighbours in `shots` that each crashed `min_crashes`
        times or more; infinity where there is no such sequence."""
        at = sorted(bisect_left(self.shots, i) for i, crashes in self.crashes.items() if crashes >= min_crashes)
        span = MAX_CONSECUTIVE_SHOTS - 1
        ends = (last for first, last in zip(at, at[span:], strict=False) if last - first == span)
        return next((self.shots[last] for last in ends), math.inf)
