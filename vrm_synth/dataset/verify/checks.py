"""Is a dataset what it says it is? Every byte hashed, every picture decoded, every record checked against the plan.

A fault names a file and, where one is to blame, the shard that is to be made again. What is checked, and by what:

    a flipped byte, a cut or swapped file       the record's size and SHA-256 of each file
    a missing shard, a missing record           the plan, which follows from dataset.json
    a changed record                            its own seal, the plan, and what is in the shard
    a swapped caption or line, hashes forged    each caption is made anew from its row, each shot's id is
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

from vrm_synth.core.errors import DatasetError, ExtraError, StoreError, VrmSynthError
from vrm_synth.core.rng import rng
from vrm_synth.dataset.finish import finished_files
from vrm_synth.dataset.layout import COMPLETE, read_identity
from vrm_synth.dataset.shards.record import RECORDS, Record, record_name, words_digest
from vrm_synth.dataset.table import TABLE, canonical_json, flat, read_table
from vrm_synth.dataset.verify.expected import Expectation, Expected, expectation
from vrm_synth.dataset.verify.near_duplicates import library, near_groups, perceptual_hash
from vrm_synth.dataset.verify.reproduce import avatar_of_sample, check_sample, likeness, render_again
from vrm_synth.execution.process_pool import work
from vrm_synth.io.image_encodings import ENCODINGS
from vrm_synth.io.shard_readers import DatasetSample, decode, load_jxl, open_picture, read_shard
from vrm_synth.io.store import Store
from vrm_synth.render import Renderer, renderer_of
from vrm_synth.vrm.model import Avatar


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
class ShardCheck:
    """What was found in a shard. keys: of its samples; hashes: key → perceptual hash, of pictures that could be
    decoded; rows: SHA-256 over its rows of the table; files: what its record
    accounts for; sources: an avatar's SHA-256 → what its shots name it; undecoded: how many pictures nothing here
    reads."""

    expected: Expected
    faults: tuple[Fault, ...]
    keys: tuple[str, ...] = ()
    hashes: Mapping[str, bytes] = field(default_factory=dict)
    rows: str = ""
    files: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    undecoded: int = 0


@dataclass(frozen=True)
class VerifyTask:
    """The task (workers.Task) of checking shards, block by block.

    near: whether pictures' perceptual hashes are wanted, too.
    """

    store: Store
    plan: Expectation
    form: str
    near: bool = True

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[int], Iterator[ShardCheck]]]:
        """Block's number → what was found in each of its shards."""
        yield lambda block: (check_shard(self, expected) for expected in self.plan.expected(block))

    def lost(self, block: int, how: str) -> Iterator[ShardCheck]:
        """A file that kills whoever reads it is not what we wrote."""
        for e in self.plan.expected(block):
            fault = Fault(record_name(e.number), f"the process that checked this shard died: {how}", e.number)
            yield ShardCheck(e, (fault,))


@dataclass(frozen=True)
class VerifyReport:
    """faults: all that was found, shard by shard; samples: pictures that were decoded; redrawn: how many were drawn
    again; near: groups of keys whose pictures look the same; sources: an avatar's SHA-256 → what shots call it;
    undrawable: why shots were not drawn again, of avatars that are not here; unchecked: what else could not be looked
    at here, and what to install for it."""

    faults: tuple[Fault, ...]
    samples: int
    redrawn: int = 0
    near: tuple[tuple[str, ...], ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    undrawable: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

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
) -> VerifyReport:
    """Check a whole dataset; nothing in it is changed.

    workers: processes; near: look for near-duplicates, too, where ImageHash is there; redraw: how many shots to draw
    again, with `renderer` and `open_avatar` (what a shot names → Avatar); done: called for each shard that is checked.
    Raises DatasetError where the folder is no dataset of ours, StoreError where it cannot be read: a store that does
    not answer is no fault of a shard, which `--repair` would remove for it.
    """
    identity = read_identity(store)
    plan = expectation(identity)
    unchecked = []
    if near and (lacking := _lacking(library)):
        near = False
        unchecked.append(lacking)
    task = VerifyTask(store, plan, identity["recipe"]["format"], near)
    shards: list[ShardCheck] = []
    with contextlib.closing(work(task, [range(plan.blocks)], workers)) as checking:
        for checked in checking:
            shards.append(checked)
            done()
    shards.sort(key=lambda c: c.expected.number)
    faults = [f for c in shards for f in c.faults]
    faults += _as_a_whole(store, identity, shards)
    keys = [key for c in shards for key in c.hashes]
    hashes = np.frombuffer(b"".join(h for c in shards for h in c.hashes.values()), np.uint8)
    alike = near_groups(hashes.reshape(len(keys), -1)) if keys else []
    sound = [c for c in shards if not c.faults]
    redrawn: list[RedrawReport] = []
    if redraw and renderer and open_avatar:
        redrawn = [*redraw_some(store, identity, sound, redraw, renderer, open_avatar)]
        faults += [r.fault for r in redrawn if r.fault]
    if undecoded := sum(c.undecoded for c in shards):
        unchecked.append(f"the pixels of {undecoded} pictures: {_lacking(load_jxl) or 'JPEG XL needs a plugin'}")
    sources = {sha256: name for c in shards for sha256, name in c.sources.items()}
    return VerifyReport(
        tuple(faults),
        sum(len(c.keys) for c in shards),
        sum(not r.undrawable for r in redrawn),
        tuple(tuple(keys[n] for n in group) for group in alike),
        sources,
        tuple(dict.fromkeys(r.undrawable for r in redrawn if r.undrawable)),
        tuple(unchecked),
    )


def _lacking(load: Callable[[], object]) -> str:
    """What an optional library's door says: "" where it opens."""
    try:
        load()
    except ExtraError as e:
        return str(e)
    return ""


def check_shard(task: VerifyTask, expected: Expected) -> ShardCheck:
    """Everything that one shard can be held to."""
    number, name = expected.number, record_name(expected.number)
    try:
        record = Record.of_bytes(task.store.read(name), name)
    except StoreError:
        raise
    except DatasetError as e:
        return ShardCheck(expected, (Fault(name, _inside(e, name), number),))
    faults = [Fault(name, what, number) for what in _against_plan(record, expected)]
    faults += [Fault(file, what, number) for file, what in _files(task.store, record)]
    names = (name, *(f.name for f in record.files))
    read = _Reading(expected.stem)
    try:
        if record.keys or record.files:
            for s in read_shard(task.store, task.form, expected.split, number):
                read.take(s, expected, task.near)
    except StoreError:
        raise
    except DatasetError as e:
        return ShardCheck(expected, (*faults, Fault(expected.stem, str(e), number)), tuple(read.keys), files=names)
    faults += [Fault(file, what, number) for file, what in (*read.faults, *read.against(record))]
    return ShardCheck(
        expected,
        tuple(faults),
        tuple(read.keys),
        read.hashes,
        read.table.hexdigest(),
        names,
        read.sources,
        read.undecoded,
    )


class _Reading:
    """A shard as it is read, sample by sample."""

    def __init__(self, stem: str):
        self.keys: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.hashes: dict[str, bytes] = {}
        self.sources: dict[str, str] = {}
        self.table = hashlib.sha256()
        self.undecoded = 0
        self._stem = stem
        self._pixels = hashlib.sha256()
        self._rows: list[Mapping[str, Any]] = []

    def take(self, s: DatasetSample, expected: Expected, near: bool) -> None:
        """One sample: its picture decoded, its words compared."""
        where = f"{self._stem}/{s.key}"
        self.keys.append(s.key)
        self._rows.append(s.row)
        self.table.update(canonical_json(flat(s.row, s.key, expected.split, expected.number)))
        self.sources.setdefault(str(s.row.get("avatar_sha256")), str(s.row["shot"].get("avatar")))
        try:
            picture = open_picture(s.picture)
        except ExtraError:  # the record's hash holds the file; of its pixels nothing is known
            self.undecoded += 1
            return
        except DatasetError as e:
            self.faults.append((where, str(e)))
            return
        rgba = np.ascontiguousarray(np.asarray(picture.convert("RGBA")))
        self._pixels.update(hashlib.sha256(rgba.tobytes()).digest())
        self.faults += [(where, what) for what in check_sample(s, picture.size)]
        if near:
            self.hashes[s.key] = perceptual_hash(picture).tobytes()

    def against(self, record: Record) -> Iterator[tuple[str, str]]:
        """What the record says otherwise."""
        if tuple(self.keys) != record.keys:
            yield self._stem, f"holds other samples than its record says: {_differ(self.keys, record.keys)}"
        if not self.undecoded and self._pixels.hexdigest() != record.pixels:
            yield self._stem, "other pixels than its record says"
        if words_digest(self._rows) != record.words:
            yield self._stem, "other metadata than its record says"


# ---------------------------------------------------------------- the dataset as a whole


def _as_a_whole(store: Store, identity: Mapping[str, Any], shards: Sequence[ShardCheck]) -> Iterator[Fault]:
    """What `finish` made, and files that nothing accounts for."""
    records = {record_name(c.expected.number): c.expected.number for c in shards}
    try:
        sums = finished_files(store)
    except StoreError:
        raise
    except DatasetError as e:
        yield Fault(COMPLETE, _inside(e, COMPLETE))
        sums = {}
    for name, sha256 in sums.items():
        if not store.exists(name):
            yield Fault(name, "is missing", records.get(name))
        elif hashlib.sha256(store.read(name)).hexdigest() != sha256:
            yield Fault(name, "other bytes than when the dataset was finished", records.get(name))
    known = {name for c in shards for name in c.files}
    lost = [c.expected for c in shards if not c.files]  # whose files no record accounts for
    for folder in sorted({RECORDS, *(c.expected.split for c in shards)}):
        for name in store.list(folder):
            if name not in known and name not in records and not any(e.owns(name) for e in lost):
                yield Fault(name, "belongs to nothing in this dataset: move it elsewhere")
    if store.exists(TABLE) and all(not c.faults for c in shards):
        yield from _table(store, shards)


def _table(store: Store, shards: Sequence[ShardCheck]) -> Iterator[Fault]:
    digests = {c.expected.number: hashlib.sha256() for c in shards}
    try:
        for row in read_table(io.BytesIO(store.read(TABLE))):
            if row["shard"] not in digests:
                yield Fault(TABLE, f"has a row of a shard that is not there: {row['shard']}")
                return
            digests[row["shard"]].update(canonical_json(row))
    except StoreError:
        raise
    except DatasetError as e:
        yield Fault(TABLE, str(e))
        return
    wrong = [n for c in shards if digests[n := c.expected.number].hexdigest() != c.rows]
    if wrong:
        yield Fault(TABLE, f"other rows than the shards have: of {', '.join(f'{n:05d}' for n in wrong[:5])}")


@dataclass(frozen=True)
class RedrawReport:
    """A shot that was drawn again. fault: None where the picture is the same; undrawable: why it was not drawn,
    which is the avatar's matter (its file is elsewhere) and not the dataset's."""

    fault: Fault | None = None
    undrawable: str = ""


def redraw_some(
    store: Store,
    identity: Mapping[str, Any],
    sound: Sequence[ShardCheck],
    most: int,
    renderer: Renderer,
    open_avatar: Callable[[str], Avatar],
) -> Iterator[RedrawReport]:
    """Draw some of the shots again, by chance but the same each time."""
    settings = identity["recipe"]
    keys = sorted(key for c in sound for key in c.keys)
    chosen = {keys[n] for n in rng(0, "verify").permutation(len(keys))[:most].tolist()}
    for c in sound:
        if chosen & set(c.keys):
            for s in read_shard(store, settings["format"], c.expected.split, c.expected.number):
                if s.key in chosen:
                    yield _compared(s, c.expected, settings["encoding"], renderer, open_avatar)


def _compared(
    s: DatasetSample, expected: Expected, encoding: str, renderer: Renderer, open_avatar: Callable[[str], Avatar]
) -> RedrawReport:
    name = f"{expected.stem}/{s.key}"
    if (drew := renderer_of(str(s.row.get("renderer")))) != (ours := renderer_of(renderer.device)):
        return RedrawReport(undrawable=f"{drew} drew it, and not {ours}: --renderer {drew} draws it again")
    try:
        decode(s.picture, name)
    except ExtraError as e:
        return RedrawReport(undrawable=str(e))
    try:
        avatar = avatar_of_sample(s, open_avatar)
    except (VrmSynthError, OSError) as e:
        return RedrawReport(undrawable=str(e))
    try:
        drawn = render_again(s, renderer, avatar)
    except VrmSynthError as e:
        return RedrawReport(Fault(name, f"cannot be drawn again: {e}", expected.number))
    # A lossy file is held to what its encoder makes of the same pixels. Mixed encodings come from merging.
    by = next((e for n, e in ENCODINGS.items() if n == encoding), None)
    if by is not None and not by.lossless:
        drawn = decode(by.encode(drawn))
    found = likeness(decode(s.picture), drawn)
    same_driver = s.row.get("renderer") == renderer.device
    if found.worst == 0 or (not same_driver and found.is_close):
        return RedrawReport()
    where = "on the driver that drew it" if same_driver else f"on {renderer.device}"
    what = f"another picture when drawn again {where}: {found.off:.2%} of pixels differ, by up to {found.worst}"
    return RedrawReport(Fault(name, what, expected.number))


# ---------------------------------------------------------------- one shard


def _against_plan(record: Record, expected: Expected) -> Iterator[str]:
    if (record.shard, record.split) != (expected.number, expected.split):
        yield f"is of shard {record.shard:05d} of {record.split}, where the plan has {expected.split}"
    both = sorted((*record.keys, *record.quarantined))
    if expected.keys is not None and both != sorted(expected.keys):
        yield f"not the samples of the plan: {_differ(both, expected.keys)}"
    elif len(both) != expected.count:
        yield f"{len(both)} samples, where the plan has {expected.count}"


def _files(store: Store, record: Record) -> Iterator[tuple[str, str]]:
    for file in record.files:
        if not store.exists(file.name):
            yield file.name, "is missing"
            continue
        data = store.read(file.name)
        if len(data) != file.bytes:
            yield file.name, f"{len(data)} bytes, where its record says {file.bytes}"
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
