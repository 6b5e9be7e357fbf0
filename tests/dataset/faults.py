"""A hundred ways to break a dataset, each what a disk, a copy, a script or a forger does to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from vrm_synth.dataset.derive import put_shard
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.shards.record import Record
from vrm_synth.dataset.verify.expected import ExpectedShard, expected_dataset
from vrm_synth.io.file_names import METRICS_JSON, record_name
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore

Plant = Callable[[LocalStore, np.random.Generator], str]
UNTOUCHED = ("dataset.json", METRICS_JSON)  # what a dataset is held to, which has tests of its own, and no part of it


def shards(store: LocalStore) -> list[ExpectedShard]:
    """The shards that hold something."""
    plan = expected_dataset(read_identity(store))
    return [e for block in range(plan.blocks) for e in plan.expected(block) if e.count]


def samples(store: LocalStore, shard: ExpectedShard) -> list[DatasetSample]:
    return [*read_shard(store, read_identity(store)["recipe"]["format"], shard.split, shard.number)]


def _shard(store: LocalStore, random: np.random.Generator) -> ExpectedShard:
    """One with two different captions."""
    some = [e for e in shards(store) if len({s.caption for s in samples(store, e)}) > 1]
    return some[int(random.integers(len(some)))]


def put(store: LocalStore, shard: ExpectedShard, what: list[DatasetSample]) -> None:
    """Other samples in its place, with an honest record."""
    for name in filter(shard.owns, store.list(shard.split)):
        store.delete(name)
    put_shard(store, read_identity(store)["recipe"]["format"], shard, what)


def _file(store: LocalStore, random: np.random.Generator, *ends: str) -> str:
    names = [n for n in store.list() if n not in UNTOUCHED and (not ends or n.endswith(ends))]
    return names[int(random.integers(len(names)))]


def _two(store: LocalStore, random: np.random.Generator, ends: tuple[str, ...] = ()) -> tuple[str, str]:
    """Two files of one kind whose bytes differ."""
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
    """Two shards of a split, their contents written with honest records of the wrong numbers."""
    a, b = [p for p in shards(store) if p.split == "train"][:2]
    ours, theirs = samples(store, a), samples(store, b)
    put(store, a, theirs)
    put(store, b, ours)
    return "two shards swapped, their records sealed anew"


def changed_record(store: LocalStore, random: np.random.Generator) -> str:
    """One field changed, and the record sealed anew."""
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
    return f"{name}: {next(iter(change))} changed, sealed anew"


def swapped_captions(store: LocalStore, random: np.random.Generator) -> str:
    """Two captions of a shard, in picture and metadata, everything hashed and sealed anew."""
    p = _shard(store, random)
    changed = samples(store, p)
    a, b = random.choice(len(changed), 2, replace=False).tolist()
    while changed[a].caption == changed[b].caption:
        a, b = random.choice(len(changed), 2, replace=False).tolist()
    captions = changed[a].caption, changed[b].caption
    for n, caption in ((a, captions[1]), (b, captions[0])):
        changed[n] = replace(changed[n], caption=caption, row={**changed[n].row, "caption": caption})
    put(store, p, changed)
    return f"shard {p.number}: captions of {changed[a].key} and {changed[b].key} swapped, sealed anew"


def dropped_sample(store: LocalStore, random: np.random.Generator) -> str:
    """A shard that silently lacks a sample, sealed so."""
    p = _shard(store, random)
    left = samples(store, p)
    gone = left.pop(int(random.integers(len(left))))
    put(store, p, left)
    return f"shard {p.number}: {gone.key} left out, sealed so"


KINDS: tuple[Plant, ...] = (
    flipped_bit, cut_file, grown_file, deleted_file, deleted_shard, swapped_files, swapped_shards, changed_record,
    swapped_captions, dropped_sample,
)  # fmt: skip


def faults(count: int) -> Iterator[tuple[int, Plant]]:
    """(seed, how) of so many faults, all kinds in turn."""
    yield from zip(range(count), itertools.cycle(KINDS))
