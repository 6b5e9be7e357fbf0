"""Byte ranges of plain files, read with every bound checked.

Two kinds of errors, as everywhere in io: StoreError where the machine fails and nothing is known of the file, any
other DatasetError where the file itself cannot be used.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vrm_synth.core.errors import DatasetError, StoreError

# The error numbers of a file that is not there to be read. Any other failure is the machine's.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


class ByteRange(NamedTuple):
    """The place of some bytes in a file.

    path: relative to the folder of the data.
    offset: of the first byte in the file; in a Parquet file the number of the row group.
    length: in bytes, −1 for the whole file; in a Parquet file the number of the row in its group.
    """

    path: str
    offset: int
    length: int


def read_byte_range(root: Path, byte_range: ByteRange, max_bytes: int) -> bytes:
    """Read the bytes of a range. Raises DatasetError where they are missing or too many, StoreError where reading
    fails."""
    with open_plain_file(root / byte_range.path, None if byte_range.length >= 0 else max_bytes) as file:
        if byte_range.length < 0:
            return file.read(max_bytes)
        if byte_range.length > max_bytes:
            raise DatasetError("file is too long", got=byte_range.length, allowed=max_bytes, where=byte_range.path)
        file.seek(byte_range.offset)
        data = file.read(byte_range.length)
    if len(data) != byte_range.length:
        got = f"{len(data)} of {byte_range.length} bytes"
        raise DatasetError("shard breaks off", got=got, where=byte_range.path)
    return data


@contextmanager
def open_plain_file(path: Path, max_bytes: int | None) -> Iterator[BinaryIO]:
    """Open a plain file of at most `max_bytes` for reading. Raises as `read_byte_range`."""
    length = stat_plain_file(path).st_size
    if max_bytes is not None and length > max_bytes:
        raise DatasetError("file is too long", got=length, allowed=max_bytes, where=path.name)
    with _file_errors(path), path.open("rb") as file:
        yield file


def stat_plain_file(path: Path) -> os.stat_result:
    """Stat a plain file, and refuse anything else: a read from a pipe would wait. Raises as `read_byte_range`."""
    with _file_errors(path):
        status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError("not a plain file", where=path.name)
    return status


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno in _MISSING:
            raise DatasetError("file is missing or closed to us", got=e.strerror, where=path.name) from e
        raise StoreError(f"cannot be read: {e.strerror or e}", where=path) from e
