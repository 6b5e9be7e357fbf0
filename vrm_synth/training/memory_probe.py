"""Find the micro-batch size by a memory trial of each bucket before the first step; the batch size never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vrm_synth.core.errors import TrainError
from vrm_synth.training.data.buckets import Size


def find_accumulation(
    rank_batch_size: int,
    accumulation: int,
    sizes: Sequence[Size],
    fits_in_memory: Callable[[Size, int], bool],
    on_message: Callable[[str], object] = lambda text: None,
) -> int:
    """The fewest micro-batches an update, `accumulation` or more, with which every bucket fits into memory.

    rank_batch_size: pictures of an update on this rank.
    sizes: (width, height) of each bucket.
    fits_in_memory: tries an update of (size, pictures at once); False where memory runs out.
    on_message: gets a line where more micro-batches are needed.

    Raises TrainError where not even one picture at once fits.
    """
    for size in sizes:
        requested = rank_batch_size // accumulation
        while not fits_in_memory(size, rank_batch_size // accumulation):
            divisors = (n for n in range(accumulation + 1, rank_batch_size + 1) if rank_batch_size % n == 0)
            more = next(divisors, None)
            if more is None:
                what, got = "not even one picture at once fits into memory", f"{size[0]}×{size[1]}"
                raise TrainError(what, got=got, allowed="gradient_checkpointing, adamw8bit, or a smaller size")
            accumulation = more
        if rank_batch_size // accumulation < requested:
            on_message(
                f"{requested} pictures of {size[0]}×{size[1]} at once do not fit into memory: "
                f"each update is made in {accumulation} parts of {rank_batch_size // accumulation} (the batch stays)"
            )
    return accumulation
