"""A source's rows on disk: an Arrow file that is mapped, not read, and a .json that says what it was made from.

    CACHE/tables/<id>.arrow    a row each: names, captions, where the picture lies, its size
    CACHE/tables/<id>.json     written last: what the rows follow from, their hash, what was left out

Every record batch but the last has ROWS rows, so that any row is found at once; eleven million rows take no memory
until they are asked for. A table is made again when a shard, a list or a folder has changed since.
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
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.data.scan.scanned_sample import Columns, ScannedSample
from vrm_synth.train.data.scan.source_scan import Layout, find_layout, scan
from vrm_synth.train.data.source import CaptionText

VERSION = 2  # of how files are looked through and measured
ROWS = 1 << 16
NAMED = 10_000  # of the rows left out, how many are kept by name; all are counted
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
SENTENCE, TAGS = 1, 2  # columns


class Row(NamedTuple):
    """A row of the table, in SCHEMA's order."""

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
    def of(entry: ScannedSample) -> Row:
        """An entry's row."""
        words, (path, offset, length), (width, height) = entry.words, entry.picture, entry.size
        mask = entry.mask or ByteRange("", 0, 0)
        return Row(entry.key, words.sentence, words.tags, path, offset, length, width, height, *mask)

    @property
    def picture(self) -> ByteRange:
        return ByteRange(self.path, self.offset, self.length)

    @property
    def mask(self) -> ByteRange | None:
        return ByteRange(self.mask_path, self.mask_offset, self.mask_length) if self.mask_path else None


@dataclass
class TableMetadata:
    """What a table was made from and what is in it: the .json.

    made_from: version, place, columns; watched: path → (bytes, mtime in ns) of parts and folders.
    manifest: SHA-256 of the rows. size: of all pictures, where they are alike. left_out: named ones, (key, reason,
    detail); quarantined: all, by reason.
    """

    made_from: Mapping[str, Any]
    kind: str
    root: str
    watched: Mapping[str, tuple[int, int]]
    rows: int = 0
    manifest: str = ""
    size: Size | None = None
    licenses: Counter[str] = field(default_factory=Counter)
    avatars: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    quarantined: Counter[str] = field(default_factory=Counter)


class Table:
    """Rows by number, mapped from an .arrow file. Raises DatasetError where it is none of ours."""

    def __init__(self, path: Path, account: TableMetadata):
        self.account = account
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
        if sum(counts) != account.rows or any(c != ROWS for c in counts[:-1]):
            raise DatasetError("table breaks off", got=sum(counts), allowed=f"{account.rows} rows", where=path)

    def __len__(self) -> int:
        return self.account.rows

    def __getitem__(self, row: int) -> Row:
        batch, at = self._batches[row // ROWS], row % ROWS
        return Row(*(column[at].as_py() for column in batch.columns))

    def words(self, row: int) -> CaptionText:
        """A row's captions alone, which are asked for far more often than the rest."""
        batch, at = self._batches[row // ROWS], row % ROWS
        return CaptionText(batch.column(SENTENCE)[at].as_py(), batch.column(TAGS)[at].as_py())

    def sizes(self) -> NDArray[np.int32] | Size:
        """(n, 2) widths and heights, or the one size of all."""
        if self.account.size is not None:
            return self.account.size
        out = np.empty((len(self), 2), np.int32)
        for i, batch in enumerate(self._batches):
            for side, name in enumerate(("width", "height")):
                # not to_numpy, which imports pandas to ask whether a column is one of its own: 1.5 s
                out[i * ROWS : i * ROWS + batch.num_rows, side] = np.from_dlpack(batch.column(name))
        return out

    def close(self) -> None:
        """Unmap the file."""
        self._batches = []
        self._file.close()


def open_table(
    folder: Path, place: Path, split: str, columns: Columns, found: Callable[[int], object] = lambda n: None
) -> Table:
    """The table of a source, made or made again where need be. found: called with numbers of samples looked at.

    folder: of tables; place: the source. Raises DatasetError.
    """
    made_from = {"version": VERSION, "place": str(place.absolute()), "split": split, "columns": list(columns)}
    name = hashlib.sha256(to_json(made_from).encode()).hexdigest()[:20]
    arrow, account = folder / f"{name}.arrow", folder / f"{name}.json"
    known = _read_account(account)
    if known is not None and known.made_from == made_from and known.rows and _fresh(known):
        with contextlib.suppress(DatasetError):  # cut, or gone: made again
            return Table(arrow, known)
    layout = find_layout(place, split)
    watched = _watch(layout)
    made = TableMetadata(made_from, layout.kind, str(layout.root), watched)
    write_table(arrow, scan(layout, columns), made, found)
    if _watch(layout) != watched:
        raise DatasetError(
            "files changed while they were looked through", allowed="the same command again", where=place
        )
    write_file(account, (to_json(_dump(made)) + "\n").encode())
    return Table(arrow, made)


def write_table(
    path: Path,
    entries: Iterable[ScannedSample | Exclusion],
    account: TableMetadata,
    found: Callable[[int], object] = lambda n: None,
) -> None:
    """Entries → the .arrow file at `path`; what they say of themselves → `account`. Raises DatasetError."""
    digest = hashlib.sha256()
    rows: list[Row] = []
    sizes: set[Size] = set()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")  # others may write the same, from elsewhere
    with file_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
                for entry in entries:
                    if isinstance(entry, Exclusion):
                        account.quarantined[entry.reason] += 1
                        if len(account.left_out) < NAMED:
                            account.left_out.append((entry.key, entry.reason, entry.detail))
                        continue
                    _tell(account, entry)
                    rows.append(Row.of(entry))
                    if len(sizes) < 2:
                        sizes.add(entry.size)
                    if len(rows) == ROWS:
                        account.rows += _flush(writer, rows, digest)
                        found(ROWS)
                if rows:
                    found(len(rows))
                    account.rows += _flush(writer, rows, digest)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    account.manifest = digest.hexdigest()
    account.size = sizes.pop() if len(sizes) == 1 else None


def _flush(writer: Any, rows: list[Row], digest: Any) -> int:
    digest.update("".join("\0".join(map(str, row)) + "\n" for row in rows).encode())
    columns = [pa.array(list(values), SCHEMA.field(i).type) for i, values in enumerate(zip(*rows, strict=True))]
    writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
    count = len(rows)
    rows.clear()
    return count


def _tell(account: TableMetadata, entry: ScannedSample) -> None:
    account.licenses[entry.license] += 1
    if entry.avatar or entry.avatar_sha256:
        credit = account.avatars.setdefault(
            f"{entry.avatar_sha256} {entry.avatar} {entry.license}",
            {"avatar": entry.avatar, "sha256": entry.avatar_sha256, "license": entry.license, "pictures": 0},
        )
        credit["pictures"] += 1


def _watch(layout: Layout) -> dict[str, tuple[int, int]]:
    """What tells of a change: the parts, the folders, and each caption where captions are files of their own."""
    paths = [*layout.parts, *layout.folders]
    if layout.kind == "texts":
        for folder, names in layout.names.items():
            paths += [os.path.join(folder, n) for n in names if n.lower().endswith(CAPTION_SUFFIXES)]
    return {path: _marks(layout.root / path) for path in paths}


def _fresh(account: TableMetadata) -> bool:
    return all(_marks(Path(account.root, path)) == marks for path, marks in account.watched.items())


def _marks(path: Path) -> tuple[int, int]:
    """(bytes, mtime in ns); (−1, −1) of what is not there or may not be looked at, which scanning tells of."""
    try:
        found = os.stat(path)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _dump(account: TableMetadata) -> dict[str, Any]:
    return {**vars(account), "avatars": list(account.avatars.values())}


def _read_account(path: Path) -> TableMetadata | None:
    try:
        value = json.loads(path.read_bytes())
        value["avatars"] = {str(i): a for i, a in enumerate(value["avatars"])}
        value["watched"] = {k: (int(a), int(b)) for k, (a, b) in value["watched"].items()}
        value["licenses"], value["quarantined"] = Counter(value["licenses"]), Counter(value["quarantined"])
        value["left_out"] = [(str(a), str(b), str(c)) for a, b, c in value["left_out"]]
        value["size"] = value["size"] and (int(value["size"][0]), int(value["size"][1]))
        return TableMetadata(**value)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # cut or of another version: made again
