"""A sample of a dataset of ours: its files by suffix, checked, and its line of metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.dataset_columns import FILE_NAME, OBJECT_COLUMNS, file_columns
from vrm_synth.io.image_decoder import PILLOW_FORMATS

KEY = re.compile(r"[A-Za-z0-9_-]{1,200}")
MAX_TEXT_BYTES = 16 << 20  # of a row or a caption


@dataclass(frozen=True)
class DatasetSample:
    """A captioned picture of a dataset.

    key: name of the sample, unique in its split; its files are called key.suffix.
    picture: the encoded image file.
    suffix: of the picture's file, a key of PILLOW_FORMATS.
    caption: text.
    row: its line of metadata.
    extras: further files of the sample by suffix ("mask.png").
    """

    key: str
    picture: bytes
    suffix: str
    caption: str
    row: Mapping[str, Any]
    extras: Mapping[str, bytes] = field(default_factory=dict)


def is_member_name(key: str, suffix: str) -> bool:
    """Return True for a key and a suffix that a sample's file may have."""
    return KEY.fullmatch(key) is not None and re.fullmatch(r"[a-z0-9_]{1,32}(\.[a-z0-9]{1,8})?", suffix) is not None


def sample_from_files(key: str, files: Mapping[str, bytes], where: str) -> DatasetSample:
    """Put together the sample of files by suffix. Raises DatasetError."""
    where = f"{where}: {key}"
    pictures = [suffix for suffix in files if suffix in PILLOW_FORMATS]
    if len(pictures) != 1 or "json" not in files:
        raise DatasetError("not a sample", got=", ".join(files), allowed="one picture and its .json", where=where)
    row = read_row(files["json"], where)
    caption = row.get("caption")
    text = files.get("txt", caption.encode() if isinstance(caption, str) else b"")
    extras = {suffix: data for suffix, data in files.items() if suffix not in (*pictures, "json", "txt")}
    try:
        return DatasetSample(key, files[pictures[0]], pictures[0], text.decode(), row, extras)
    except UnicodeDecodeError as e:
        raise DatasetError("a caption that is not UTF-8", got=str(e), where=where) from e


def read_row(data: bytes, where: str) -> dict[str, Any]:
    """Parse a line of metadata. Raises DatasetError."""
    if len(data) > MAX_TEXT_BYTES:
        raise DatasetError("metadata too long", got=len(data), allowed=f"{MAX_TEXT_BYTES} bytes", where=where)
    row = _parse_json(data, where)
    for name in OBJECT_COLUMNS:
        if isinstance(row, dict) and isinstance(row.get(name), str):
            row[name] = _parse_json(row[name], where)  # as metadata.jsonl has them
    if not isinstance(row, dict) or not isinstance(row.get("shot"), dict):
        raise DatasetError("not a line of metadata", got=row, allowed='{…, "shot": {…}}', where=where)
    return row


def read_line(data: bytes, where: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Parse a line of an image folder's metadata.

    Returns the sample's key; the suffixes of its pictures, its own one first; and its row without the file names.
    Raises DatasetError.
    """
    row = read_row(data, where)
    main = row.pop(FILE_NAME, None)
    key, _, suffix = str(main).partition(".")
    if not KEY.fullmatch(key) or suffix not in PILLOW_FORMATS:
        raise DatasetError("not a picture of this folder", got=main, allowed="000123.png", where=where)
    suffixes = [suffix]
    for column in file_columns(row):  # as `datasets` has further pictures
        stem, _, suffix = str(other := row.pop(column)).partition(".")
        if stem != key or not is_member_name(stem, suffix):
            raise DatasetError("a picture of another name", got=other, allowed=f"{key}.mask.png", where=where)
        suffixes.append(suffix)
    return key, tuple(suffixes), row


def _parse_json(data: bytes | str, where: str) -> Any:
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as e:
        raise DatasetError("not JSON", got=str(e), where=where) from e


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not have")
