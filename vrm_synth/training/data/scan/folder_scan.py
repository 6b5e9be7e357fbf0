"""Scan folders of pictures with metadata.jsonl, or with a .txt beside each picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from vrm_synth.core.errors import StoreError
from vrm_synth.io.byte_range import ByteRange, open_plain_file, read_byte_range
from vrm_synth.io.data_files import Exclusion, exclude_other_split
from vrm_synth.io.file_names import CAPTION_SUFFIXES
from vrm_synth.io.image_decoder import MAX_FILE_BYTES, measure
from vrm_synth.io.shard_readers.folder import metadata_lines
from vrm_synth.training.data.scan.scanned_sample import (
    MASK_SUFFIX,
    MAX_TEXT_FILE_BYTES,
    Columns,
    ScannedSample,
    ScanResults,
    make_scanned_sample,
    parse_row,
    parse_text,
)
from vrm_synth.training.data.scan.sibling_files import SiblingFiles
from vrm_synth.training.data.source import BadRowError, CaptionText, as_bad_row


def scan_metadata_jsonl(
    root: Path,
    metadata_path: str,
    columns: Columns,
    other_split_of: Callable[[str], str | None],
    named_paths: set[str],
) -> ScanResults:
    """Scan a metadata.jsonl: one row per line, file_name relative to the file's folder.

    metadata_path: of the file, relative to root.
    other_split_of: path of a picture → name of its split; None where that is the split to read.
    named_paths: the path of every picture and mask that a row names is added to it.
    """
    folder = PurePosixPath(metadata_path).parent
    try:
        with as_bad_row(), open_plain_file(root / metadata_path, None) as file:
            for number, line in metadata_lines(file, MAX_TEXT_FILE_BYTES):
                if len(line) > MAX_TEXT_FILE_BYTES:
                    yield Exclusion(
                        f"{metadata_path}:{number}",
                        "metadata is too long",
                        f"allowed: {MAX_TEXT_FILE_BYTES} bytes a line",
                    )
                    continue
                scanned = _scan_row(root, folder, f"{metadata_path}:{number}", line, columns, named_paths)
                split = other_split_of(scanned.key) if scanned.key in named_paths else None
                yield scanned if split is None else exclude_other_split(scanned.key, split)
    except BadRowError as e:
        yield Exclusion.of(metadata_path, e)
    except OSError as e:
        raise StoreError(f"cannot be read: {e.strerror or e}", where=root / metadata_path) from e


def _scan_row(
    root: Path, folder: PurePosixPath, where: str, line: bytes, columns: Columns, named_paths: set[str]
) -> ScannedSample | Exclusion:
    """Scan the row in a line of a metadata.jsonl; its picture and mask are added to named_paths."""
    key = where
    try:
        row = parse_row(line)
        name = _path_inside(row.get("file_name"))
        key = str(folder / name)
        named_paths.add(key)
        captions = columns.read_captions(row)
        mask = row.get("mask_file_name")
        mask_path = name.with_name(name.stem + MASK_SUFFIX) if mask is None else _path_inside(mask)
        named_paths.add(str(folder / mask_path))
        return _picture_file(root, key, captions, str(folder / mask_path), row)
    except BadRowError as e:
        return Exclusion.of(key, e)


def _path_inside(name: Any) -> PurePosixPath:
    """Return the name as a path. Raises BadRowError where it leads out of its folder."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise BadRowError("no file_name", got=name)
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise BadRowError("file_name leads out of the folder", got=name)
    return path


def exclude_unnamed(names: Mapping[str, Sequence[str]], named_paths: set[str]) -> Iterator[Exclusion]:
    """Yield an exclusion for each picture that no row names.

    names: folder → its pictures.
    named_paths: the paths that rows name.
    """
    for folder, pictures in names.items():
        siblings = SiblingFiles(pictures)
        for name in pictures:
            key = str(PurePosixPath(folder, name))
            if key not in named_paths and not siblings.is_pass(name, ()):
                yield Exclusion(key, "picture is not listed", "no row names it")


def scan_texts(root: Path, folder: str, names: Sequence[str], columns: Columns) -> ScanResults:
    """Scan the pictures of a folder, each captioned by the .txt of the same name. names: its pictures and captions."""
    siblings = SiblingFiles(names)
    for name in siblings.pictures():
        if siblings.is_pass(name, CAPTION_SUFFIXES):
            continue
        key = os.path.normpath(os.path.join(folder, name))
        stem = name.rpartition(".")[0]
        try:
            caption = siblings.of_same_stem(name, CAPTION_SUFFIXES)
            if caption is None:
                raise BadRowError("no caption", allowed=f"{stem}.txt")
            with as_bad_row():
                data = read_byte_range(root, ByteRange(os.path.join(folder, caption), 0, -1), MAX_TEXT_FILE_BYTES)
            captions = columns.read_captions({columns.caption: parse_text(data)})
            mask = os.path.normpath(os.path.join(folder, stem + MASK_SUFFIX))
            yield _picture_file(root, key, captions, mask, {})
        except BadRowError as e:
            yield Exclusion.of(key, e)


def _picture_file(root: Path, key: str, captions: CaptionText, mask: str, row: dict[str, Any]) -> ScannedSample:
    with as_bad_row(), open_plain_file(root / key, MAX_FILE_BYTES) as file:
        size = measure(file)
    has_mask = (root / mask).is_file()
    return make_scanned_sample(
        key, captions, ByteRange(key, 0, -1), size, ByteRange(mask, 0, -1) if has_mask else None, row
    )
