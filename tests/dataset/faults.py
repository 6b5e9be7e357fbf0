"""Ten kinds of faults to plant in a dataset, as a disk, a copy, a script or a forger makes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.derive import put_shard
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.shards.record import Record
from vrm_synth.dataset.verify.expected import ExpectedShard, expected_dataset
from vrm_synth.io.file_names import METRICS_JSON, record_name
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore

Plant = Callable[[LocalStore, np.random.Generator], str]
UNTOUCHED = ("dataset.json", METRICS_JSON)  # the first has tests of its own, the second is checked by nothing


def shards(store: LocalStore) -> list[ExpectedShard]:
    """The shards with at least one sample."""
    plan = expected_dataset(read_identity(store))
    return [e for block in range(plan.blocks) for e in plan.expected(block) if e.count]


def samples(store: LocalStore, shard: ExpectedShard) -> list[DatasetSample]:
    return [*read_shard(store, read_identity(store)["recipe"]["format"], shard.split, shard.number)]


def _shard(store: LocalStore, random: np.random.Generator) -> ExpectedShard:
    """A random shard with at least two different captions."""
    candidates = [e for e in shards(store) if len({s.caption for s in samples(store, e)}) > 1]
    return candidates[int(random.integers(len(candidates)))]


def replace_shard(store: LocalStore, shard: ExpectedShard, contents: list[DatasetSample]) -> None:
    """Write other samples as this shard, with a record that matches them."""
    for name in filter(shard.owns, store.list(shard.split)):
        store.delete(name)
    identity = read_identity(store)
    put_shard(store, identity["recipe"]["format"], shard, contents, dataset_captions(identity).names)


def _file(store: LocalStore, random: np.random.Generator, *ends: str) -> str:
    names = [n for n in store.list() if n not in UNTOUCHED and (not ends or n.endswith(ends))]
    return names[int(random.integers(len(names)))]


def _two(store: LocalStore, random: np.random.Generator, ends: tuple[str, ...] = ()) -> tuple[str, str]:
    """Two random files with the same extension and different bytes."""
    while True:
        a, b = _file(store, random, *ends), _file(store, random, *ends)
        if a != b and a.split(".")[-1] == b.split(".")[-1] and store.read(a) != store.read(b):
            return a, b


def flipped_bit(store: LocalStore, random: np.random.Generator) -> str:
    name = _file(store, random)
    data = bytearray(store.read(name))
    at = int(random.integers(len(data)))
    data[at] ^= 1 << int(random.integers(8))
    store.put_file(name, bytes(data))
    return f"{name}: bit flipped in byte {at}"


def cut_file(store: LocalStore, random: np.random.Generator) -> str:
    name = _file(store, random)
    data = store.read(name)
    at = int(random.integers(len(data)))
    store.put_file(name, data[:at])
    return f"{name}: cut to {at} bytes"


def grown_file(store: LocalStore, random: np.random.Generator) -> str:
    name = _file(store, random)
    store.put_file(name, store.read(name) + b"\0" * int(random.integers(1, 1024)))
    return f"{name}: zeros added"


def deleted_file(store: LocalStore, random: np.random.Generator) -> str:
    name = _file(store, random)
    store.delete(name)
    return f"{name}: deleted"


def deleted_shard(store: LocalStore, random: np.random.Generator) -> str:
    p = _shard(store, random)
    for name in [*filter(p.owns, store.list(p.split)), record_name(p.number)]:
        store.delete(name)
    return f"shard {p.number}: deleted, record and all"


def swapped_files(store: LocalStore, random: np.random.Generator) -> str:
    a, b = _two(store, random, (".png", ".tar", ".parquet", ".jsonl"))
    ours, theirs = store.read(a), store.read(b)
    store.put_file(a, theirs)
    store.put_file(b, ours)
    return f"{a} and {b} swapped"


def swapped_shards(store: LocalStore, random: np.random.Generator) -> str:
    """Swap two shards of a split, with records that match their new contents."""
    a, b = [p for p in shards(store) if p.split == "train"][:2]
    ours, theirs = samples(store, a), samples(store, b)
    replace_shard(store, a, theirs)
    replace_shard(store, b, ours)
    return "two shards swapped, with matching records"


def changed_record(store: LocalStore, random: np.random.Generator) -> str:
    """Change one field of a record and recompute its checksum."""
    name = record_name(_shard(store, random).number)
    record = Record.of_bytes(store.read(name), name)
    file = record.files[0]
    changes: list[dict[str, object]] = [
        {"shard": record.shard + 1}, {"split": "other"}, {"keys": record.keys[:-1]}, {"keys": record.keys[::-1]},
        {"keys": (*record.keys, "999999")}, {"pixels": "0" * 64}, {"words": "0" * 64}, {"files": record.files[1:]},
        {"files": (replace(file, bytes=file.bytes + 1), *record.files[1:])},
        {"files": (replace(file, sha256="0" * 64), *record.files[1:])},
        {"quarantined": {"999999": "black"}}, {"drawn_by": ("another driver",)}, {"packages": {"numpy": "0"}},
    ]  # fmt: skip
    change = changes[int(random.integers(len(changes)))]
    store.put_file(name, replace(record, **change).to_bytes())  # type: ignore[arg-type]
    return f"{name}: {next(iter(change))} changed, checksum recomputed"


def swapped_captions(store: LocalStore, random: np.random.Generator) -> str:
    """Swap two captions of a shard, in text and metadata, with a record that matches."""
    p = _shard(store, random)
    changed = samples(store, p)
    a, b = random.choice(len(changed), 2, replace=False).tolist()
    while changed[a].caption == changed[b].caption:
        a, b = random.choice(len(changed), 2, replace=False).tolist()
    captions = changed[a].caption, changed[b].caption
    for n, caption in ((a, captions[1]), (b, captions[0])):
        changed[n] = replace(changed[n], caption=caption, row={**changed[n].row, "caption": caption})
    replace_shard(store, p, changed)
    return f"shard {p.number}: captions of {changed[a].key} and {changed[b].key} swapped, with a matching record"


def dropped_sample(store: LocalStore, random: np.random.Generator) -> str:
    """Drop a sample from a shard, with a record that matches."""
    p = _shard(store, random)
    remaining = samples(store, p)
    dropped = remaining.pop(int(random.integers(len(remaining))))
    replace_shard(store, p, remaining)
    return f"shard {p.number}: {dropped.key} left out, with a matching record"


KINDS: tuple[Plant, ...] = (
    flipped_bit, cut_file, grown_file, deleted_file, deleted_shard, swapped_files, swapped_shards, changed_record,
    swapped_captions, dropped_sample,
)  # fmt: skip


def faults(count: int) -> Iterator[tuple[int, Plant]]:
    """(seed, function that plants the fault) of `count` faults, all kinds in turn."""
    yield from zip(range(count), itertools.cycle(KINDS))
