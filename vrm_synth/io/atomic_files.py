"""Atomic file writes, and canonical JSON."""

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

PART_SUFFIX = ".part"  # of files that are being written


def write_file(path: Path, source: bytes | Path, durable: bool = False) -> None:
    """Write bytes, or a copy of another file, to `path` atomically: a reader sees the old file or the new one.

    durable: sync the bytes to the disk before the file gets its name. Raises DatasetError.
    """
    # Not tempfile: its mode 0600 would hide a dataset from other users. Not the process id: another machine or thread
    # that writes the same file may have it, too.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PART_SUFFIX}")
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
    """Raise DatasetError where no file can be written at `path`. Leaves nothing there."""
    with file_errors(path, "written"):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        probe_writable(path.parent)


def probe_writable(folder: Path) -> None:
    """Create a file without a name in a folder; permission bits tell little under root, on read-only disks and shares.

    Raises OSError.
    """
    tempfile.TemporaryFile(dir=folder).close()


def make_folder(path: Path) -> None:
    """Create a folder and its parents. Raises DatasetError."""
    with file_errors(path, "made"):
        path.mkdir(parents=True, exist_ok=True)


def to_json(value: Any, indent: int | None = None) -> str:
    """Serialize as JSON: keys in their given order, no NaN, text unescaped. The same value gives the same text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


@contextmanager
def file_errors(path: Path, action: str) -> Iterator[None]:
    """Turn OSErrors about `path` into one line: DatasetError where there is no such file, else StoreError.

    action: a participle, "read".
    """
    try:
        yield
    except OSError as e:
        missing = isinstance(e, (FileNotFoundError, NotADirectoryError, IsADirectoryError))
        kind = DatasetError if missing else StoreError
        raise kind(f"cannot be {action}: {e.strerror or e}", where=path) from e
