"""Folders of pictures with metadata.jsonl, or with a .txt beside each picture → entries."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.train.entry import (
    LONGEST_TEXT,
    MASK,
    TEXTS,
    Columns,
    Entry,
    Found,
    LeftOut,
    Piece,
    entry_of,
    parse_row,
    parse_text,
)
from vrm_synth.train.picture import LONGEST_FILE, SUFFIXES, measure
from vrm_synth.train.piece import opened, read_piece
from vrm_synth.train.source import BadRowError, Words

METADATA = "metadata.jsonl"


def scan_listed(root: Path, part: str, columns: Columns) -> Found:
    """metadata.jsonl: one row a line; file_name from its own folder."""
    folder = PurePosixPath(part).parent
    try:
        with (root / part).open("rb") as lines:
            number = 0
            while line := lines.readline(LONGEST_TEXT + 1):
                number += 1
                if line.isspace():
                    continue
                if len(line) > LONGEST_TEXT:
                    yield LeftOut(f"{part}:{number}", "metadata is too long", f"allowed: {LONGEST_TEXT} bytes a line")
                    while line and not line.endswith(b"\n"):
                        line = lines.readline(LONGEST_TEXT)
                    continue
                yield _listed(root, folder, f"{part}:{number}", line, columns)
    except OSError as e:
        raise DatasetError(f"cannot be read: {e.strerror or e}", where=root / part) from e


def _listed(root: Path, folder: PurePosixPath, where: str, line: bytes, columns: Columns) -> Entry | LeftOut:
    key = where
    try:
        row = parse_row(line)
        name = _inside(row.get("file_name"))
        key = str(folder / name)
        words = columns.words(row)
        mask = row.get("mask_file_name")
        beside = name.with_name(name.stem + MASK) if mask is None else _inside(mask)
        return _picture_file(root, key, words, str(folder / beside), row)
    except BadRowError as e:
        return LeftOut.of(key, e)


def _inside(name: Any) -> PurePosixPath:
    """A path that stays below its folder. Raises BadRowError."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise BadRowError("no file_name", got=name)
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise BadRowError("file_name leads out of the folder", got=name)
    return path


def scan_texts(root: Path, part: str, columns: Columns) -> Found:
    """A folder's pictures, each with the caption in the .txt of its name."""
    try:
        names = {e.name for e in os.scandir(root / part)}
    except OSError as e:
        raise DatasetError(f"cannot be read: {e.strerror or e}", where=root / part) from e
    for name in sorted(n for n in names if n.lower().endswith(SUFFIXES) and not n.startswith(".")):
        stem = name.rpartition(".")[0]
        base, _, pass_ = stem.partition(".")
        if pass_ and any(f"{base}{s}" in names for s in SUFFIXES):
            continue  # a pass beside the picture of its name
        key = os.path.normpath(os.path.join(part, name))
        try:
            caption = next((f"{stem}{s}" for s in TEXTS if f"{stem}{s}" in names), None)
            if caption is None:
                raise BadRowError("no caption", allowed=f"{stem}.txt")
            data = read_piece(root, Piece(os.path.join(part, caption), 0, -1), LONGEST_TEXT)
            words = columns.words({columns.caption: parse_text(data)})
            mask = os.path.normpath(os.path.join(part, stem + MASK))
            yield _picture_file(root, key, words, mask, {})
        except BadRowError as e:
            yield LeftOut.of(key, e)


def _picture_file(root: Path, key: str, words: Words, mask: str, row: dict[str, Any]) -> Entry:
    with opened(root / key, LONGEST_FILE) as file:
        size = measure(file)
    has_mask = (root / mask).is_file()
    return entry_of(key, words, Piece(key, 0, -1), size, Piece(mask, 0, -1) if has_mask else None, row)
