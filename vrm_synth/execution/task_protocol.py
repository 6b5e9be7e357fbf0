"""Protocols of a task that workers run piece by piece (RenderTask, VerifyTask, ShotListTask), and the message of one
that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from vrm_synth.core.errors import VrmSynthError, unexpected

PieceIn = TypeVar("PieceIn", contravariant=True)
EventOut = TypeVar("EventOut", covariant=True)


class Task(Protocol[PieceIn, EventOut]):
    """A function of pieces of work, opened in each worker. Frozen and picklable: every worker gets a copy."""

    def open(self) -> AbstractContextManager[Callable[[PieceIn], Iterable[EventOut]]]:
        """A context with a function from a piece to its events, for as long as it is open.

        An exception from either stops the whole task, and reaches its caller as a VrmSynthError: what one process met
        by chance, as the end of its memory, may not decide what is made.
        """
        ...

    def on_crash(self, piece: PieceIn, exit_reason: str) -> Iterable[EventOut]:
        """The events of a piece whose worker died ("SIGKILL", "exit status 1"). May raise, to stop the whole task."""
        ...


class PlaceableTask(Task[PieceIn, EventOut], Protocol):
    """A task that can be placed on a device."""

    def on_device(self, device: int) -> Task[PieceIn, EventOut]:
        """The same task on one EGL device."""
        ...


@dataclass(frozen=True)
class TaskError:
    """Message from a worker to its parent: the task cannot go on.

    kind: class of the error to raise.
    text: its message.
    """

    kind: type[VrmSynthError]
    text: str

    @staticmethod
    def of(e: Exception) -> TaskError:
        """The message about any exception."""
        error = unexpected(e)
        return TaskError(type(error), str(error))

    def error(self) -> VrmSynthError:
        """The error, for the parent to raise."""
        return self.kind(self.text)


def skip_none(piece: object) -> bool:
    """Skip no piece."""
    return False
