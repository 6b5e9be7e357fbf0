"""Verify a dataset: hash every byte, decode every picture, check every record against the plan.

A fault names a file and, where one is to blame, the shard that is to be made again. What is checked, and by what:

    a flipped byte, a cut or swapped file       the record's size and SHA-256 of each file
    a missing shard, a missing record           the plan, which follows from dataset.json
    a changed record                            its own seal, the plan, and what is in the shard
    a swapped caption or line, hashes forged    each caption of every column is made anew from its row's facts, each
                                                shot's id is its key's; the table has the same rows
    other facts, hashes forged                  their keys, types and vocabulary; a sample of the shots is rendered
                                                again (redraw.py)
    another picture, hashes forged              a sample of the shots is rendered again (redraw.py)
    a file that belongs to nothing              the list of all files

Near-duplicates are reported, and are no fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vrm_synth.core.errors import DatasetError, ExtraError, StoreError
from vrm_synth.dataset.caption_columns import DatasetCaptions, dataset_captions
from vrm_synth.dataset.finish import finished_files
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.identity.render_id import render_difference
from vrm_synth.dataset.shards.record import Record, words_digest
from vrm_synth.dataset.summary.table import canonical_json, read_table, table_row
from vrm_synth.dataset.verify.expected import ExpectedDataset, ExpectedShard, expected_dataset
from vrm_synth.dataset.verify.near_duplicates import import_imagehash, near_groups, perceptual_hash
from vrm_synth.dataset.verify.redraw import RedrawReport, redraw_some
from vrm_synth.dataset.verify.report import Fault, ShardCheck, VerifyReport
from vrm_synth.dataset.verify.reproduce import check_sample
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.file_names import COMPLETE_JSON, METADATA_TABLE, RECORDS_FOLDER, record_name
from vrm_synth.io.image_decoder import load_jxl, open_image
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import Store
from vrm_synth.render import RenderBackend
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True)
class VerifyTask:
    """Check the shards of a dataset, block by block.

    store: where the dataset lies.
    plan: the shards that it should contain.
    shard_format: their format.
    captions: the columns of captions that each sample should have.
    near: whether to compute perceptual hashes of the pictures.
    """

    store: Store
    plan: ExpectedDataset
    shard_format: str
    captions: DatasetCaptions
    near: bool = True

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[ShardCheck]]]:
        """A function from a block's number to the checks of its shards."""
        yield lambda block: (check_shard(self, expected) for expected in self.plan.expected(block))

    def on_crash(self, block: int, exit_reason: str) -> Iterator[ShardCheck]:
        """Faults of a block whose process died: a file that kills its reader is not what we wrote."""
        for e in self.plan.expected(block):
            fault = Fault(record_name(e.number), f"the process that checked this shard died: {exit_reason}", e.number)
            yield ShardCheck(e, (fault,))


def verify(
    store: Store,
    *,
    workers: int = 1,
    near: bool = True,
    redraw: int = 0,
    backend: RenderBackend | None = None,
    open_avatar: Callable[[str], Avatar] | None = None,
    done: Callable[[], object] = lambda: None,
) -> VerifyReport:
    """Check a whole dataset; nothing in it is changed.

    workers: number of processes.
    near: whether to look for near-duplicates, too, where ImageHash is installed.
    redraw: how many shots to render again, with `backend` and `open_avatar` (an avatar's name in metadata → Avatar).
    done: called for each shard that was checked.

    Raises DatasetError where the folder is no dataset of ours, StoreError where it cannot be read: a store that does
    not answer is no fault of a shard, which `--repair` would remove for it.
    """
    identity = read_identity(store)
    plan = expected_dataset(identity)
    unchecked = []
    if near and (missing := _missing_library(import_imagehash)):
        near = False
        unchecked.append(missing)
    task = VerifyTask(store, plan, identity["recipe"]["format"], dataset_captions(identity), near)
    shards: list[ShardCheck] = []
    with contextlib.closing(run_task(task, [range(plan.blocks)], workers)) as checking:
        for checked in checking:
            shards.append(checked)
            done()
    shards.sort(key=lambda c: c.expected.number)
    faults = [f for c in shards for f in c.faults]
    faults += _check_whole(store, identity, shards)
    keys = [key for c in shards for key in c.hashes]
    hashes = np.frombuffer(b"".join(h for c in shards for h in c.hashes.values()), np.uint8)
    alike = near_groups(hashes.reshape(len(keys), -1)) if keys else []
    sound = [c for c in shards if not c.faults]
    redrawn: list[RedrawReport] = []
    if redraw and (difference := render_difference(identity)):
        reason = f"vrm-synth {identity['vrm_synth']} drew it with {difference} than this version has"
        redrawn.append(RedrawReport(undrawable=reason))
    elif redraw and backend and open_avatar:
        redrawn = [*redraw_some(store, identity, sound, redraw, backend, open_avatar)]
        faults += [r.fault for r in redrawn if r.fault]
    if undecoded := sum(c.undecoded for c in shards):
        unchecked.append(
            f"the pixels of {undecoded} pictures: {_missing_library(load_jxl) or 'JPEG XL needs a plugin'}"
        )
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


def _missing_library(load: Callable[[], object]) -> str:
    """The error of an optional library's import; "" where it is installed."""
    try:
        load()
    except ExtraError as e:
        return str(e)
    return ""


def check_shard(task: VerifyTask, expected: ExpectedShard) -> ShardCheck:
    """Compare one shard with its record, the plan and its own metadata."""
    number, name = expected.number, record_name(expected.number)
    try:
        record = Record.of_bytes(task.store.read(name), name)
    except StoreError:
        raise
    except DatasetError as e:
        return ShardCheck(expected, (Fault(name, _inside(e, name), number),))
    faults = [Fault(name, message, number) for message in _check_plan(record, expected)]
    faults += [Fault(file, message, number) for file, message in _check_files(task.store, record)]
    names = (name, *(f.name for f in record.files))
    read = _ShardReading(expected.stem)
    try:
        if record.keys or record.files:
            for s in read_shard(task.store, task.shard_format, expected.split, number):
                read.add(s, expected, task.captions, task.near)
    except StoreError:
        raise
    except DatasetError as e:
        return ShardCheck(expected, (*faults, Fault(expected.stem, str(e), number)), tuple(read.keys), files=names)
    faults += [Fault(file, message, number) for file, message in (*read.faults, *read.differences(record))]
    if read.lacking:  # no fault of the shard that making it again would mend
        what = f"lacks the captions {', '.join(read.lacking)}: the same `vrm-synth caption` again writes them"
        faults.append(Fault(expected.stem, what))
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


class _ShardReading:
    """Collects the keys, hashes and faults of a shard while it is read, sample by sample."""

    def __init__(self, stem: str):
        self.keys: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.hashes: dict[str, bytes] = {}
        self.sources: dict[str, str] = {}
        self.table = hashlib.sha256()
        self.undecoded = 0
        self.lacking: list[str] = []
        self._stem = stem
        self._pixels = hashlib.sha256()
        self._rows: list[Mapping[str, Any]] = []

    def add(self, s: DatasetSample, expected: ExpectedShard, captions: DatasetCaptions, near: bool) -> None:
        """Decode one sample's picture and compare its metadata."""
        where = f"{self._stem}/{s.key}"
        self.keys.append(s.key)
        self._rows.append(s.row)
        self.lacking += [name for name in captions.names if name not in (*s.row, *self.lacking)]
        row = table_row(s.row, s.key, expected.split, expected.number, captions.names)
        self.table.update(canonical_json(row))
        self.sources.setdefault(str(s.row.get("avatar_sha256")), str(s.row["shot"].get("avatar")))
        try:
            picture = open_image(s.picture)
        except ExtraError:  # the record's hash holds the file; of its pixels nothing is known
            self.undecoded += 1
            return
        except DatasetError as e:
            self.faults.append((where, str(e)))
            return
        rgba = np.ascontiguousarray(np.asarray(picture.convert("RGBA")))
        self._pixels.update(hashlib.sha256(rgba.tobytes()).digest())
        self.faults += [(where, message) for message in check_sample(s, picture.size, captions)]
        if near:
            self.hashes[s.key] = perceptual_hash(picture).tobytes()

    def differences(self, record: Record) -> Iterator[tuple[str, str]]:
        """The differences between the shard and its record: (file, fault)."""
        if tuple(self.keys) != record.keys:
            yield self._stem, f"holds other samples than its record says: {_differ(self.keys, record.keys)}"
        if not self.undecoded and self._pixels.hexdigest() != record.pixels:
            yield self._stem, "other pixels than its record says"
        if words_digest(self._rows) != record.words:
            yield self._stem, "other metadata than its record says"


# ---------------------------------------------------------------- the dataset as a whole


def _check_whole(store: Store, identity: Mapping[str, Any], shards: Sequence[ShardCheck]) -> Iterator[Fault]:
    """Faults of the files that `finish` writes, and files that belong to nothing."""
    records = {record_name(c.expected.number): c.expected.number for c in shards}
    try:
        sums = finished_files(store)
    except StoreError:
        raise
    except DatasetError as e:
        yield Fault(COMPLETE_JSON, _inside(e, COMPLETE_JSON))
        sums = {}
    for name, sha256 in sums.items():
        if not store.exists(name):
            yield Fault(name, "is missing", records.get(name))
        elif hashlib.sha256(store.read(name)).hexdigest() != sha256:
            yield Fault(name, "other bytes than when the dataset was finished", records.get(name))
    known = {name for c in shards for name in c.files}
    without_record = [c.expected for c in shards if not c.files]  # whose files no record accounts for
    for folder in sorted({RECORDS_FOLDER, *(c.expected.split for c in shards)}):
        for name in store.list(folder):
            if name not in known and name not in records and not any(e.owns(name) for e in without_record):
                yield Fault(name, "belongs to nothing in this dataset: move it elsewhere")
    if store.exists(METADATA_TABLE) and all(not c.faults for c in shards):
        yield from _check_table(store, shards)


def _check_table(store: Store, shards: Sequence[ShardCheck]) -> Iterator[Fault]:
    digests = {c.expected.number: hashlib.sha256() for c in shards}
    try:
        for row in read_table(io.BytesIO(store.read(METADATA_TABLE))):
            if row["shard"] not in digests:
                yield Fault(METADATA_TABLE, f"has a row of a shard that is not there: {row['shard']}")
                return
            digests[row["shard"]].update(canonical_json(row))
    except StoreError:
        raise
    except DatasetError as e:
        yield Fault(METADATA_TABLE, str(e))
        return
    wrong = [n for c in shards if digests[n := c.expected.number].hexdigest() != c.rows]
    if wrong:
        yield Fault(METADATA_TABLE, f"other rows than the shards have: of {', '.join(f'{n:05d}' for n in wrong[:5])}")


# ---------------------------------------------------------------- one shard


def _check_plan(record: Record, expected: ExpectedShard) -> Iterator[str]:
    if (record.shard, record.split) != (expected.number, expected.split):
        yield f"is of shard {record.shard:05d} of {record.split}, where the plan has {expected.split}"
    both = sorted((*record.keys, *record.quarantined))
    if expected.keys is not None and both != sorted(expected.keys):
        yield f"not the samples of the plan: {_differ(both, expected.keys)}"
    elif len(both) != expected.count:
        yield f"{len(both)} samples, where the plan has {expected.count}"


def _check_files(store: Store, record: Record) -> Iterator[tuple[str, str]]:
    for file in record.files:
        if not store.exists(file.name):
            yield file.name, "is missing"
            continue
        data = store.read(file.name)
        if len(data) != file.bytes:
            yield file.name, f"{len(data)} bytes, where its record says {file.bytes}"
        elif hashlib.sha256(data).hexdigest() != file.sha256:
            yield file.name, "other bytes than its record says"


def _differ(actual: Sequence[str], expected: Sequence[str]) -> str:
    more, fewer = sorted(set(actual) - set(expected)), sorted(set(expected) - set(actual))
    clauses = [
        f"{verb} {', '.join(some[:3])}{' …' * (len(some) > 3)}"
        for verb, some in (("lacks", fewer), ("has", more))
        if some
    ]
    return "; ".join(clauses) or "another order"


def _inside(e: DatasetError, name: str) -> str:
    return str(e).removeprefix(f"{name}: ")
