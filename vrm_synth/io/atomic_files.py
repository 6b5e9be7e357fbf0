"""Writing files whole or not at all, and JSON in one spelling."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import DatasetError, StoreError

UNFINISHED = ".part"  # ends the names of files that are being written


def write_file(path: Path, source: bytes | Path, durable: bool = False) -> None:
    """Bytes, or another file's, at `path`: a reader sees the old file or the new one, never a part.

    durable: they are on the disk before they have their name. Raises DatasetError.
    """
    # Not tempfile: its 0600 would hide a dataset from its other readers. Not the process's number: others that write
    # the same may have it, too, on another machine or in another thread.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED}")
    with file_errors(path, "written"):
        try:
            with temporary.open("wb") as f:
                if isinstance(source, bytes):
                    f.write(source)
                else:
                    with source.open("rb") as other:
                        shutil.copyfileobj(other, f, 1 << 20)
                if durable:
                    f.flush()
                    os.fsync(f.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def check_writable(path: Path) -> None:
    """Raises DatasetError where no file can be written at `path`. Leaves nothing there."""
    with file_errors(path, "written"):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try_writing(path.parent)


def try_writing(folder: Path) -> None:
    """Make a file without a name in a folder: root, read-only disks and network shares make permissions a guess.

    Raises OSError.
    """
    tempfile.TemporaryFile(dir=folder).close()


def make_folder(path: Path) -> None:
    """The folder and its parents. Raises DatasetError."""
    with file_errors(path, "made"):
        path.mkdir(parents=True, exist_ok=True)


def to_json(value: Any, indent: int | None = None) -> str:
    """One spelling: keys in their given order, no NaN, text as it is."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


@contextmanager
def file_errors(path: Path, done: str) -> Iterator[None]:
    """The system's complaint about `path` as one line: DatasetError where no such file is there, else StoreError."""
    try:
        yield
    except OSError as e:
        missing = isinstance(e, (FileNotFoundError, NotADirectoryError, IsADirectoryError))
        kind = DatasetError if missing else StoreError
        raise kind(f"cannot be {done}: {e.strerror or e}", where=path) from e
