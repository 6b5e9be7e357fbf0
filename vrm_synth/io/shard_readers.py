"""One door to the samples of a shard, whatever its format; what stands behind it is a stranger's file.

Names, sizes and counts are checked before anything is read by them, a tar's end is looked for (Python's tarfile takes
a cut header for the end), pictures are decoded by Pillow with its guards on and in the formats of ours alone.
"""

from __future__ import annotations

import importlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vrm_synth.core.errors import DatasetError, ExtraError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.store import Store
from vrm_synth.shot.shot import LONGEST_SIDE

KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")
PICTURES = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG", "jxl": "JXL"}  # suffix → Pillow's name
LINES = "metadata.jsonl"
JSON_COLUMNS = ("shot", "observations")  # objects in a row, JSON text in metadata.jsonl
JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")  # a bare codestream, and a container (ISO/IEC 18181-2)
LARGEST_PICTURE = 512 << 20  # bytes: 8192² pixels of RGBA and more
LARGEST_TEXT = 16 << 20  # bytes of a row or a caption
LARGEST_TAIL = 1 << 20  # bytes of zeros after a tar's last member; GNU tar writes up to 10 KiB


@dataclass(frozen=True)
class DatasetSample:
    """A picture and what is said of it.

    picture: the encoded file; suffix: which, a key of PICTURES; row: its line of metadata; extras: other files of the
    sample by what follows the key ("depth.png").
    """

    key: str
    picture: bytes
    suffix: str
    caption: str
    row: Mapping[str, Any]
    extras: Mapping[str, bytes] = field(default_factory=dict)


def decode(data: bytes, where: str = "picture") -> NDArray[np.uint8]:
    """(H, W, 4) uint8 of a picture: sRGB, straight alpha, 255 where it has none. Raises DatasetError."""
    return np.asarray(open_picture(data, where).convert("RGBA"))


def open_picture(data: bytes, where: str = "picture") -> Image.Image:
    """The picture, read whole. Raises DatasetError where it is none, is cut, or is larger than any of ours; ExtraError
    where nothing here reads it."""
    _load_plugin(data, where)
    try:
        known = [name for name in PICTURES.values() if name in Image.OPEN or (Image.init() and name in Image.OPEN)]
        with Image.open(io.BytesIO(data), formats=known) as picture:
            if max(picture.size) > LONGEST_SIDE:
                raise DatasetError(
                    "a picture too large", got=picture.size, allowed=f"{LONGEST_SIDE} a side", where=where
                )
            picture.load()
            return picture
    # Pillow's readers raise whatever their parsing runs into.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, EOFError) as e:
        raise DatasetError("not a whole picture", got=str(e), allowed=", ".join(PICTURES), where=where) from e


def _load_plugin(data: bytes, where: str) -> None:
    if data.startswith(JPEG_XL):
        try:
            load_jxl()
        except ExtraError as e:
            raise e.at(where) from None


def load_jxl() -> None:
    """The plugin that reads and writes JPEG XL, which registers itself with Pillow. Raises ExtraError where it is
    missing."""
    try:
        importlib.import_module("pillow_jxl")
    except ImportError as e:
        raise ExtraError("JPEG XL needs a plugin", allowed="pip install 'vrm-synth[jxl]'") from e


def read_row(data: bytes, where: str) -> dict[str, Any]:
    """A line of metadata. Raises DatasetError."""
    if len(data) > LARGEST_TEXT:
        raise DatasetError("metadata too long", got=len(data), allowed=f"{LARGEST_TEXT} bytes", where=where)
    row = _parsed(data, where)
    for name in JSON_COLUMNS:
        if isinstance(row, dict) and isinstance(row.get(name), str):
            row[name] = _parsed(row[name], where)  # as metadata.jsonl has them
    if not isinstance(row, dict) or not isinstance(row.get("shot"), dict):
        raise DatasetError("not a line of metadata", got=row, allowed='{…, "shot": {…}}', where=where)
    return row


def read_line(data: bytes, where: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """A line of an image folder's metadata: the sample's key, the suffixes of its pictures, its own one first, and its
    row without their names. Raises DatasetError."""
    row = read_row(data, where)
    main = row.pop("file_name", None)
    key, _, suffix = str(main).partition(".")
    if not KEY.fullmatch(key) or suffix not in PICTURES:
        raise DatasetError("not a picture of this folder", got=main, allowed="000123.png", where=where)
    suffixes = [suffix]
    for column in [name for name in row if name.endswith("_file_name")]:  # as `datasets` has further pictures
        stem, _, suffix = str(other := row.pop(column)).partition(".")
        if stem != key or not _is_suffix(suffix):
            raise DatasetError("a picture of another name", got=other, allowed=f"{key}.mask.png", where=where)
        suffixes.append(suffix)
    return key, tuple(suffixes), row


def _parsed(data: bytes | str, where: str) -> Any:
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise DatasetError("not JSON", got=str(e), where=where) from e


def read_shard(store: Store, form: str, split: str, shard: int) -> Iterator[DatasetSample]:
    """The samples of a shard, in order. form: "imagefolder", "webdataset" or "parquet". Raises DatasetError."""
    stem = f"{split}/{shard:05d}"
    if form == "imagefolder":
        yield from read_folder(store, stem)
        return
    read, name = (read_tar, f"{stem}.tar") if form == "webdataset" else (read_parquet, f"{stem}.parquet")
    yield from read(io.BytesIO(store.read(name)), name)


def read_tar(file: BinaryIO, where: str) -> Iterator[DatasetSample]:
    """The samples of a WebDataset shard, in order. Raises DatasetError."""
    key, parts = "", dict[str, bytes]()
    seen: set[str] = set()
    for name, data in tar_members(file, where):
        stem, _, suffix = name.partition(".")
        if stem != key:
            if parts:
                yield sample(key, parts, where)
            if stem in seen:
                raise DatasetError("a key that comes again", got=stem, allowed="each once", where=where)
            seen.add(stem)
            key, parts = stem, {}
        if suffix in parts:
            raise DatasetError("a member that comes twice", got=name, where=where)
        parts[suffix] = data
    if parts:
        yield sample(key, parts, where)


def tar_members(file: BinaryIO, where: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every member: plain files of names that a sample's may have. Raises DatasetError."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                stem, _, suffix = member.name.partition(".")
                if not member.isreg() or member.issparse() or not KEY.fullmatch(stem) or not _is_suffix(suffix):
                    allowed = "plain files such as 000123.png"
                    raise DatasetError("not a member of a shard", got=member.name, allowed=allowed, where=where)
                if member.size > LARGEST_PICTURE:
                    raise DatasetError("a member too large", got=member.size, where=f"{where}: {member.name}")
                data = tar.extractfile(member)
                assert data is not None  # it is a plain file
                yield member.name, data.read()
            file.seek(tar.offset)
            tail = file.read(LARGEST_TAIL + 1)
            if len(tail) < 2 * tarfile.BLOCKSIZE or len(tail) > LARGEST_TAIL or tail.strip(b"\0"):
                raise DatasetError("a tar that does not end as one", allowed="two blocks of zeros", where=where)
    except (tarfile.TarError, OSError, ValueError) as e:
        raise DatasetError("not a whole tar", got=str(e), where=where) from e


def sample(key: str, parts: Mapping[str, bytes], where: str) -> DatasetSample:
    """The sample that files by suffix make up. Raises DatasetError."""
    where = f"{where}: {key}"
    pictures = [suffix for suffix in parts if suffix in PICTURES]
    if len(pictures) != 1 or "json" not in parts:
        raise DatasetError("not a sample", got=", ".join(parts), allowed="one picture and its .json", where=where)
    row = read_row(parts["json"], where)
    caption = row.get("caption")
    text = parts.get("txt", caption.encode() if isinstance(caption, str) else b"")
    extras = {suffix: data for suffix, data in parts.items() if suffix not in (*pictures, "json", "txt")}
    try:
        return DatasetSample(key, parts[pictures[0]], pictures[0], text.decode(), row, extras)
    except UnicodeDecodeError as e:
        raise DatasetError("a caption that is not UTF-8", got=str(e), where=where) from e


def read_folder(store: Store, stem: str) -> Iterator[DatasetSample]:
    """The samples of an image folder's shard, in the order of its metadata.jsonl. Raises DatasetError."""
    name = f"{stem}/{LINES}"
    files: dict[str, list[str]] = {}
    for file in store.list(stem):
        key, _, suffix = PurePosixPath(file).name.partition(".")
        if PurePosixPath(file).name != LINES:
            files.setdefault(key, []).append(suffix)
    seen: set[str] = set()
    for number, line in enumerate(store.read(name).split(b"\n"), 1):
        if not line:
            continue
        where = f"{name}:{number}"
        key, suffixes, row = read_line(line, where)
        if key in seen:
            raise DatasetError("a key that comes again", got=key, allowed="each once", where=where)
        seen.add(key)
        there = dict.fromkeys((*suffixes, *files.get(key, ())))
        parts = {end: store.read(f"{stem}/{key}.{end}") for end in there}
        yield sample(key, {**parts, "json": to_json(row).encode()}, where)


def read_parquet(file: BinaryIO, where: str) -> Iterator[DatasetSample]:
    """The samples of a Parquet shard, in order. Raises DatasetError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=16):
                for entry in batch.to_pylist():
                    yield _embedded(entry, where)
    except (pa.ArrowException, OSError) as e:
        raise DatasetError("not a whole Parquet file", got=str(e), where=where) from e


def _embedded(entry: Mapping[str, Any], where: str) -> DatasetSample:
    parts: dict[str, bytes] = {}
    try:
        key = entry["key"]
        for value in entry.values():
            if isinstance(value, dict):
                stem, _, suffix = value["path"].partition(".")
                if stem != key or not KEY.fullmatch(key) or not _is_suffix(suffix):
                    raise DatasetError("a picture of another name", got=value["path"], where=f"{where}: {key}")
                parts[suffix] = value["bytes"]
        return sample(key, {**parts, "txt": entry["caption"].encode(), "json": entry["metadata"].encode()}, where)
    except (KeyError, TypeError, AttributeError) as e:
        raise DatasetError("not a sample", got=str(e), where=where) from e


def _is_suffix(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9_]{1,32}(\.[a-z0-9]{1,8})?", text) is not None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not have")
