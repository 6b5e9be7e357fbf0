"""Derive datasets from datasets: a part of one (subset), several as one (merge), one in another format (convert).

All three do the same: the samples that were picked, in the order of their sources, go into new shards of a new
dataset, which has records, table, card and completion mark as any other. What was picked is known from the
sources' tables before a picture is read, so that the same command again makes what is missing and touches nothing
that is there; other picks, sources or settings in the same folder are refused.

Merged samples would collide (every dataset begins with 000000), so that each key of a merged dataset begins with its
source's, the first eight digits of that identity's SHA-256.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.caption_columns import dataset_captions, merged
from vrm_synth.dataset.finish import finish, is_complete, reopen
from vrm_synth.dataset.identity.claim import claim, resumable_identity
from vrm_synth.dataset.identity.dataset_json import identity, read_identity
from vrm_synth.dataset.identity.render_id import MIXED, RENDER_ID, RENDER_PARTS
from vrm_synth.dataset.plan import SHARD_SIZE
from vrm_synth.dataset.render_task import home_of, path_from, source_from
from vrm_synth.dataset.shards.block_writer import packages
from vrm_synth.dataset.shards.pending import missing_of
from vrm_synth.dataset.shards.record import FileRecord, Record, words_digest
from vrm_synth.dataset.shards.writers import pack
from vrm_synth.dataset.summary.table import query_table, read_table
from vrm_synth.dataset.verify.expected import DERIVED, DerivedDataset, ExpectedShard
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.io.dataset_columns import CAPTION
from vrm_synth.io.file_names import METADATA_TABLE, record_name
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.image_encodings import ENCODINGS, check_encoding
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore, Store

ALL = "true"  # the condition that holds for every picture


@dataclass(frozen=True)
class SourceDataset:
    """A finished dataset to take samples from.

    store: where it lies.
    identity: the content of its dataset.json.
    prefix: start of its keys in the new dataset.
    """

    store: Store
    identity: Mapping[str, Any]
    prefix: str = ""

    @staticmethod
    def of(store: Store, prefixed: bool = False) -> SourceDataset:
        """The dataset in a store; prefixed: whether its keys get a prefix. Raises DatasetError where it is not
        finished."""
        identity = read_identity(store)
        if not is_complete(store):
            raise DatasetError("not finished", allowed="a dataset with all its shards: `vrm-synth finish`", where=store)
        return SourceDataset(store, identity, f"{identity['recipe_sha256'][:8]}-" if prefixed else "")

    @property
    def shard_format(self) -> str:
        """Format of its shards."""
        return str(self.identity["recipe"]["format"])


@dataclass(frozen=True)
class PickedSample:
    """A sample that was picked from a source.

    source: index of the source dataset.
    split, shard, key: the sample's there.
    """

    source: int
    split: str
    shard: int
    key: str


class PickedSamples:
    """The picked samples by split, in the order of the sources; in unnamed temporary files, as they may be millions."""

    def __init__(self) -> None:
        self._files: dict[str, IO[str]] = {}
        self._counts = Counter[str]()

    def add(self, p: PickedSample) -> None:
        """Add a sample."""
        if p.split not in self._files:
            self._files[p.split] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # for as long as this is
        self._files[p.split].write(to_json([p.source, p.shard, p.key]) + "\n")
        self._counts[p.split] += 1

    def of(self, split: str) -> Iterator[PickedSample]:
        """Iterate over the samples of a split; one such iteration at a time."""
        file = self._files[split]
        file.seek(0)
        for line in file:
            source, shard, key = json.loads(line)
            yield PickedSample(source, split, shard, key)

    def digest(self) -> str:
        """SHA-256 over all of it, hexadecimal."""
        digest = hashlib.sha256()
        for split in self._files:
            for p in self.of(split):
                digest.update(f"{p.source} {split} {p.shard} {p.key}\n".encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """Samples of each split."""
        return dict(self._counts)


def pick(sources: Sequence[SourceDataset], where: str = ALL) -> PickedSamples:
    """Pick the samples for which a SQL condition holds; ALL picks all and needs no DuckDB. Raises DatasetError where it
    is no condition, or holds for no sample."""
    picks = PickedSamples()
    for number, source in enumerate(sources):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / METADATA_TABLE  # a name that is no pattern to DuckDB
            _copy_table(source.store, copy)
            for split, shard, key in _query(copy, where):
                picks.add(PickedSample(number, split, shard, key))
    if not picks.counts():
        raise DatasetError("the condition holds for no picture", got=where)
    return picks


def _query(table: Path, where: str) -> Iterator[tuple[str, int, str]]:
    """Split, shard and key of the rows for which the condition holds."""
    columns = ("split", "shard", "key")
    if where == ALL:
        for row in read_table(table, columns):
            yield row["split"], row["shard"], row["key"]
        return
    for batch in query_table(table, where, columns):
        yield from zip(*(c.to_pylist() for c in batch.columns), strict=True)


def _copy_table(store: Store, to: Path) -> None:
    if isinstance(store, LocalStore):  # whose table need not go through memory
        with file_errors(store.folder / METADATA_TABLE, "read"):
            shutil.copyfile(store.folder / METADATA_TABLE, to)
    else:
        to.write_bytes(store.read(METADATA_TABLE))


@dataclass(frozen=True)
class DeriveTask:
    """Make a new dataset of samples of others.

    sources: the datasets.
    picks: the samples.
    out: where the new dataset goes.
    command: "subset", "merge" or "convert".
    shard_format: of the new shards.
    encoding: of the new pictures; None to keep the files as they are.
    where: the condition that was picked by.
    shard_size: samples per shard.
    """

    sources: tuple[SourceDataset, ...]
    picks: PickedSamples
    out: Store
    command: str
    shard_format: str
    encoding: str | None = None
    where: str = ALL
    shard_size: int = SHARD_SIZE

    def identity(self) -> dict[str, Any]:
        """The content of the new dataset.json. Raises DatasetError where the sources cannot be merged."""
        origins = [s.identity for s in self.sources]
        if len({o["recipe_sha256"] for o in origins}) < len(origins):
            raise DatasetError("the same dataset twice", got=origins[0]["recipe_sha256"][:8], allowed="each once")
        truth = [_ground_truth(o["recipe"]) for o in origins]
        if any(t != truth[0] for t in truth):
            other = next(t for t in truth if t != truth[0])
            keys = [k for k in {**truth[0], **other} if truth[0].get(k) != other.get(k)]
            got = "; ".join(f"{k}: {to_json(truth[0].get(k))} and {to_json(other.get(k))}" for k in keys)
            raise DatasetError("datasets of other passes do not merge", got=got, allowed="the same passes")
        derived = {"by": self.command, "where": self.where, "from": [o["recipe_sha256"] for o in origins]}
        encodings = {str(o["recipe"]["encoding"]) for o in origins}
        settings: dict[str, Any] = {
            DERIVED: derived | {"picked": self.picks.digest()},
            "format": self.shard_format,
            "encoding": self.encoding or (encodings.pop() if len(encodings) == 1 else "mixed"),
            **truth[0],
            **_parts(origins),
            **merged([(s.prefix, dataset_captions(s.identity)) for s in self.sources]).to_settings(),
            "shard_size": self.shard_size,
            "splits": self.picks.counts(),
        }
        as_written = {DERIVED: derived, "from": [dict(o["recipe_as_written"]) for o in origins]}
        credits = {a["sha256"]: a for o in origins for a in o["avatars"]}
        return identity(settings, as_written, list(credits.values()), _rendered_with(origins))

    @property
    def plan(self) -> DerivedDataset:
        """The shards of the new dataset."""
        return DerivedDataset(self.picks.counts(), self.shard_size)

    def make(self, done: Callable[[], object] = lambda: None) -> None:
        """Write what is missing, then finish. done: called for each shard.

        Raises DatasetError where `out` is another dataset's, or a source is not what its table says.
        """
        if self.encoding is not None:
            check_encoding(self.encoding)
        content = self.identity()
        resumable_identity(self.out, content)
        missing = set(missing_of(self.out, range(self.plan.shards)))
        if missing:
            reopen(self.out)
        reader = _Reader(self.sources)
        for number, picks in enumerate(self._chunks()):
            if number in missing:
                (expected,) = self.plan.expected(number)
                samples = [self._rewrite(reader, p) for p in picks]
                claim(self.out, content)
                put_shard(self.out, self.shard_format, expected, samples, dataset_captions(content).names)
            done()
        if not is_complete(self.out):
            finish(self.out)

    def _chunks(self) -> Iterator[list[PickedSample]]:
        """The picks of each shard."""
        for split in self.picks.counts():
            rest = self.picks.of(split)
            while chunk := list(itertools.islice(rest, self.shard_size)):
                yield chunk

    def _rewrite(self, reader: _Reader, p: PickedSample) -> DatasetSample:
        source, s = self.sources[p.source], reader.sample(p)
        key, shot = source.prefix + s.key, s.row["shot"]
        avatar = shot["avatar"]
        if (source_home := home_of(source.store, source.shard_format)) is not None:  # its path starts elsewhere now
            avatar = path_from(home_of(self.out, self.shard_format), source_from(source_home, avatar))
        s = replace(s, key=key, row={**s.row, "shot": {**shot, "id": key, "avatar": avatar}})
        return s if self.encoding is None else encoded(s, self.encoding)


def _parts(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The key `parts` of the recipes together: file's name → rules. Raises DatasetError where two name one avatar's
    parts differently; without any rules the key lacks."""
    parts: dict[str, Any] = {}
    for origin in origins:
        for name, rules in origin["recipe"].get("parts", {}).items():
            if parts.setdefault(name, rules) != rules:
                raise DatasetError("datasets that name the parts of one avatar differently do not merge", got=name)
    return {"parts": parts} if parts else {}


def _ground_truth(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a dataset's recipe that decide which files and columns a sample has; those of their default lack."""
    keys = ("conditioning", "annotations", *(["depth_layers"] if "depth_layers" in settings["passes"] else []))
    return {"passes": list(settings["passes"]), **{k: settings[k] for k in keys if settings.get(k)}}


def _rendered_with(origins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Render id and parts of the sources, where all have the same: nothing is drawn here."""
    first = origins[0]
    if any(o.get(RENDER_ID) != first.get(RENDER_ID) for o in origins):
        return {RENDER_ID: MIXED}
    return {key: first[key] for key in (RENDER_ID, RENDER_PARTS) if key in first}


def encoded(s: DatasetSample, name: str) -> DatasetSample:
    """The sample with its picture in another encoding. Raises DatasetError where that would lose transparency."""
    encoding, rgba = ENCODINGS[name], decode_rgba(s.picture, s.key)
    if not encoding.alpha and rgba[..., 3].min() < 255:
        raise DatasetError("JPEG has no transparency", got=f"{s.key}, which has", allowed="png, webp, webp-lossy")
    return replace(s, picture=encoding.encode(rgba), suffix=encoding.suffix)


def put_shard(
    out: Store,
    shard_format: str,
    expected: ExpectedShard,
    samples: Sequence[DatasetSample],
    captions: Sequence[str] = (CAPTION,),
) -> None:
    """Write a shard's files, then its record. captions: names of the columns of captions. Raises DatasetError."""
    files = pack(shard_format, expected.split, expected.number, samples, captions) if samples else {}
    out.put_files(files)
    record = Record(
        shard=expected.number,
        split=expected.split,
        keys=tuple(s.key for s in samples),
        files=tuple(FileRecord.of(name, data) for name, data in files.items()),
        pixels=hashlib.sha256(
            b"".join(hashlib.sha256(decode_rgba(s.picture).tobytes()).digest() for s in samples)
        ).hexdigest(),
        words=words_digest([s.row for s in samples]),
        drawn_by=tuple(sorted({str(s.row["renderer"]) for s in samples})),
        packages=packages(),
    )
    out.put_file(record_name(expected.number), record.to_bytes())


class _Reader:
    """Reads picked samples; keeps the last shard that was read, for picks come in its order."""

    def __init__(self, sources: Sequence[SourceDataset]):
        self._sources = sources
        self._at: tuple[int, str, int] | None = None
        self._samples: dict[str, DatasetSample] = {}

    def sample(self, p: PickedSample) -> DatasetSample:
        """The sample. Raises DatasetError where the source's table names one that no shard has."""
        source = self._sources[p.source]
        if (p.source, p.split, p.shard) != self._at:
            self._samples = {s.key: s for s in read_shard(source.store, source.shard_format, p.split, p.shard)}
            self._at = (p.source, p.split, p.shard)
        if p.key not in self._samples:
            allowed = "a dataset that `vrm-synth verify` finds sound"
            message = "its table names a picture that no shard has"
            raise DatasetError(message, got=p.key, allowed=allowed, where=source.store)
        return self._samples[p.key]
