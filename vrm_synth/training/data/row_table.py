"""Table of a source's rows on disk: a memory-mapped Arrow file, and its metadata as JSON.

    CACHE/tables/<id>.arrow    one row a picture: key, captions, byte range, size
    CACHE/tables/<id>.json     written last: what the table was made from, the rows' hash, what was left out

Every record batch but the last has BATCH_ROWS rows, so that any row is found at once; eleven million rows take no
memory until they are read. A table is made again when a shard, a list or a folder has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import file_errors, to_json, write_file
from vrm_synth.io.byte_range import ByteRange
from vrm_synth.io.data_files import Exclusion
from vrm_synth.io.file_names import CAPTION_SUFFIXES
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.data.scan.scanned_sample import Columns, ScannedSample
from vrm_synth.training.data.scan.source_scan import Layout, find_layout, scan
from vrm_synth.training.data.source import CaptionText

VERSION = 2  # of scanning and measuring files: raised where they give other rows than before
BATCH_ROWS = 1 << 16
MAX_NAMED = 10_000  # rows left out that are kept by name; all are counted
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("sentence", pa.string()),
        ("tags", pa.string()),
        ("path", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mask_path", pa.string()),  # "" where there is none
        ("mask_offset", pa.int64()),
        ("mask_length", pa.int64()),
    ]
)
SENTENCE, TAGS = 1, 2  # indices of these columns


class TableRow(NamedTuple):
    """A row of the table, with the fields of SCHEMA in their order."""

    key: str
    sentence: str
    tags: str
    path: str
    offset: int
    length: int
    width: int
    height: int
    mask_path: str
    mask_offset: int
    mask_length: int

    @staticmethod
    def from_entry(entry: ScannedSample) -> TableRow:
        """The row of a scanned entry."""
        captions, (path, offset, length), (width, height) = entry.captions, entry.picture, entry.size
        mask = entry.mask or ByteRange("", 0, 0)
        return TableRow(entry.key, captions.sentence, captions.tags, path, offset, length, width, height, *mask)

    @property
    def picture(self) -> ByteRange:
        """Byte range of the encoded picture."""
        return ByteRange(self.path, self.offset, self.length)

    @property
    def mask(self) -> ByteRange | None:
        """Byte range of the encoded mask; None without one."""
        return ByteRange(self.mask_path, self.mask_offset, self.mask_length) if self.mask_path else None


@dataclass
class TableMetadata:
    """Metadata of a row table, stored as JSON: its sources and its contents.

    made_from: version, path, split and columns.
    kind: layout of the source: tar, parquet, listed or texts.
    root: folder that the rows' paths start from.
    file_stats: path → (bytes, mtime in ns) of the files and folders that a change shows in.
    rows: number of rows.
    manifest: SHA-256 of the rows, hex.
    size: (width, height) in pixels of all pictures, where they are alike.
    licenses: license → rows.
    avatars: by "sha256 name license", {avatar, sha256, license, pictures} of each.
    left_out: (key, reason, detail) of the first MAX_NAMED rows left out.
    quarantined: reason → all rows left out.
    """

    made_from: Mapping[str, Any]
    kind: str
    root: str
    file_stats: Mapping[str, tuple[int, int]]
    rows: int = 0
    manifest: str = ""
    size: Size | None = None
    licenses: Counter[str] = field(default_factory=Counter)
    avatars: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    quarantined: Counter[str] = field(default_factory=Counter)


class RowTable:
    """Rows by number, memory-mapped from an .arrow file. Raises DatasetError where it is not such a file."""

    def __init__(self, path: Path, metadata: TableMetadata):
        self.metadata = metadata
        try:
            with file_errors(path, "read"):
                self._file = pa.memory_map(str(path))
            reader = pa.ipc.open_file(self._file)
            if reader.schema != SCHEMA:
                raise DatasetError("not a table of training rows", where=path)
            self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except pa.ArrowException as e:
            raise DatasetError(f"not a table of training rows: {e}", where=path) from e
        counts = [b.num_rows for b in self._batches]
        if sum(counts) != metadata.rows or any(c != BATCH_ROWS for c in counts[:-1]):
            raise DatasetError("table breaks off", got=sum(counts), allowed=f"{metadata.rows} rows", where=path)

    def __len__(self) -> int:
        return self.metadata.rows

    def __getitem__(self, row: int) -> TableRow:
        batch, i = self._batches[row // BATCH_ROWS], row % BATCH_ROWS
        return TableRow(*(column[i].as_py() for column in batch.columns))

    def captions(self, row: int) -> CaptionText:
        """A row's captions alone, which are read far more often than the rest."""
        batch, i = self._batches[row // BATCH_ROWS], row % BATCH_ROWS
        return CaptionText(batch.column(SENTENCE)[i].as_py(), batch.column(TAGS)[i].as_py())

    def sizes(self) -> NDArray[np.int32] | Size:
        """Widths and heights in pixels, (n, 2) int32, or the one (width, height) that all pictures have."""
        if self.metadata.size is not None:
            return self.metadata.size
        sizes = np.empty((len(self), 2), np.int32)
        for i, batch in enumerate(self._batches):
            for side, name in enumerate(("width", "height")):
                # not to_numpy, which imports pandas to ask whether a column is one of its own: 1.5 s
                sizes[i * BATCH_ROWS : i * BATCH_ROWS + batch.num_rows, side] = np.from_dlpack(batch.column(name))
        return sizes

    def close(self) -> None:
        """Unmap the file."""
        self._batches = []
        self._file.close()


def open_table(
    folder: Path, source: Path, split: str, columns: Columns, on_scanned: Callable[[int], object] = lambda n: None
) -> RowTable:
    """Open the table of a source, scanning the source where the table is missing or out of date.

    folder: of tables.
    source: folder or shard to read.
    split: of a dataset with splits.
    columns: names of the caption columns.
    on_scanned: called with counts of samples scanned.

    Raises DatasetError.
    """
    made_from = {"version": VERSION, "path": str(source.absolute()), "split": split, "columns": list(columns)}
    name = hashlib.sha256(to_json(made_from).encode()).hexdigest()[:20]
    arrow, sidecar = folder / f"{name}.arrow", folder / f"{name}.json"
    cached = _read_metadata(sidecar)
    if cached is not None and cached.made_from == made_from and cached.rows and _is_current(cached):
        with contextlib.suppress(DatasetError):  # cut short, or gone: made again
            return RowTable(arrow, cached)
    layout = find_layout(source, split)
    file_stats = _stat_files(layout)
    metadata = TableMetadata(made_from, layout.kind, str(layout.root), file_stats)
    write_table(arrow, scan(layout, columns), metadata, on_scanned)
    if _stat_files(layout) != file_stats:
        raise DatasetError("files changed while they were scanned", allowed="the same command again", where=source)
    write_file(sidecar, (to_json(_metadata_to_json(metadata)) + "\n").encode())
    return RowTable(arrow, metadata)


def write_table(
    path: Path,
    entries: Iterable[ScannedSample | Exclusion],
    metadata: TableMetadata,
    on_scanned: Callable[[int], object] = lambda n: None,
) -> None:
    """Write scanned entries to the .arrow file at `path`, and count them in `metadata`. Raises DatasetError."""
    digest = hashlib.sha256()
    rows: list[TableRow] = []
    sizes: set[Size] = set()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")  # others may write the same, from elsewhere
    with file_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
                for entry in entries:
                    if isinstance(entry, Exclusion):
                        metadata.quarantined[entry.reason] += 1
                        if len(metadata.left_out) < MAX_NAMED:
                            metadata.left_out.append((entry.key, entry.reason, entry.detail))
                        continue
                    _count_credits(metadata, entry)
                    rows.append(TableRow.from_entry(entry))
                    if len(sizes) < 2:
                        sizes.add(entry.size)
                    if len(rows) == BATCH_ROWS:
                        metadata.rows += _write_batch(writer, rows, digest)
                        on_scanned(BATCH_ROWS)
                if rows:
                    on_scanned(len(rows))
                    metadata.rows += _write_batch(writer, rows, digest)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    metadata.manifest = digest.hexdigest()
    metadata.size = sizes.pop() if len(sizes) == 1 else None


def _write_batch(writer: Any, rows: list[TableRow], digest: Any) -> int:
    """Write and hash the rows as one record batch, and empty the list; returns their number."""
    digest.update("".join("\0".join(map(str, row)) + "\n" for row in rows).encode())
    columns = [pa.array(list(values), SCHEMA.field(i).type) for i, values in enumerate(zip(*rows, strict=True))]
    writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
    count = len(rows)
    rows.clear()
    return count


def _count_credits(metadata: TableMetadata, entry: ScannedSample) -> None:
    """Count a sample's license and avatar in the metadata."""
    metadata.licenses[entry.license] += 1
    if entry.avatar or entry.avatar_sha256:
        credit = metadata.avatars.setdefault(
            f"{entry.avatar_sha256} {entry.avatar} {entry.license}",
            {"avatar": entry.avatar, "sha256": entry.avatar_sha256, "license": entry.license, "pictures": 0},
        )
        credit["pictures"] += 1


def _stat_files(layout: Layout) -> dict[str, tuple[int, int]]:
    """Stat the files and folders whose change makes the table out of date: path → (bytes, mtime in ns).

    These are shards, metadata.jsonl files and folders, and each caption where captions are .txt files.
    """
    paths = [*layout.parts, *layout.folders]
    if layout.kind == "texts":
        for folder, names in layout.names.items():
            paths += [os.path.join(folder, n) for n in names if n.lower().endswith(CAPTION_SUFFIXES)]
    return {path: _file_stat(layout.root / path) for path in paths}


def _is_current(metadata: TableMetadata) -> bool:
    return all(_file_stat(Path(metadata.root, path)) == stat for path, stat in metadata.file_stats.items())


def _file_stat(path: Path) -> tuple[int, int]:
    """(bytes, mtime in ns); (−1, −1) of a path that is missing or not readable, which scanning reports."""
    try:
        stat = os.stat(path)
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns


def _metadata_to_json(metadata: TableMetadata) -> dict[str, Any]:
    return {**vars(metadata), "avatars": list(metadata.avatars.values())}


def _read_metadata(path: Path) -> TableMetadata | None:
    try:
        value = json.loads(path.read_bytes())
        value["avatars"] = {str(i): a for i, a in enumerate(value["avatars"])}
        value["file_stats"] = {k: (int(a), int(b)) for k, (a, b) in value["file_stats"].items()}
        value["licenses"], value["quarantined"] = Counter(value["licenses"]), Counter(value["quarantined"])
        value["left_out"] = [(str(a), str(b), str(c)) for a, b, c in value["left_out"]]
        value["size"] = value["size"] and (int(value["size"][0]), int(value["size"][1]))
        return TableMetadata(**value)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # cut short, or of another version: made again
