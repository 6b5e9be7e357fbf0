"""WebDataset shards → entries, by one pass over the headers of their members."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.data_files import PICTURES, TEXTS, Exclusion, hidden, is_data
from vrm_synth.train.data.byte_range import opened
from vrm_synth.train.data.image_decoder import LONGEST_FILE, measure
from vrm_synth.train.data.scan.caption_files import Beside
from vrm_synth.train.data.scan.entry import (
    LONGEST_TEXT,
    MASK,
    ByteRange,
    Columns,
    Entry,
    Found,
    entry_of,
    parse_row,
    parse_text,
)
from vrm_synth.train.data.source import BadRowError


class _Header(tarfile.TarInfo):
    """A member's header. The long names of GNU and the records of pax are read whole before anybody sees them."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        longs = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if header.type in (*longs, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK) and header.size > LONGEST_TEXT:
            raise tarfile.SubsequentHeaderError("a name or record of members is too long")  # type: ignore[attr-defined]
        return header


def scan_tar(root: Path, part: str, columns: Columns) -> Found:
    """One pass over a shard's headers; of the members only captions and the heads of pictures are read.

    A sample is the members in a row whose names agree up to the first dot of the last part (WebDataset). Members that
    have no part in one, hidden ones among them, do not end it. A shard that ends early, or breaks off, gives what lies
    before; the rest is one LeftOut.
    """
    path = root / part
    try:
        with opened(path, None) as file:
            size = os.fstat(file.fileno()).st_size
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header, errors="replace") as tar:
                sample: dict[str, tarfile.TarInfo] = {}
                key = ""
                try:
                    while (member := tar.next()) is not None:
                        tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
                        if member.isdir():
                            continue
                        if (why := _no_part(member.name)) is not None:
                            yield from (Exclusion(f"{part}: {member.name}", *w) for w in why)
                            continue
                        stem, suffix = _key(member.name)
                        if sample and (stem != key or suffix in sample):
                            yield from _tar_samples(part, tar, key, sample, columns)
                            sample = {}
                        key = stem
                        if not member.isreg() or member.issparse():
                            yield Exclusion(f"{part}: {member.name}", "member is no plain file", "a link or device")
                        elif member.offset_data + member.size > size:
                            yield Exclusion(f"{part}: {stem}", "shard breaks off", f"in {member.name}")
                            sample = {}
                            return
                        else:
                            sample[suffix] = member
                    if sample:
                        yield from _tar_samples(part, tar, key, sample, columns)
                    file.seek(tar.offset)
                    end = file.read(tarfile.BLOCKSIZE)
                    if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
                        # tarfile takes any block that is no header for the end.
                        yield Exclusion(part, "shard breaks off", f"no end mark at byte {tar.offset}")
                except tarfile.TarError as e:
                    if sample:
                        yield from _tar_samples(part, tar, key, sample, columns)
                    yield Exclusion(part, "shard breaks off", str(e))
    except tarfile.TarError as e:
        yield Exclusion(part, "shard is no tar", str(e))
    except BadRowError as e:
        yield Exclusion.of(part, e)
    except OSError as e:
        raise DatasetError(f"cannot be read: {e.strerror or e}", where=path) from e


def _key(name: str) -> tuple[str, str]:
    folder, _, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return (f"{folder}/{stem}" if folder else stem), f".{suffix.lower()}"


def _no_part(name: str) -> list[tuple[str, str]] | None:
    """None where a member may be part of a sample, else (reason, detail) of what is to be told of it, if anything."""
    why = hidden(name)
    if why is not None:
        return [why] if is_data(name) or why[0] == "AppleDouble file" else []
    if "." not in name.rpartition("/")[2]:
        return [("member has no suffix", "a sample's members are called key.suffix")]
    return None


def _tar_samples(
    part: str, tar: tarfile.TarFile, key: str, members: dict[str, tarfile.TarInfo], columns: Columns
) -> Iterator[Entry | Exclusion]:
    """Of the members of one key, by what follows it: its picture; and pictures with a caption of the same name up to
    the last dot, "photo.1.png" beside "photo.1.txt", which the rule for keys takes for parts of one sample."""
    pictures = [s for s in PICTURES if s in members]
    if len(pictures) == 1 and all(s.count(".") == 1 or s == MASK for s in members):
        yield _tar_sample(part, tar, key, "", pictures[0], members, columns)  # as nearly all are
        return
    beside = Beside(members)
    first = next(iter(pictures), None)
    with_captions = [p for p in beside.pictures() if p.count(".") > 1 and beside.own(p, (*TEXTS, ".json"))]
    samples = [p for p in with_captions if not beside.is_pass(p, (*TEXTS, ".json"))]
    if first is not None or not samples:
        yield _tar_sample(part, tar, key, "", first, members, columns)
    for picture in samples:
        yield _tar_sample(part, tar, key, picture.rpartition(".")[0], picture, members, columns)
    if first is None and not samples:
        return
    for picture in beside.pictures():
        if picture not in (first, *samples) and not beside.is_pass(picture, (*TEXTS, ".json")):
            what = "another picture of its sample" if picture.count(".") == 1 else "no caption"
            yield Exclusion(f"{part}: {key}{picture}", what, "it has no caption of its own")


def _tar_sample(
    part: str,
    tar: tarfile.TarFile,
    key: str,
    stem: str,
    suffix: str | None,
    members: dict[str, tarfile.TarInfo],
    columns: Columns,
) -> Entry | Exclusion:
    """The sample of one picture. stem: what stands between the key and the last dot of its members, often nothing;
    suffix: the picture's, None where there is none."""
    name = f"{part}: {key}{stem}"
    try:
        row: dict[str, Any] = {}
        if f"{stem}.json" in members:
            row = parse_row(_small(tar, members[f"{stem}.json"]))
        for s in TEXTS:
            if f"{stem}{s}" in members and (columns.caption == "caption" or columns.caption not in row):
                row[columns.caption] = parse_text(_small(tar, members[f"{stem}{s}"]))
        if suffix is None:
            raise BadRowError("no picture", got=", ".join(sorted(members)), allowed=", ".join(PICTURES))
        picture = members[suffix]
        words = columns.words(row)
        if picture.size > LONGEST_FILE:
            raise BadRowError("picture's file is too long", got=picture.size, allowed=LONGEST_FILE)
        content = tar.extractfile(picture)
        if content is None:
            raise BadRowError("no picture", got="a link")
        size = measure(content)  # type: ignore[arg-type]
        mask = members.get(f"{stem}{MASK}")
        return entry_of(
            name,
            words,
            ByteRange(part, picture.offset_data, picture.size),
            size,
            ByteRange(part, mask.offset_data, mask.size) if mask and mask.size <= LONGEST_FILE else None,
            row,
        )
    except BadRowError as e:
        return Exclusion.of(name, e)


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LONGEST_TEXT:
        raise BadRowError("caption is too long", got=f"{member.size} bytes", allowed=f"up to {LONGEST_TEXT}")
    content = tar.extractfile(member)
    return content.read() if content else b""
