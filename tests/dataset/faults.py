"""A hundred ways to break a dataset, each what a disk, a copy, a script or a forger does to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from vrm_synth.dataset.derive import write_shard
from vrm_synth.dataset.layout import is_of, plan_of, read_identity, stem_of
from vrm_synth.dataset.reader import read_shard
from vrm_synth.dataset.record import Record, record_name
from vrm_synth.dataset.store import LocalStore

Plant = Callable[[LocalStore, np.random.Generator], str]
UNTOUCHED = "dataset.json"  # without which there is nothing to hold a dataset to: a test of its own


def _file(store: LocalStore, random: np.random.Generator, *ends: str) -> str:
    names = [n for n in store.list() if n != UNTOUCHED and (not ends or n.endswith(ends))]
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
    planned = [*plan_of(read_identity(store))]
    p = planned[int(random.integers(len(planned)))]
    for name in [*store.list(p.split), record_name(p.shard)]:
        if name == record_name(p.shard) or is_of(name, stem_of(p.split, p.shard)):
            store.delete(name)
    return f"shard {p.shard}: deleted, record and all"


def swapped_files(store: LocalStore, random: np.random.Generator) -> str:
    a, b = _two(store, random, (".png", ".tar", ".parquet", ".jsonl"))
    ours, theirs = store.read(a), store.read(b)
    store.put_file(a, theirs)
    store.put_file(b, ours)
    return f"{a} and {b} swapped"


def swapped_shards(store: LocalStore, random: np.random.Generator) -> str:
    """Two shards of a split, their contents written with honest records of the wrong numbers."""
    a, b = (p for p in plan_of(read_identity(store)) if p.split == "train")
    form = read_identity(store)["format"]
    ours, theirs = ([*read_shard(store, form, p.split, p.shard)] for p in (a, b))
    for p in (a, b):
        for name in store.list(p.split):
            if is_of(name, stem_of(p.split, p.shard)):
                store.delete(name)
    write_shard(store, form, replace(a, keys=b.keys), theirs)
    write_shard(store, form, replace(b, keys=a.keys), ours)
    return "two shards swapped, their records sealed anew"


def changed_record(store: LocalStore, random: np.random.Generator) -> str:
    """One field changed, and the record sealed anew."""
    name = _file(store, random.spawn(1)[0], *list(store.list("records")))
    record = Record.of_bytes(store.read(name), name)
    file = record.files[0]
    changes: list[dict[str, object]] = [
        {"shard": record.shard + 1}, {"split": "other"}, {"keys": record.keys[:-1]}, {"keys": record.keys[::-1]},
        {"keys": (*record.keys, "999999")}, {"pixels": "0" * 64}, {"words": "0" * 64}, {"files": record.files[1:]},
        {"files": (replace(file, size=file.size + 1), *record.files[1:])},
        {"files": (replace(file, sha256="0" * 64), *record.files[1:])},
        {"quarantined": {"999999": "black"}}, {"drawn_by": ("another driver",)}, {"packages": {"numpy": "0"}},
    ]  # fmt: skip
    change = changes[int(random.integers(len(changes)))]
    store.put_file(name, replace(record, **change).to_bytes())  # type: ignore[arg-type]
    return f"{name}: {next(iter(change))} changed, sealed anew"


def swapped_captions(store: LocalStore, random: np.random.Generator) -> str:
    """Two captions of a shard, in picture and metadata, everything hashed and sealed anew."""
    identity = read_identity(store)
    planned = [*plan_of(identity)]
    p = planned[int(random.integers(len(planned)))]
    samples = [*read_shard(store, identity["format"], p.split, p.shard)]
    a, b = random.choice(len(samples), 2, replace=False).tolist()
    while samples[a].caption == samples[b].caption:
        a, b = random.choice(len(samples), 2, replace=False).tolist()
    for one, other in ((samples[a], samples[b]), (samples[b], samples[a])):
        row = {**one.row, "caption": other.caption}
        samples[samples.index(one)] = replace(one, caption=other.caption, row=row)
    write_shard(store, identity["format"], p, samples)
    return f"shard {p.shard}: captions of {samples[a].key} and {samples[b].key} swapped, sealed anew"


def dropped_sample(store: LocalStore, random: np.random.Generator) -> str:
    """A shard that silently lacks a sample, sealed so."""
    identity = read_identity(store)
    planned = [*plan_of(identity)]
    p = planned[int(random.integers(len(planned)))]
    samples = [*read_shard(store, identity["format"], p.split, p.shard)]
    gone = samples.pop(int(random.integers(len(samples))))
    for name in store.list(p.split):
        if is_of(name, stem_of(p.split, p.shard)):
            store.delete(name)
    write_shard(store, identity["format"], replace(p, keys=tuple(s.key for s in samples)), samples)
    return f"shard {p.shard}: {gone.key} left out, sealed so"


KINDS: tuple[Plant, ...] = (
    flipped_bit, cut_file, grown_file, deleted_file, deleted_shard, swapped_files, swapped_shards, changed_record,
    swapped_captions, dropped_sample,
)  # fmt: skip


def faults(count: int) -> Iterator[tuple[int, Plant]]:
    """(seed, how) of so many faults, all kinds in turn."""
    yield from zip(range(count), itertools.cycle(KINDS))
