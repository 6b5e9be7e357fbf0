"""WebDataset shards → entries, by one pass over the headers of their members."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
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
from vrm_synth.train.source import BadRowError


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

    A sample is the members in a row whose names agree up to the first dot of the last part (WebDataset).
    A shard that ends early, or breaks off, gives what lies before; the rest is one LeftOut.
    """
    path = root / part
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header, errors="replace") as tar:
                sample: dict[str, tarfile.TarInfo] = {}
                key = ""
                try:
                    while (member := tar.next()) is not None:
                        tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
                        if member.isdir():
                            continue
                        stem, suffix = _key(member.name)
                        if sample and (stem != key or suffix in sample):
                            yield _tar_sample(part, tar, key, sample, columns)
                            sample = {}
                        key = stem
                        if not member.isreg() or member.issparse():
                            yield LeftOut(f"{part}: {member.name}", "member is no plain file", "a link or device")
                        elif member.offset_data + member.size > size:
                            yield LeftOut(f"{part}: {stem}", "shard breaks off", f"in {member.name}")
                            sample = {}
                            return
                        else:
                            sample[suffix] = member
                    if sample:
                        yield _tar_sample(part, tar, key, sample, columns)
                    file.seek(tar.offset)
                    end = file.read(tarfile.BLOCKSIZE)
                    if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
                        # tarfile takes any block that is no header for the end.
                        yield LeftOut(part, "shard breaks off", f"no end mark at byte {tar.offset}")
                except tarfile.TarError as e:
                    if sample:
                        yield _tar_sample(part, tar, key, sample, columns)
                    yield LeftOut(part, "shard breaks off", str(e))
    except tarfile.TarError as e:
        yield LeftOut(part, "shard is no tar", str(e))
    except OSError as e:
        raise DatasetError(f"cannot be read: {e.strerror or e}", where=path) from e


def _key(name: str) -> tuple[str, str]:
    folder, _, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return (f"{folder}/{stem}" if folder else stem), f".{suffix.lower()}"


def _tar_sample(
    part: str, tar: tarfile.TarFile, key: str, members: dict[str, tarfile.TarInfo], columns: Columns
) -> Entry | LeftOut:
    name = f"{part}: {key}"
    try:
        row: dict[str, Any] = {}
        if ".json" in members:
            row = parse_row(_small(tar, members[".json"]))
        for suffix in TEXTS:
            if suffix in members and (columns.caption == "caption" or columns.caption not in row):
                row[columns.caption] = parse_text(_small(tar, members[suffix]))
        picture = next((members[s] for s in SUFFIXES if s in members), None)
        if picture is None:
            raise BadRowError("no picture", got=", ".join(sorted(members)), allowed=", ".join(SUFFIXES))
        words = columns.words(row)
        if picture.size > LONGEST_FILE:
            raise BadRowError("picture's file is too long", got=picture.size, allowed=LONGEST_FILE)
        content = tar.extractfile(picture)
        if content is None:
            raise BadRowError("no picture", got="a link")
        size = measure(content)  # type: ignore[arg-type]
        mask = members.get(MASK)
        return entry_of(
            name,
            words,
            Piece(part, picture.offset_data, picture.size),
            size,
            Piece(part, mask.offset_data, mask.size) if mask and mask.size <= LONGEST_FILE else None,
            row,
        )
    except BadRowError as e:
        return LeftOut.of(name, e)


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > LONGEST_TEXT:
        raise BadRowError("caption is too long", got=f"{member.size} bytes", allowed=f"up to {LONGEST_TEXT}")
    content = tar.extractfile(member)
    return content.read() if content else b""
