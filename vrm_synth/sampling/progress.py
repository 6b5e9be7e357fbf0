"""Progress of sampling: functions that are called as images are done."""

from __future__ import annotations

from collections.abc import Callable

ImageProgress = Callable[[float], object]  # called with fractions of an image as they are done; they add up to all
# Called with the number of images done so far, in fractions of an image, and how many there will be.
Progress = Callable[[float, int], object]


def accumulated(progress: Progress, total: int) -> ImageProgress:
    """Return a function that adds up fractions of images and calls `progress` with their sum and the total."""
    done = 0.0

    def add(fraction: float) -> None:
        nonlocal done
        done = min(total, done + fraction)
        progress(done, total)

    progress(0.0, total)
    return add
