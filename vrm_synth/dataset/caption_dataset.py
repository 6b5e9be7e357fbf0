"""Write further captions for a finished dataset, from the facts that its rows have, into a column of their own.

Nothing is drawn, and no picture is made anew: of an image folder the metadata.jsonl of each shard is written again, of
tars and Parquet, which hold pictures and words in one file, that file with the same pictures. The dataset is held to
its new column as to the first: dataset.json says what wrote it, and records, table, card and complete.json follow.

The order makes it safe to stop at any moment. complete.json goes first, then dataset.json says that the column is to
be there; each shard's files are replaced one by one, its record last; table, card and complete.json come at the end.
What is there in between is a dataset that is not finished: `verify` says what lacks, and the same call goes on. A shard
that an earlier call left between its files and its record is told by taking the column out again: the bytes are then
those of its record, or the shard is refused as damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vrm_synth.caption.captioner import Captioner, caption
from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.core.errors import DatasetError, ShotError
from vrm_synth.dataset.caption_columns import ADDED, OWN, DatasetCaptions, check_column, dataset_captions
from vrm_synth.dataset.dataset_handle import FinishedDataset, open_dataset
from vrm_synth.dataset.finish import finish, is_complete, reopen
from vrm_synth.dataset.identity.dataset_json import identity_bytes, read_identity
from vrm_synth.dataset.identity.render_id import RENDER_PARTS, render_parts
from vrm_synth.dataset.shards.pending import missing_shards
from vrm_synth.dataset.shards.record import FileRecord, Record, words_digest
from vrm_synth.dataset.shards.writers import folder_metadata, pack
from vrm_synth.execution.process_pool import run_task
from vrm_synth.facts.facts import Facts
from vrm_synth.io.dataset_columns import CAPTION, FACTS, with_caption
from vrm_synth.io.file_names import DATASET_JSON, METADATA_LINES, RECORDS_FOLDER, shard_stem
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.shard_readers.sample import read_line
from vrm_synth.io.store import Store
from vrm_synth.shot.shot import Shot
from vrm_synth.yaml_models.strict_yaml import check

MOST_BYTES = 16 << 10  # of a caption that a captioner of the user's own writes


@dataclass(frozen=True)
class AddedColumn:
    """A column of captions that is being added to a dataset.

    name: of the column.
    captions: the dataset's columns with this one.
    own: a captioner of the user's own; None where settings write the column.
    """

    name: str
    captions: DatasetCaptions
    own: Captioner | None = None

    def text(self, s: DatasetSample) -> str:
        """The caption of a sample. Raises DatasetError where its row has no facts, or no caption comes of them."""
        try:
            facts = Facts.from_json(s.row.get(FACTS))
            seed = Shot.from_json(dict(s.row["shot"])).choices.wording
        except ShotError as e:
            raise DatasetError("a row without the facts of its picture", got=str(e), where=s.key) from e
        if self.own is None:
            return caption(facts, self.captions.settings(s.key)[self.name], seed)
        try:
            text = self.own(facts, seed)
        except Exception as e:
            got = f"{type(e).__name__}: {e}"
            raise DatasetError("the captioner failed", got=got, where=s.key) from e
        if not _is_caption(text):
            raise DatasetError(
                "the captioner gave no caption", got=text, allowed=f"a str of up to {MOST_BYTES} bytes", where=s.key
            )
        return text

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the other columns."""
        return tuple(name for name in self.captions.names if name != self.name)


def _is_caption(text: object) -> bool:
    try:
        return isinstance(text, str) and len(text.encode()) <= MOST_BYTES
    except UnicodeEncodeError:  # half of a character
        return False


def caption_dataset(
    dataset: str | Path | FinishedDataset,
    column: str,
    settings: CaptionSettings | Mapping[str, Any] | None = None,
    *,
    captioner: Captioner | None = None,
    workers: int = 1,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> FinishedDataset:
    """Write a further caption of every picture of a finished dataset into a new column; the dataset.

    column: its name: caption or tags, with _ and more after it ("tags", "caption_ja").
    settings: as an entry of a recipe's `captions` ({"style": "tags", "trigger": "ohwx"}).
    captioner: a function (facts, seed) → caption of your own, instead; `verify` then holds the column to its bytes.
    workers: processes, where settings write the column. progress: called with shards done and their number.

    The same call again goes on where one was interrupted, and does nothing where all is there.
    Raises DatasetError where the dataset is not finished, has the column already by other settings, or a shard is not
    what its record says, or the captioner fails; RecipeError for settings that are none.
    """
    handle = dataset if isinstance(dataset, FinishedDataset) else open_dataset(dataset)
    write_column(handle.store, column, settings, captioner, workers, progress)
    if not is_complete(handle.store):
        finish(handle.store)
    return handle


def write_column(
    store: Store,
    column: str,
    settings: CaptionSettings | Mapping[str, Any] | None = None,
    captioner: Captioner | None = None,
    workers: int = 1,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> None:
    """Write a column into every shard, as caption_dataset does, and leave the dataset unfinished where anything was
    to be written."""
    identity, entry = read_identity(store), _entry(settings, captioner)
    known = dataset_captions(identity)
    check_column(column)
    if captioner is None:
        _check_wording(identity)
    if missing := missing_shards(store):
        allowed = "a dataset with all its shards: `vrm-synth render` again, then `vrm-synth finish`"
        raise DatasetError("not finished", got=f"{len(missing)} shards to make", allowed=allowed, where=store)
    if column in known.names:
        _check_same(known, column, entry)
        if is_complete(store) or column not in identity.get(ADDED, {}):  # of the recipe: shards were made with it
            return
    added = {**identity.get(ADDED, {}), column: entry}
    whole = dataset_captions({**identity, ADDED: added})  # checked before anything is touched
    reopen(store)
    if identity.get(ADDED) != added:
        store.put_file(DATASET_JSON, identity_bytes({**identity, ADDED: added}))
    _write_all(store, str(identity["recipe"]["format"]), AddedColumn(column, whole, captioner), workers, progress)


def _check_wording(identity: Mapping[str, Any]) -> None:
    """Raise DatasetError where this version words captions otherwise than the one that made the dataset: no version
    could verify the columns of both. Datasets that were merged from several versions have no such record."""
    recorded = identity.get(RENDER_PARTS)
    if isinstance(recorded, dict) and recorded.get("wording") != render_parts()["wording"]:
        allowed = f"the vrm-synth that made it ({identity['vrm_synth']})"
        raise DatasetError("this version words captions otherwise", allowed=allowed, where=DATASET_JSON)


def _entry(settings: CaptionSettings | Mapping[str, Any] | None, captioner: Captioner | None) -> dict[str, Any]:
    """The entry of the column in dataset.json. Raises DatasetError for settings beside a captioner."""
    if captioner is None:
        given = settings.model_dump() if isinstance(settings, CaptionSettings) else dict(settings or {})
        return check(given, CaptionSettings, "captions").model_dump(mode="json")
    if settings is not None:
        raise DatasetError("both settings and a captioner", allowed="one of them")
    named = f"{getattr(captioner, '__module__', '')}.{getattr(captioner, '__qualname__', type(captioner).__qualname__)}"
    return {OWN: named}


def _check_same(known: DatasetCaptions, column: str, entry: Mapping[str, Any]) -> None:
    for columns in known.by_prefix.values():
        before = columns[column]
        if OWN in before or OWN in entry:
            same = before == entry
        else:
            same = CaptionSettings.model_validate(before) == CaptionSettings.model_validate(entry)
        if not same:
            changed = sorted(k for k in {**before, **entry} if before.get(k) != entry.get(k))
            got = "; ".join(f"{k}: {entry.get(k)!r}, where it has {before.get(k)!r}" for k in changed)
            allowed = "the same settings, or another column (--column tags_2)"
            raise DatasetError(f"the dataset has a column {column} by other settings", got=got, allowed=allowed)


@dataclass(frozen=True)
class _CaptionTask:
    """Write the column into shards, each by its number."""

    store: Store
    shard_format: str
    added: AddedColumn

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[str], Iterator[str]]]:
        """A function from a record's name to itself, once its shard has the column."""

        def do(name: str) -> Iterator[str]:
            add_to_shard(self.store, self.shard_format, name, self.added)
            yield name

        yield do

    def on_crash(self, name: str, exit_reason: str) -> Iterator[str]:
        """Raise: what kills its reader is not what we wrote."""
        raise DatasetError("the process that captioned a shard died", got=exit_reason, where=name)


def _write_all(
    store: Store, shard_format: str, added: AddedColumn, workers: int, progress: Callable[[int, int], object]
) -> None:
    names = sorted(name for name in store.list(RECORDS_FOLDER) if name.endswith(".json"))
    task = _CaptionTask(store, shard_format, added)
    progress(0, len(names))
    workers = 1 if added.own is not None else max(1, min(workers, len(names)))
    with contextlib.closing(run_task(task, [names], workers)) as events:
        for done, _ in enumerate(events, 1):
            progress(done, len(names))


def add_to_shard(store: Store, shard_format: str, name: str, added: AddedColumn) -> None:
    """Write the column into one shard, where it lacks it. name: of its record. Raises DatasetError for a shard that is
    not what its record says, with and without the column."""
    record = Record.of_bytes(store.read(name), name)
    if not record.keys:
        return
    samples = list(_samples(store, shard_format, record))
    has = [added.name in s.row for s in samples]
    if all(has) and _is_as_recorded(store, record):
        return
    before = [replace(s, row={k: v for k, v in s.row.items() if k != added.name}) for s in samples]
    if any(has) or not _is_as_recorded(store, record):
        _check_interrupted(_files(shard_format, record, before, added.others), record)
    after = [_with_column(s, added) for s in before]
    files = _files(shard_format, record, after, added.captions.names)
    store.put_files(files)
    new = {file: FileRecord.of(file, data) for file, data in files.items()}
    recorded = tuple(new.get(f.name, f) for f in record.files)
    store.put_file(name, replace(record, files=recorded, words=words_digest([s.row for s in after])).to_bytes())


def _with_column(s: DatasetSample, added: AddedColumn) -> DatasetSample:
    return replace(s, row=with_caption(s.row, added.name, added.text(s), added.others))


def _samples(store: Store, shard_format: str, record: Record) -> Iterator[DatasetSample]:
    """The samples of a shard; of an image folder without their files' content, which stays as it is."""
    if shard_format != "imagefolder":
        yield from read_shard(store, shard_format, record.split, record.shard)
        return
    name = f"{shard_stem(record.split, record.shard)}/{METADATA_LINES}"
    for number, line in enumerate(store.read(name).splitlines(), 1):
        key, suffixes, row = read_line(line, f"{name}:{number}")
        yield DatasetSample(key, b"", suffixes[0], str(row.get(CAPTION)), row, dict.fromkeys(suffixes[1:], b""))


def _files(
    shard_format: str, record: Record, samples: list[DatasetSample], captions: tuple[str, ...]
) -> dict[str, bytes]:
    """The files of a shard that hold its captions, name → bytes."""
    if shard_format == "imagefolder":
        return folder_metadata(shard_stem(record.split, record.shard), samples)
    return pack(shard_format, record.split, record.shard, samples, captions)


def _is_as_recorded(store: Store, record: Record) -> bool:
    """True if the files that hold captions are those of the record."""
    known = {f.name: f for f in record.files}
    holding = [n for n in known if not n.startswith(f"{shard_stem(record.split, record.shard)}/")]
    holding = holding or [f"{shard_stem(record.split, record.shard)}/{METADATA_LINES}"]
    return all(n in known and hashlib.sha256(store.read(n)).hexdigest() == known[n].sha256 for n in holding)


def _check_interrupted(without: Mapping[str, bytes], record: Record) -> None:
    """Raise DatasetError unless a shard without its new column is the one that was recorded."""
    known = {f.name: f.sha256 for f in record.files}
    for name, data in without.items():
        if known.get(name) != hashlib.sha256(data).hexdigest():
            allowed = "`vrm-synth verify --repair`, then the same again"
            raise DatasetError("another shard than its record says", allowed=allowed, where=name)
