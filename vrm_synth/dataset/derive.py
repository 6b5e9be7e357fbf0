"""Datasets from datasets: a part of one (subset), several as one (merge), one in another format (convert).

All three are one road: the samples that were picked, in the order of their sources, go into new shards of the new
dataset, which is as good as any: with records, table, card and completion mark. What was picked is known from the
sources' tables before a picture is read, so that the same command again makes what is missing and touches nothing
that is there; other picks, sources or settings in the same folder are refused.

Merged samples would collide (every dataset begins with 000000), so that each key of a merged dataset begins with its
source's, the first eight digits of that identity's SHA-256.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vrm_synth import __version__
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import to_json
from vrm_synth.dataset.layout import (
    COMPLETE,
    IDENTITY,
    Planned,
    digest,
    identity_bytes,
    plan_of,
    read_complete,
    read_identity,
)
from vrm_synth.dataset.pack import pack
from vrm_synth.dataset.reader import Sample, decode, read_shard
from vrm_synth.dataset.record import FileRecord, Record, record_name, words_digest
from vrm_synth.dataset.store import Store
from vrm_synth.dataset.table import TABLE, ask, flat, write_table

Encode = Callable[[Sample], Sample]


@dataclass(frozen=True)
class Pick:
    """A sample of a source. source: its number; shard: where it lies there; key: there; name: its key here."""

    source: int
    split: str
    shard: int
    key: str
    name: str


def picked(sources: Sequence[Store], where: str = "true", rename: bool = False) -> Iterator[Pick]:
    """The samples for which the SQL condition holds, source by source in the order of its table.

    Raises DatasetError where a source is not finished, or the condition none.
    """
    for number, store in enumerate(sources):
        read_complete(store)
        prefix = f"{digest(read_identity(store))[:8]}-" if rename else ""
        with tempfile.NamedTemporaryFile(suffix=f".{TABLE}") as copy:
            copy.write(store.read(TABLE))
            copy.flush()
            for batch in ask(Path(copy.name), where, ("split", "shard", "key")):
                for split, shard, key in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    yield Pick(number, split, shard, key, prefix + key)


def derive(
    sources: Sequence[Store],
    picks: Sequence[Pick],
    out: Store,
    *,
    by: Mapping[str, Any],
    form: str,
    shard_size: int = 1000,
    encode: Encode = lambda s: s,
    picture: Mapping[str, Any] | None = None,
    done: Callable[[], object] = lambda: None,
) -> None:
    """Write the picked samples as a dataset of its own; done: called for each shard of it.

    by: what was asked ({"command": "subset", "where": …}); encode: Sample → the same, encoded anew, as `picture` says.
    Raises DatasetError where there is nothing to write, the folder is another dataset's, or a source is not whole.
    """
    if not picks:
        raise DatasetError("no sample is picked: a dataset is not empty", got=by.get("where"))
    origins = [read_identity(s) for s in sources]
    by_split: dict[str, list[Pick]] = {}
    for pick in picks:
        by_split.setdefault(pick.split, []).append(pick)
    plan = {split: [p.name for p in some] for split, some in by_split.items()}
    _unlike(plan)
    identity = {
        "vrm_synth": __version__,
        "derived": {**by, "from": [digest(o) for o in origins]},
        "origins": origins,
        "format": form,
        "picture": picture,
        "shard_size": shard_size,
        "plan": plan,
    }
    _claim(out, identity)
    here = {p.name: p for p in picks}
    reader = _Reader(sources, origins)
    for planned in plan_of(identity):
        if not out.exists(record_name(planned.shard)):
            samples = [encode(replace_key(reader.sample(here[name]), name)) for name in planned.keys]
            write_shard(out, form, planned, samples)
        done()


def write_shard(out: Store, form: str, planned: Planned, samples: Sequence[Sample]) -> None:
    files = pack(form, planned.split, planned.shard, samples)
    for name, data in files.items():
        out.put_file(name, data)
    pixels = hashlib.sha256()
    for s in samples:
        pixels.update(decode(s.picture).tobytes())
    record = Record(
        planned.shard,
        planned.split,
        planned.keys,
        tuple(FileRecord.of(name, data) for name, data in files.items()),
        pixels.hexdigest(),
        words_digest([s.row for s in samples]),
        tuple(sorted({s.row["renderer"] for s in samples})),
    )
    out.put_file(record_name(planned.shard), record.to_bytes())


def finish(store: Store) -> None:
    identity = read_identity(store)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / TABLE
        rows = (
            flat(s.row, s.key, p.split, p.shard)
            for p in plan_of(identity)
            for s in read_shard(store, identity["format"], p.split, p.shard)
        )
        write_table(table, rows)
        store.put_file(TABLE, table)
    names = [IDENTITY, TABLE, *(record_name(p.shard) for p in plan_of(identity))]
    sums = {n: hashlib.sha256(store.read(n)).hexdigest() for n in names}
    store.put_file(COMPLETE, (to_json({"files": sums}, indent=1) + "\n").encode())


def replace_key(sample: Sample, key: str) -> Sample:
    """The sample under another key, in its shot, too."""
    if sample.key == key:
        return sample
    return replace(sample, key=key, row={**sample.row, "shot": {**sample.row["shot"], "id": key}})


def encoded_as(encode_picture: Callable[[Any], bytes], suffix: str) -> Encode:
    """Every picture encoded anew by `encode_picture`: (H, W, 4) uint8 → bytes."""
    return lambda s: replace(s, picture=encode_picture(decode(s.picture)), suffix=suffix)


class _Reader:
    """Samples of the sources by their picks; the last shard is kept, for picks come in its order."""

    def __init__(self, sources: Sequence[Store], origins: Sequence[Mapping[str, Any]]):
        self._sources, self._origins = sources, origins
        self._at: tuple[int, str, int] | None = None
        self._held: dict[str, Sample] = {}

    def sample(self, pick: Pick) -> Sample:
        at = (pick.source, pick.split, pick.shard)
        if at != self._at:
            form = self._origins[pick.source]["format"]
            self._at = at
            self._held = {s.key: s for s in read_shard(self._sources[pick.source], form, pick.split, pick.shard)}
        if pick.key not in self._held:
            raise DatasetError(
                "its table names a sample that its shard lacks", got=pick.key, where=f"shard {pick.shard:05d}"
            )
        return self._held[pick.key]


def _unlike(plan: Mapping[str, Sequence[str]]) -> None:
    seen: set[str] = set()
    for names in plan.values():
        for name in names:
            if name in seen:
                raise DatasetError("two samples of one key: is a dataset named twice?", got=name)
            seen.add(name)


def _claim(out: Store, identity: dict[str, Any]) -> None:
    wanted = identity_bytes(identity)
    if out.exists(IDENTITY):
        if out.read(IDENTITY) != wanted:
            raise DatasetError(
                "the folder holds another dataset", allowed="the same command, or a new folder", where=IDENTITY
            )
    elif out.list():
        raise DatasetError("not empty, and no dataset of ours", allowed="a new folder")
    else:
        out.put_file(IDENTITY, wanted)
