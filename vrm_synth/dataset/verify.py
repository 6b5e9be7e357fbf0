"""Is a dataset what it says it is? Every byte hashed, every picture decoded, every record checked against the plan.

A fault names a file and, where one is to blame, the shard that is to be made again. What is checked, and by what:

    a flipped byte, a cut or swapped file       the record's size and SHA-256 of each file
    a missing shard, a missing record           the plan, which follows from dataset.json
    a changed record                            its own seal, the plan, and what is in the shard
    a swapped caption or line, hashes forged    each caption is made anew from its shot's labels, each shot's id is
                                                its key's; the table has the same rows
    another picture, hashes forged              a sample of the shots is drawn again (again.py)
    a file that belongs to nothing              the list of all files

Near-duplicates are told of, and are no fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vrm_synth.avatar.model import Avatar
from vrm_synth.core.errors import DatasetError, VrmSynthError
from vrm_synth.core.rng import rng
from vrm_synth.dataset.again import claims, draw_again, likeness
from vrm_synth.dataset.layout import COMPLETE, Planned, is_of, plan_of, read_complete, read_identity, stem_of
from vrm_synth.dataset.metadata import Row
from vrm_synth.dataset.nearest import near_groups, perceptual_hash
from vrm_synth.dataset.reader import Sample, decode, open_picture, read_shard
from vrm_synth.dataset.record import RECORDS, Record, record_name, words_digest
from vrm_synth.dataset.store import Store
from vrm_synth.dataset.table import TABLE, flat, read_table, spelled
from vrm_synth.dataset.workers import work
from vrm_synth.render.base import Renderer


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be. file: its name in the dataset; shard: which one to make again, None
    where only what `finish` makes is wrong."""

    file: str
    what: str
    shard: int | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class Checked:
    """What was found in a shard. keys: of its samples; hashes: key → perceptual hash, of pictures that could be
    decoded; rows: SHA-256 over its rows of the table; files: what its record accounts for."""

    shard: int
    split: str
    faults: tuple[Fault, ...]
    keys: tuple[str, ...] = ()
    hashes: Mapping[str, bytes] = field(default_factory=dict)
    rows: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checking:
    """The task (workers.Task) of checking shards; the reading of a whole dataset in several processes.

    near: whether pictures' perceptual hashes are wanted, too.
    """

    store: Store
    form: str
    near: bool = True

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[Planned], tuple[Checked]]]:
        yield lambda planned: (check_shard(self, planned),)

    def lost(self, planned: Planned, how: str) -> tuple[Checked]:
        """A file that kills whoever reads it is not what we wrote."""
        fault = Fault(record_name(planned.shard), f"the process that checked this shard died: {how}", planned.shard)
        return (Checked(planned.shard, planned.split, (fault,)),)


@dataclass(frozen=True)
class Verdict:
    """faults: all that was found, shard by shard; samples: pictures that were decoded; redrawn: how many were drawn
    again; near: groups of keys whose pictures look the same."""

    faults: tuple[Fault, ...]
    samples: int
    redrawn: int = 0
    near: tuple[tuple[str, ...], ...] = ()

    @property
    def broken(self) -> tuple[int, ...]:
        """The shards that are to be made again."""
        return tuple(sorted({f.shard for f in self.faults if f.shard is not None}))


def verify(
    store: Store,
    *,
    workers: int = 1,
    near: bool = True,
    redraw: int = 0,
    renderer: Renderer | None = None,
    open_avatar: Callable[[str], Avatar] | None = None,
    done: Callable[[], object] = lambda: None,
) -> Verdict:
    """Check a whole dataset; nothing in it is changed.

    workers: processes; near: look for near-duplicates, too; redraw: how many shots to draw again, with `renderer` and
    `open_avatar` (what a shot names → Avatar); done: called for each shard that is checked.
    Raises DatasetError where the folder is no dataset of ours, or cannot be read.
    """
    identity = read_identity(store)
    planned = [*plan_of(identity)]
    task = Checking(store, identity["format"], near)
    groups = [planned[k :: max(1, workers)] for k in range(max(1, workers))]
    found: dict[int, Checked] = {}
    with contextlib.closing(work(task, groups, workers)) as checking:
        for checked in checking:
            found[checked.shard] = checked
            done()
    shards = [found[p.shard] for p in planned]
    faults = [f for c in shards for f in c.faults]
    faults += _as_a_whole(store, identity, shards)
    keys = [key for c in shards for key in c.hashes]
    hashes = np.frombuffer(b"".join(h for c in shards for h in c.hashes.values()), np.uint8)
    alike = near_groups(hashes.reshape(len(keys), -1)) if keys else []
    sound = [c for c in shards if not c.faults]
    redrawn = 0
    if redraw and renderer and open_avatar:
        for fault in redraw_some(store, identity, sound, redraw, renderer, open_avatar):
            redrawn += 1
            faults += [fault] if fault else []
    return Verdict(
        tuple(faults),
        sum(len(c.keys) for c in shards),
        redrawn,
        tuple(tuple(keys[n] for n in group) for group in alike),
    )


def check_shard(task: Checking, planned: Planned) -> Checked:
    """Everything that one shard can be held to."""
    name = record_name(planned.shard)
    try:
        record = Record.of_bytes(task.store.read(name), name)
    except DatasetError as e:
        return Checked(planned.shard, planned.split, (Fault(name, _inside(e, name), planned.shard),))
    faults = [Fault(name, what, planned.shard) for what in _against_plan(record, planned)]
    faults += [Fault(f, what, planned.shard) for f, what in _files(task.store, record)]
    digest, table, keys, hashes, rows = hashlib.sha256(), hashlib.sha256(), list[str](), dict[str, bytes](), list[Row]()
    place = f"shard {planned.shard:05d}"
    try:
        for s in read_shard(task.store, task.form, record.split, record.shard):
            keys.append(s.key)
            rows.append(dict(s.row))
            table.update(spelled(flat(s.row, s.key, record.split, record.shard)))
            try:
                picture = open_picture(s.picture)
            except DatasetError as e:
                faults.append(Fault(f"{place}/{s.key}", str(e), planned.shard))
                continue
            digest.update(decode(s.picture).tobytes())
            faults += [Fault(f"{place}/{s.key}", what, planned.shard) for what in claims(s, picture.size)]
            if task.near:
                hashes[s.key] = perceptual_hash(picture).tobytes()
    except DatasetError as e:
        faults.append(Fault(place, str(e), planned.shard))
    else:
        if tuple(keys) != record.keys:
            faults.append(
                Fault(place, f"holds other samples than its record says: {_differ(keys, record.keys)}", planned.shard)
            )
        if digest.hexdigest() != record.pixels:
            faults.append(Fault(place, "other pixels than its record says", planned.shard))
        if words_digest(rows) != record.words:
            faults.append(Fault(place, "other metadata than its record says", planned.shard))
    names = (name, *(f.name for f in record.files))
    return Checked(planned.shard, record.split, tuple(faults), tuple(keys), hashes, table.hexdigest(), names)


# ---------------------------------------------------------------- the dataset as a whole


def _as_a_whole(store: Store, identity: Mapping[str, Any], shards: Sequence[Checked]) -> Iterator[Fault]:
    """What `finish` made, and files that nothing accounts for."""
    try:
        complete = read_complete(store)
    except DatasetError as e:
        yield Fault(COMPLETE, _inside(e, COMPLETE))
        complete = {}
    records = {record_name(c.shard): c.shard for c in shards}
    for name, sha256 in complete.items():
        if not store.exists(name):
            yield Fault(name, "is missing", records.get(name))
        elif hashlib.sha256(store.read(name)).hexdigest() != sha256:
            yield Fault(name, "other bytes than when the dataset was finished", records.get(name))
    known = {*complete, *(name for c in shards for name in c.files)}
    lost = [stem_of(c.split, c.shard) for c in shards if not c.files]  # whose files no record accounts for
    for folder in sorted({RECORDS, *(c.split for c in shards)}):
        for name in store.list(folder):
            if name not in known and not any(is_of(name, stem) for stem in lost):
                yield Fault(name, "belongs to nothing in this dataset: move it elsewhere")
    if store.exists(TABLE) and all(not c.faults for c in shards):
        yield from _table(store, shards)


def _table(store: Store, shards: Sequence[Checked]) -> Iterator[Fault]:
    digests = {c.shard: hashlib.sha256() for c in shards}
    try:
        for row in read_table(io.BytesIO(store.read(TABLE))):
            if row["shard"] not in digests:
                yield Fault(TABLE, f"has a row of a shard that is not there: {row['shard']}")
                return
            digests[row["shard"]].update(spelled(row))
    except DatasetError as e:
        yield Fault(TABLE, str(e))
        return
    wrong = [c.shard for c in shards if digests[c.shard].hexdigest() != c.rows]
    if wrong:
        yield Fault(TABLE, f"other rows than the shards have: of {', '.join(f'{n:05d}' for n in wrong[:5])}")


def redraw_some(
    store: Store,
    identity: Mapping[str, Any],
    sound: Sequence[Checked],
    most: int,
    renderer: Renderer,
    open_avatar: Callable[[str], Avatar],
) -> Iterator[Fault | None]:
    """Draw some of the shots again, by chance but the same each time; a fault or None for each."""
    by_key = {key: c for c in sound for key in c.keys}
    keys = sorted(by_key)
    chosen = {keys[n] for n in rng(0, "verify").permutation(len(keys))[:most].tolist()}
    for c in sound:
        if not chosen & set(c.keys):
            continue
        for s in read_shard(store, identity["format"], c.split, c.shard):
            if s.key in chosen:
                yield _compared(s, c.shard, renderer, open_avatar)


def _compared(s: Sample, shard: int, renderer: Renderer, open_avatar: Callable[[str], Avatar]) -> Fault | None:
    name = f"shard {shard:05d}/{s.key}"
    try:
        drawn = draw_again(s, renderer, open_avatar)
    except VrmSynthError as e:
        return Fault(name, f"cannot be drawn again: {e}")
    found = likeness(decode(s.picture), drawn)
    same_driver = s.row.get("renderer") == renderer.device
    if found.worst == 0 or (not same_driver and found.is_close):
        return None
    where = "on the driver that drew it" if same_driver else f"on {renderer.device}"
    return Fault(
        name,
        f"another picture when drawn again {where}: {found.off:.2%} of pixels differ, by up to {found.worst}",
        shard,
    )


# ---------------------------------------------------------------- one shard


def _against_plan(record: Record, planned: Planned) -> Iterator[str]:
    if (record.shard, record.split) != (planned.shard, planned.split):
        yield f"is of shard {record.shard:05d} of {record.split}, where the plan has {planned.split}"
    both = sorted((*record.keys, *record.quarantined))
    if both != sorted(planned.keys):
        yield f"not the samples of the plan: {_differ(both, planned.keys)}"


def _files(store: Store, record: Record) -> Iterator[tuple[str, str]]:
    for file in record.files:
        if not store.exists(file.name):
            yield file.name, "is missing"
            continue
        data = store.read(file.name)
        if len(data) != file.size:
            yield file.name, f"{len(data)} bytes, where its record says {file.size}"
        elif hashlib.sha256(data).hexdigest() != file.sha256:
            yield file.name, "other bytes than its record says"


def _differ(found: Sequence[str], wanted: Sequence[str]) -> str:
    more, fewer = sorted(set(found) - set(wanted)), sorted(set(wanted) - set(found))
    said = [
        f"{what} {', '.join(some[:3])}{' …' * (len(some) > 3)}"
        for what, some in (("lacks", fewer), ("has", more))
        if some
    ]
    return "; ".join(said) or "another order"


def _inside(e: DatasetError, name: str) -> str:
    return str(e).removeprefix(f"{name}: ")
