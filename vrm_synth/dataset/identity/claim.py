"""Claim a folder for a dataset, when its first shard is written.

A folder belongs to one recipe and one output format, which its dataset.json names. The same command goes on where it
ended, another is refused. dataset.json is written before the first shard and not when a run begins, so that a run which
makes nothing (no OpenGL, a full disk) leaves a folder as it was; `claim` is called before every shard is put, so that
of two runs that begin in one new folder the second one to finish a shard stops there.

Growing: shot i depends on the recipe and i alone, and shard s is of block s // splits whatever the count. The same
recipe with a greater count adds shards behind those that are there, and makes the last block anew where it was not
whole. The count in dataset.json changes with the first shard that is put, too; until then the dataset is the smaller
one, finished if it was. Records of the unfinished block go before the count changes: when that is interrupted, what is
there is the smaller dataset with shards missing, and either command goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.finish import reopen
from vrm_synth.dataset.identity.dataset_json import identity_bytes, read_identity
from vrm_synth.dataset.identity.render_id import RENDER_ID, check_render_id
from vrm_synth.dataset.shards.record import Record
from vrm_synth.dataset.verify.expected import DERIVED, RenderedDataset, expected_dataset
from vrm_synth.io.file_names import DATASET_JSON, METRICS_JSON, PROBE_PREFIX, RECORDS_FOLDER, record_name
from vrm_synth.io.store import LocalStore, Store

COUNT = "count"


def check_claimable(store: Store) -> None:
    """Raise DatasetError where no dataset of ours can be made in a store: it has other files, or cannot be written.

    Nothing is written. Whether the dataset there is the same one, `resumable_identity` finds.
    """
    if isinstance(store, LocalStore):
        store.check_writable()
    if _holds_dataset(store):
        read_identity(store)


def _holds_dataset(store: Store) -> bool:
    """True if there is a dataset.json. Raises DatasetError where there are only files of somebody else's."""
    if store.exists(DATASET_JSON):
        return True
    files = [name for name in store.list() if not name.startswith(PROBE_PREFIX)]
    if DATASET_JSON in files:  # another job of the same dataset has put it between the two looks
        return True
    if files:
        raise DatasetError("not empty, and no dataset of ours", allowed="a new folder", where=str(store))
    return False


def resumable_identity(store: Store, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The content of the folder's dataset.json, where a dataset can go on in the folder: it is the same one, or it with
    a smaller count. None where the folder is free, or has a dataset.json and no shard yet.

    identity: the content that dataset.json would have for that dataset (`dataset_json.identity`). Raises DatasetError
    where the folder holds anything else.
    """
    if not _holds_dataset(store):
        return None
    existing = read_identity(store)
    if existing["recipe_sha256"] != identity["recipe_sha256"]:
        if _has_no_shard(store):
            return None
        _check_same_or_smaller(store, existing, identity)
    if existing["vrm_synth"] != identity["vrm_synth"]:
        if _has_no_shard(store):
            return None
        raise DatasetError(
            "the folder was begun by another version, whose pictures may differ",
            got=existing["vrm_synth"],
            allowed=f"{identity['vrm_synth']}, or a new folder",
            where=str(store),
        )
    if existing.get(RENDER_ID) != identity.get(RENDER_ID):
        if _has_no_shard(store):
            return None
        if DERIVED not in identity["recipe"]:  # nothing is drawn for a derived dataset
            check_render_id(store, existing)
    return existing


def claim(store: Store, identity: Mapping[str, Any]) -> None:
    """Write dataset.json, or check that it still has `identity`, before a shard is written. Raises DatasetError as
    `resumable_identity` does."""
    existing = resumable_identity(store, identity)
    if existing is None:
        store.put_file(DATASET_JSON, identity_bytes(identity))
    elif existing["recipe_sha256"] != identity["recipe_sha256"]:
        reopen(store)
        for number in outgrown(existing, identity):
            name = record_name(number)
            # Another job of the grown dataset may be further, and have made the shard.
            if store.exists(name) and not _is_of(store, name, number, identity):
                store.delete(name)
        store.put_file(DATASET_JSON, identity_bytes(identity))


def outgrown(existing: Mapping[str, Any] | None, identity: Mapping[str, Any]) -> range:
    """The shards of an existing dataset that differ in one of a greater count: those of its last block, where that was
    not whole."""
    if existing is None or existing["recipe_sha256"] == identity["recipe_sha256"]:
        return range(0)
    before = expected_dataset(existing)
    if not isinstance(before, RenderedDataset) or existing["recipe"][COUNT] % before.plan.shard_size == 0:
        return range(0)
    return before.plan.numbers(before.plan.blocks - 1)


def _is_of(store: Store, name: str, number: int, identity: Mapping[str, Any]) -> bool:
    """True if a record is of the shard as `identity` has it."""
    plan = expected_dataset(identity)
    assert isinstance(plan, RenderedDataset)
    (expected,) = (e for e in plan.expected(number // len(plan.plan.splits)) if e.number == number)
    try:
        record = Record.of_bytes(store.read(name), name)
    except DatasetError:
        return False
    return sorted((*record.keys, *record.quarantined)) == sorted(expected.keys or ())


def _has_no_shard(store: Store) -> bool:
    """True if nothing has been made in the folder yet."""
    if store.list(RECORDS_FOLDER):  # few files, of a folder that may have millions
        return False
    return all(name in (DATASET_JSON, METRICS_JSON) or name.startswith(PROBE_PREFIX) for name in store.list())


def _check_same_or_smaller(store: Store, existing: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Raise DatasetError where two recipes differ in more than that `identity` has the greater count."""
    keys = {*existing["recipe"], *identity["recipe"]}
    changed = sorted(k for k in keys if existing["recipe"].get(k) != identity["recipe"].get(k))
    if changed != [COUNT]:
        grows = f"; only {COUNT} may change, and grow" if COUNT in keys else ""
        raise DatasetError(
            "the folder holds another recipe's dataset",
            got=f"a recipe that differs in {', '.join(changed) or 'its keys'}{_avatars_differ(existing, identity)}",
            allowed=f"the same recipe, avatars and options{grows}; or a new folder",
            where=str(store),
        )
    before, now = existing["recipe"][COUNT], identity["recipe"][COUNT]
    if not (isinstance(before, int) and isinstance(now, int) and before < now):
        raise DatasetError(
            "the folder holds more pictures of this recipe",
            got=f"count: {now}",
            allowed=f"count: {before} or more; `vrm-synth subset` makes a smaller dataset of it",
            where=str(store),
        )


def _avatars_differ(existing: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Which avatars one dataset.json has and the other has not: " (without aki; with bea)", "" where all are alike."""
    try:
        before, now = ({(a["id"], a["sha256"]) for a in x["recipe"].get("avatars", ())} for x in (existing, identity))
    except (KeyError, TypeError):
        return ""
    clauses = [
        f"{word} {', '.join(names[:3])}{' …' * (len(names) > 3)}"
        for word, some in (("without", before - now), ("with", now - before))
        if (names := sorted(str(name) for name, _ in some))
    ]
    return f" ({'; '.join(clauses)})" if clauses else ""
