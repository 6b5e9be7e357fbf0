"""Progress reports of a training run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepReport:
    """A finished update.

    step: updates done, this one included.
    loss: mean over the global batch.
    learning_rate: of this update.
    images_per_second: mean over the last few updates.
    mfu: model FLOP utilization, 0 … 1; None where the card's peak is not known.
    peak_memory: most bytes allocated on the device so far; None on a CPU.
    """

    step: int
    loss: float
    learning_rate: float
    images_per_second: float
    mfu: float | None
    peak_memory: int | None


@dataclass(frozen=True)
class Callbacks:
    """Progress reports of a run. All do nothing by default.

    on_begin(steps_done, steps): before the first update of this process.
    on_step(report): after each update, one update late.
    on_message(text): one line for the user.
    on_prepare(total): `total` latents are about to be prepared.
    on_prepared(n): n more latents are prepared.
    on_scanned(n): n more samples are indexed.
    should_stop(): asked after each update; True has the run write a checkpoint and end.
    """

    on_begin: Callable[[int, int], object] = lambda steps_done, steps: None
    on_step: Callable[[StepReport], object] = lambda report: None
    on_message: Callable[[str], object] = lambda text: None
    on_prepare: Callable[[int], object] = lambda total: None
    on_prepared: Callable[[int], object] = lambda n: None
    on_scanned: Callable[[int], object] = lambda n: None
    should_stop: Callable[[], bool] = lambda: False
