"""Find the missing shards of a dataset from dataset.json and the completion records alone, without its recipe."""

from __future__ import annotations

from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.shards.record import is_done
from vrm_synth.dataset.verify.expected import expected_dataset
from vrm_synth.io.file_names import RECORDS_FOLDER, record_name
from vrm_synth.io.store import Store

LIST_THRESHOLD = 32  # shards; for fewer, as of one block, a look-up of each is cheaper than the list of all


def missing_shards(store: Store) -> list[int]:
    """Numbers of the shards that have no whole completion record of their own. Raises DatasetError."""
    plan = expected_dataset(read_identity(store))
    return missing_of(store, range(plan.shards))


def missing_of(store: Store, numbers: range | list[int]) -> list[int]:
    """The missing ones of these shards."""
    if len(numbers) > LIST_THRESHOLD:
        existing = set(store.list(RECORDS_FOLDER))
    else:
        existing = {name for name in map(record_name, numbers) if store.exists(name)}
    return [n for n in numbers if record_name(n) not in existing or not is_done(store, record_name(n), n)]
