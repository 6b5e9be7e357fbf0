"""What is broken goes, so that the command that made the dataset makes it again: repair is resume.

The completion mark goes first and the record of a shard before its files: whenever this ends, what is there is a
dataset that is not finished, and never one that only looks whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vrm_synth.dataset.layout import COMPLETE, is_of, plan_of, read_identity, stem_of
from vrm_synth.dataset.record import record_name
from vrm_synth.dataset.store import Store


def repair(store: Store, broken: Sequence[int], make: Callable[[], object], finish: Callable[[], object]) -> None:
    """Remove the broken shards, have the missing ones made, and finish anew.

    broken: their numbers (Verdict.broken), none where only what `finish` makes is wrong. make: makes what is
    missing, as the command that made the dataset does. A file that is no shard's is left alone. Raises DatasetError
    and what the two raise.
    """
    discard(store, broken)
    make()
    finish()


def discard(store: Store, broken: Sequence[int]) -> None:
    """Remove the completion mark, and records and files of the broken shards. Raises DatasetError."""
    store.delete(COMPLETE)
    wanted = set(broken)
    for planned in plan_of(read_identity(store)):
        if planned.shard in wanted:
            store.delete(record_name(planned.shard))
            stem = stem_of(planned.split, planned.shard)
            for name in store.list(planned.split):
                if is_of(name, stem):
                    store.delete(name)
