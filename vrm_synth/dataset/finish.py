"""Finish a dataset whose shards are all there: write the table, the card, the contact sheet and complete.json.

All of it follows from the shards and dataset.json alone, so that it does not matter who made which shard. Rows and
records are streamed: of a shard no more is kept than its number, how many samples it has, and the keys of what is
quarantined.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.passes import dataset_passes
from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.plan import REST
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.dataset.shards.writers import rows_of
from vrm_synth.dataset.summary.card import DatasetSummary, render_card
from vrm_synth.dataset.summary.legends import legends
from vrm_synth.dataset.summary.loading_code import DatasetFiles
from vrm_synth.dataset.summary.table import table_row, write_table
from vrm_synth.dataset.verify.expected import expected_dataset
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.io.file_names import (
    COMPLETE_JSON,
    CONTACT_SHEET,
    DATASET_CARD,
    DATASET_JSON,
    LEGENDS_JSON,
    METADATA_TABLE,
    record_name,
)
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import LocalStore, Store

if TYPE_CHECKING:
    from vrm_synth.dataset.summary.camera_files import RowWriter

SHEET_PICTURES = 24
CARD_CAPTIONS = 8
ALWAYS_THERE = (DATASET_JSON, METADATA_TABLE, DATASET_CARD, CONTACT_SHEET)


def finish(store: Store) -> None:
    """Write table, card, sheet and complete.json of a dataset whose shards are all there. Raises DatasetError."""
    if isinstance(store, LocalStore):
        store.remove_part_files()  # here and not before: only now nobody else is writing
    identity = read_identity(store)
    settings = identity["recipe"]
    columns = dataset_captions(identity)
    shard_format, captions = str(settings["format"]), columns.names
    # SHA-256 by name of what no record accounts for, and of the records
    sha256 = {DATASET_JSON: _sha256(store.read(DATASET_JSON))}

    def put_all(files: Iterable[tuple[str, bytes | Path]]) -> None:
        for name, content in files:
            store.put_file(name, content)
            sha256[name] = _sha256(content)

    summary, shards, quarantined = DatasetSummary(), list[_Shard](), dict[str, str]()

    def rows() -> Iterator[dict[str, Any]]:
        for record in read_records(store):
            shards.append(_Shard(record.split, record.shard, len(record.keys)))
            quarantined.update(record.quarantined)
            if record.keys:
                for key, row in rows_of(store, shard_format, record.split, record.shard):
                    summary.add(row, record.split)
                    for writer in writers:
                        put_all(writer.add(row, key, record.split, record.shard))
                    _check_captions(row, captions, key)
                    yield table_row(row, key, record.split, record.shard, captions)

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        writers = _row_writers(settings, Path(folder), stack)
        table = Path(folder) / METADATA_TABLE
        write_table(table, rows(), captions)
        put_all([(METADATA_TABLE, table)])
        for writer in writers:
            put_all(writer.finish())
    summary.quarantined = len(quarantined)
    _check_count(store, sum(s.samples for s in shards) + len(quarantined), expected_dataset(identity).samples)
    shown = list(_spread_samples(store, shard_format, shards))
    every = max(1, len(shown) // CARD_CAPTIONS)
    summary.samples = [(name, sample.caption) for name, sample in shown[::every][:CARD_CAPTIONS]]
    passes = dataset_passes(settings)
    if named := legends(passes, identity["avatars"]):
        put_all([(LEGENDS_JSON, (to_json(named, indent=1) + "\n").encode())])
    files = DatasetFiles(shard_format, str(settings["encoding"]), passes, _in_order(summary.splits))
    card = render_card(summary, identity["recipe_as_written"], files, identity["avatars"], columns)
    put_all([(DATASET_CARD, card.encode()), (CONTACT_SHEET, _sheet(shown, summary, settings.get("seed")))])
    sha256 |= {name: _sha256(store.read(name)) for name in (record_name(s.number) for s in shards)}
    complete = {
        "recipe_sha256": identity["recipe_sha256"],
        "shards": len(shards),
        "samples": summary.pictures,
        "splits": dict(sorted(summary.splits.items())),
        "quarantined": quarantined,
        "sha256": {**{name: sha256[name] for name in ALWAYS_THERE}, **sha256},  # in an order that does not change
    }
    store.put_file(COMPLETE_JSON, (to_json(complete, indent=1) + "\n").encode())


def _sha256(content: bytes | Path) -> str:
    """The SHA-256 of a file, hexadecimal; one on the disk may be larger than the memory."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _row_writers(settings: Mapping[str, Any], folder: Path, stack: contextlib.ExitStack) -> list[RowWriter]:
    """The writers of coco.json and transforms/, where the dataset has them: their imports take 25 ms."""
    if not settings.get("annotations") and settings.get("views_per_pose", 1) == 1:
        return []
    from vrm_synth.dataset.summary.camera_files import row_writers

    return row_writers(settings, folder, stack)


def _check_captions(row: Mapping[str, Any], captions: Iterable[str], key: str) -> None:
    """Raise DatasetError where a sample lacks a column of captions: adding it was interrupted, or a captioner of the
    user's own has not seen the samples that were made since."""
    if lacking := [name for name in captions if name not in row]:
        allowed = "the same `vrm-synth caption` or caption_dataset again, which writes what lacks"
        raise DatasetError("captions are not all written", got=", ".join(lacking), allowed=allowed, where=key)


def _check_count(store: Store, shots: int, planned: int) -> None:
    """Raise DatasetError where records have another number of shots: one may be of a smaller dataset's last shard,
    put by a run of it that was still at work while another made the dataset grow."""
    if shots != planned:
        allowed = f"{planned}; vrm-synth verify --repair makes again what is wrong"
        raise DatasetError("the shards hold another number of shots", got=shots, allowed=allowed, where=str(store))


def is_complete(store: Store) -> bool:
    """True if complete.json is there and this dataset's, and so are the other files of `finish`. Raises DatasetError
    where there is no dataset."""
    if not store.exists(COMPLETE_JSON):
        return False
    try:
        content = json.loads(store.read(COMPLETE_JSON))
        whole = (
            isinstance(content["samples"], int) and content["recipe_sha256"] == read_identity(store)["recipe_sha256"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return whole and all(map(store.exists, ALWAYS_THERE))


def reopen(store: Store) -> None:
    """Remove complete.json, before anything is written that it does not list."""
    if store.exists(COMPLETE_JSON):
        store.delete(COMPLETE_JSON)


def finished_files(store: Store) -> dict[str, str]:
    """File → SHA-256, as complete.json lists them. Raises DatasetError where there is none."""
    try:
        content = json.loads(store.read(COMPLETE_JSON))
        return {str(name): str(sha256) for name, sha256 in content["sha256"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise DatasetError("not a mark of completion", got=f"{type(e).__name__}: {e}", where=COMPLETE_JSON) from e


class _Shard(NamedTuple):
    """A shard: its split, its number, and how many samples it has."""

    split: str
    number: int
    samples: int


def _in_order(splits: Iterable[str]) -> tuple[str, ...]:
    """Names of splits, the rest's first."""
    return tuple(sorted(splits, key=lambda name: (name != REST, name)))


def _spread_samples(store: Store, shard_format: str, shards: list[_Shard]) -> Iterator[tuple[str, DatasetSample]]:
    """(file, sample) of SHEET_PICTURES samples, evenly spread over the shards."""
    total = sum(s.samples for s in shards)
    indices = [k * total // min(total, SHEET_PICTURES) for k in range(min(total, SHEET_PICTURES))]
    first = 0
    for split, number, samples in shards:
        in_shard = [w - first for w in indices if first <= w < first + samples]
        if in_shard:
            for n, sample in enumerate(read_shard(store, shard_format, split, number)):
                if n in in_shard:
                    yield f"{split}/{number:05d}/{sample.key}.{sample.suffix}", sample
        first += samples


def _sheet(shown: list[tuple[str, DatasetSample]], summary: DatasetSummary, seed: int | None) -> bytes:
    from PIL import Image

    cells = [SheetCell(Image.fromarray(decode_rgba(sample.picture, name)), sample.caption) for name, sample in shown]
    avatars = len(summary.avatars)
    count = f"{summary.pictures} picture{'s' * (summary.pictures != 1)} of {avatars} avatar{'s' * (avatars != 1)}"
    return contact_sheet(count if seed is None else f"{count}, seed {seed}", cells, columns=6, lines=6)
