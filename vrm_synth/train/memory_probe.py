"""One trial for each bucket before the first step: if memory does not suffice, smaller parts, never a smaller batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vrm_synth.core.errors import TrainError
from vrm_synth.train.data.buckets import Size


def find_micro_batch(
    own_batch: int,
    accumulation: int,
    sizes: Sequence[Size],
    fits: Callable[[Size, int], bool],
    say: Callable[[str], object] = lambda text: None,
) -> int:
    """The least accumulation, `accumulation` or more, with which every bucket fits.

    own_batch: pictures of an update on this rank; fits: tells whether a (size, pictures at once) does. Raises
    TrainError where not even one picture at once fits.
    """
    for size in sizes:
        tried = own_batch // accumulation
        while not fits(size, own_batch // accumulation):
            more = next((n for n in range(accumulation + 1, own_batch + 1) if own_batch % n == 0), None)
            if more is None:
                hint = "gradient_checkpointing, adamw8bit, or a smaller size"
                raise TrainError(
                    "not even one picture at once fits into memory", got=f"{size[0]}×{size[1]}", allowed=hint
                )
            accumulation = more
        if own_batch // accumulation < tried:
            say(
                f"{tried} pictures of {size[0]}×{size[1]} at once do not fit into memory: "
                f"each update is made in {accumulation} parts of {own_batch // accumulation} (the batch stays)"
            )
    return accumulation
