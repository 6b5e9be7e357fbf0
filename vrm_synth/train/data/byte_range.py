"""Pieces of files: where a picture's bytes lie, read with every bound checked."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.train.data.source import BadRowError

# What says that a file is not there to be read. Any other complaint is the machine's, and ends the run.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


class ByteRange(NamedTuple):
    """Where bytes lie. path: from the source's root. offset, length: in a file, length −1 for all of it;
    in Parquet the row group and the row in it."""

    path: str
    offset: int
    length: int


def read_byte_range(root: Path, piece: ByteRange, longest: int) -> bytes:
    """The bytes. Raises BadRowError where they are not there or too many, DatasetError where reading fails."""
    with opened(root / piece.path, None if piece.length >= 0 else longest) as file:
        if piece.length < 0:
            return file.read(longest)
        if piece.length > longest:
            raise BadRowError("file is too long", got=piece.length, allowed=longest, where=piece.path)
        file.seek(piece.offset)
        data = file.read(piece.length)
    if len(data) != piece.length:
        raise BadRowError("shard breaks off", got=f"{len(data)} of {piece.length} bytes", where=piece.path)
    return data


@contextmanager
def opened(path: Path, longest: int | None) -> Iterator[BinaryIO]:
    """A plain file, of at most so many bytes, to be read. Raises as `read_byte_range`."""
    length = status(path).st_size
    if longest is not None and length > longest:
        raise BadRowError("file is too long", got=length, allowed=longest, where=path.name)
    with _complaints(path), path.open("rb") as file:
        yield file


def status(path: Path) -> os.stat_result:
    """Of a plain file: a pipe would be waited for. Raises as `read_byte_range`."""
    with _complaints(path):
        found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise BadRowError("not a plain file", where=path.name)
    return found


@contextmanager
def _complaints(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno in _MISSING:
            raise BadRowError("file is missing or closed to us", got=e.strerror, where=path.name) from e
        raise DatasetError(f"cannot be read: {e.strerror or e}", where=path) from e
