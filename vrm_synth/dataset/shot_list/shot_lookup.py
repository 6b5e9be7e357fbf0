"""Look up shots of a dataset by their keys, as entries of a list of shots: to render a picture again, in any size."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.finish import is_complete
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.render_task import home_of, source_from
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.dataset.shards.writers import rows_of
from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.dataset.summary.table import find_shards
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import METADATA_TABLE, shard_stem
from vrm_synth.io.store import LocalStore, Store

ShardAddress = tuple[str, int]  # split and number
MAX_NEAR_KEYS = 5  # in an error


def dataset_shots(store: Store, keys: Sequence[str] = ()) -> list[ListedShot]:
    """The shots of the given keys in their order; of all pictures where no keys are given.

    keys: of samples; a number stands for the key of six digits. Avatars are named by whole paths; of a dataset that
    does not lie on this disk, by their files' names. Raises DatasetError where a key is no picture's, and where there
    is no dataset.
    """
    shard_format = str(read_identity(store)["recipe"]["format"])
    home = home_of(store, shard_format)

    def listed_shot(address: ShardAddress, key: str, row: Mapping[str, Any]) -> ListedShot:
        avatar = source_from(home, str(row["shot"].get("avatar")))
        where = f"{shard_stem(*address)}/{key}"
        text = to_json({**row["shot"], "avatar": avatar})
        return ListedShot(key, avatar, text, where, avatar_sha256=str(row.get("avatar_sha256", "")))

    if not keys:
        shards = ((r.split, r.shard) for r in read_records(store) if r.keys)
        return [listed_shot(a, key, row) for a in shards for key, row in rows_of(store, shard_format, *a)]
    requested = list(dict.fromkeys(f"{int(k):06d}" if k.isascii() and k.isdecimal() else k for k in keys))
    shots: dict[str, ListedShot] = {}
    by_address = sorted((address, key) for key, address in _addresses(store, requested).items())
    for address, group in itertools.groupby(by_address, lambda pair: pair[0]):
        group_keys = {key for _, key in group}
        rows = rows_of(store, shard_format, *address)
        shots |= {key: listed_shot(address, key, row) for key, row in rows if key in group_keys}
    for key in requested:
        if key not in shots:
            raise _missing(store, key)
    return [shots[key] for key in requested]


def _addresses(store: Store, keys: Sequence[str]) -> dict[str, ShardAddress]:
    """Key → its shard: by the table where the dataset is finished, by the records where it is not."""
    if is_complete(store):
        table = (
            store.folder / METADATA_TABLE if isinstance(store, LocalStore) else io.BytesIO(store.read(METADATA_TABLE))
        )
        return find_shards(table, keys)
    requested = set(keys)
    return {key: (r.split, r.shard) for r in read_records(store) for key in requested.intersection(r.keys)}


def _missing(store: Store, key: str) -> DatasetError:
    """The error about a key that no picture has: why it has none, or which keys there are."""
    known_keys: list[str] = []
    for record in read_records(store):
        if key in record.quarantined:
            return DatasetError("a shot that could not be made", got=f"{key}: {record.quarantined[key]}", where=store)
        known_keys += record.keys
    near = [k for k in known_keys if k.endswith(f"-{key}")]  # merged: keys begin with their dataset's
    span = f"{min(known_keys)} to {max(known_keys)}" if known_keys else "none yet"
    allowed = ", ".join(near[:MAX_NEAR_KEYS]) or span
    return DatasetError("no such picture in the dataset", got=key, allowed=allowed, where=store)
