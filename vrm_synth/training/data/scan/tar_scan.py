"""Scan WebDataset shards, in one pass over the headers of their members."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import DatasetError, StoreError
from vrm_synth.io.byte_range import ByteRange, open_plain_file
from vrm_synth.io.data_files import Exclusion, hidden_reason, is_data
from vrm_synth.io.file_names import CAPTION_SUFFIXES, IMAGE_SUFFIXES
from vrm_synth.io.image_decoder import MAX_FILE_BYTES, measure
from vrm_synth.io.shard_readers.tar import TarReader
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
from vrm_synth.training.data.source import BadRowError, as_bad_row


def scan_tar(root: Path, shard: str, columns: Columns) -> ScanResults:
    """Scan a shard; of its members only captions and the heads of pictures are read.

    A sample is the members in a row whose names agree up to the first dot of the last part (WebDataset). Members that
    have no part in one, hidden ones among them, do not end it. A shard that ends early, or breaks off, gives what lies
    before; the rest is one Exclusion.
    """
    try:
        with as_bad_row(), open_plain_file(root / shard, None) as file, TarReader(file) as tar:
            yield from _scan_members(shard, tar, columns)
    except tarfile.TarError as e:
        yield Exclusion(shard, "shard is no tar", str(e))
    except BadRowError as e:
        yield Exclusion.of(shard, e)
    except OSError as e:
        raise StoreError(f"cannot be read: {e.strerror or e}", where=root / shard) from e


def _scan_members(shard: str, tar: TarReader, columns: Columns) -> ScanResults:
    """Group consecutive members by key, and yield each group's samples and whatever is excluded."""
    members: dict[str, tarfile.TarInfo] = {}  # of one sample, by suffix
    key = ""
    try:
        for member in tar:
            if member.isdir():
                continue
            if (reasons := _exclusion_reasons(member.name)) is not None:
                yield from (Exclusion(f"{shard}: {member.name}", *reason) for reason in reasons)
                continue
            stem, suffix = _split_key(member.name)
            if members and (stem != key or suffix in members):
                yield from _samples(shard, tar, key, members, columns)
                members = {}
            key = stem
            if not tar.is_plain_file(member):
                yield Exclusion(f"{shard}: {member.name}", "member is no plain file", "a link or device")
            elif not tar.is_complete(member):
                yield Exclusion(f"{shard}: {stem}", "shard breaks off", f"in {member.name}")
                return
            else:
                members[suffix] = member
        if members:
            yield from _samples(shard, tar, key, members, columns)
        end = tar.tail(tarfile.BLOCKSIZE)
        if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
            yield Exclusion(shard, "shard breaks off", f"no end mark at byte {tar.end}")
    except tarfile.TarError as e:
        if members:
            yield from _samples(shard, tar, key, members, columns)
        yield Exclusion(shard, "shard breaks off", str(e))


def _split_key(name: str) -> tuple[str, str]:
    """Split a member's name at the first dot of its last component: (key, suffix in lower case)."""
    folder, _, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return (f"{folder}/{stem}" if folder else stem), f".{suffix.lower()}"


def _exclusion_reasons(name: str) -> list[tuple[str, str]] | None:
    """None where a member may be part of a sample, else the (reason, detail) of its exclusions, if any."""
    why = hidden_reason(name)
    if why is not None:
        return [why] if is_data(name) or why[0] == "AppleDouble file" else []
    if "." not in name.rpartition("/")[2]:
        return [("member has no suffix", "a sample's members are called key.suffix")]
    return None


def _samples(
    shard: str, tar: TarReader, key: str, members: dict[str, tarfile.TarInfo], columns: Columns
) -> Iterator[ScannedSample | Exclusion]:
    """The samples of the members of one key, by suffix: its picture; and pictures with a caption of the same name up to
    the last dot, "photo.1.png" beside "photo.1.txt", which the rule for keys takes for parts of one sample."""
    pictures = [s for s in IMAGE_SUFFIXES if s in members]
    if len(pictures) == 1 and all(s.count(".") == 1 or s == MASK_SUFFIX for s in members):
        yield _sample(shard, tar, key, "", pictures[0], members, columns)  # the usual case
        return
    siblings = SiblingFiles(members)
    first = next(iter(pictures), None)
    texts = (*CAPTION_SUFFIXES, ".json")
    with_captions = [p for p in siblings.pictures() if p.count(".") > 1 and siblings.of_same_stem(p, texts)]
    samples = [p for p in with_captions if not siblings.is_pass(p, texts)]
    if first is not None or not samples:
        yield _sample(shard, tar, key, "", first, members, columns)
    for picture in samples:
        yield _sample(shard, tar, key, picture.rpartition(".")[0], picture, members, columns)
    if first is None and not samples:
        return
    for picture in siblings.pictures():
        if picture not in (first, *samples) and not siblings.is_pass(picture, texts):
            what = "another picture of its sample" if picture.count(".") == 1 else "no caption"
            yield Exclusion(f"{shard}: {key}{picture}", what, "it has no caption of its own")


def _sample(
    shard: str,
    tar: TarReader,
    key: str,
    stem: str,
    suffix: str | None,
    members: dict[str, tarfile.TarInfo],
    columns: Columns,
) -> ScannedSample | Exclusion:
    """The sample of one picture. stem: what stands between the key and the last dot of its members, often nothing;
    suffix: the picture's, None where there is none."""
    name = f"{shard}: {key}{stem}"
    try:
        row: dict[str, Any] = {}
        if f"{stem}.json" in members:
            row = parse_row(_read_text(tar, members[f"{stem}.json"]))
        for s in CAPTION_SUFFIXES:
            if f"{stem}{s}" in members and (columns.caption == "caption" or columns.caption not in row):
                row[columns.caption] = parse_text(_read_text(tar, members[f"{stem}{s}"]))
        if suffix is None:
            raise BadRowError("no picture", got=", ".join(sorted(members)), allowed=", ".join(IMAGE_SUFFIXES))
        picture = members[suffix]
        captions = columns.read_captions(row)
        if picture.size > MAX_FILE_BYTES:
            raise BadRowError("picture's file is too long", got=picture.size, allowed=MAX_FILE_BYTES)
        size = measure(tar.open(picture))  # type: ignore[arg-type]
        mask = members.get(f"{stem}{MASK_SUFFIX}")
        return make_scanned_sample(
            name,
            captions,
            ByteRange(shard, picture.offset_data, picture.size),
            size,
            ByteRange(shard, mask.offset_data, mask.size) if mask and mask.size <= MAX_FILE_BYTES else None,
            row,
        )
    except StoreError:
        raise
    except (BadRowError, DatasetError) as e:
        return Exclusion.of(name, e)


def _read_text(tar: TarReader, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_TEXT_FILE_BYTES:
        raise BadRowError("caption is too long", got=f"{member.size} bytes", allowed=f"up to {MAX_TEXT_FILE_BYTES}")
    return tar.open(member).read()
