"""A dataset's store at a URL that fsspec knows, such as S3.

Object stores write an object atomically: it appears under its name when its last byte has arrived, and until then the
previous one stays. So a file is one PUT, of up to `MAX_PUT_BYTES` bytes; a longer one goes in parts that the
store joins under the name at the end, which is as safe and needs no memory for the whole. Whatever is not known to
be such a store (SFTP, SMB, HDFS) is written to under a temporary name, and renamed.

Each library behind a URL repeats what failed for a passing reason (s3fs: 25 times in 40 seconds where the server
answers "slow down"), so there are no retries of ours: an error that it gives up on stops the run with one line, and
the same command goes on from the last completion record. Credentials and endpoints are each library's own: AWS_PROFILE,
AWS_ENDPOINT_URL, FSSPEC_S3_… and their files.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vrm_synth.core.errors import DatasetError, StoreError
from vrm_synth.io.atomic_files import PART_SUFFIX

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Protocols whose put is atomic by their documentation; "memory" is one process's own.
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
MAX_PUT_BYTES = 512 << 20  # of one PUT; S3 takes 5 GiB, but the whole of it is in memory while it is sent


@dataclass(frozen=True)
class FsspecStore:
    """A store below a URL ("s3://bucket/pictures"). Frozen and picklable: every process opens its own connection.

    Raises DatasetError where the URL's library is missing, and from every method where the store refuses.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def put_file(self, name: str, source: Path | bytes) -> None:
        """Write a file, or a copy of one, atomically: a reader sees the old file or the new one, never a part."""
        with self._errors(name, "written"):
            if not self._is_object_store:
                self._write_and_rename(name, source)
            elif isinstance(source, bytes):
                self._fs.pipe_file(self._path(name), source, **self._put_options)
            else:
                self._fs.put_file(str(source), self._path(name), **self._put_options)

    def put_files(self, files: Mapping[str, bytes]) -> None:
        """Write several files, one after the other."""
        for name, data in files.items():
            self.put_file(name, data)

    def read(self, name: str) -> bytes:
        """Read a file."""
        with self._errors(name, "read"):
            return bytes(self._fresh.cat_file(self._path(name)))

    def exists(self, name: str) -> bool:
        """Return True where there is a file of that name."""
        # Not fs.exists(): most libraries answer False to any error, and False means that the file is made again.
        with self._errors(name, "looked up"):
            try:
                return str(self._fresh.info(self._path(name))["type"]) == "file"
            except FileNotFoundError:
                return False

    def list(self, folder: str = "") -> list[str]:
        """The names of all files below `folder`, sorted; none where there is no such folder."""
        with self._errors(folder, "listed"):
            top = self._path(folder)
            try:
                paths = self._fresh.find(top)
            except FileNotFoundError:
                return []
            names = [str(path)[len(self._root) :].lstrip("/") for path in paths]
            return sorted(name for name in names if not name.endswith(PART_SUFFIX))

    def delete(self, name: str) -> None:
        """Remove a file, if there is one."""
        with self._errors(name, "removed"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(name))

    @cached_property
    def _opened(self) -> tuple[AbstractFileSystem, str]:
        with self._errors("", "opened"):
            from fsspec.core import url_to_fs

            fs, root = url_to_fs(self.url)
            return fs, str(root).rstrip("/")

    @property
    def _fs(self) -> AbstractFileSystem:
        return self._opened[0]

    @property
    def _fresh(self) -> AbstractFileSystem:
        """The file system with its cache of listings cleared: other machines write here, too."""
        self._fs.invalidate_cache()
        return self._fs

    @property
    def _root(self) -> str:
        return self._opened[1]

    @property
    def _is_object_store(self) -> bool:
        protocol = self._fs.protocol
        return not OBJECT_STORES.isdisjoint([protocol] if isinstance(protocol, str) else protocol)

    @property
    def _put_options(self) -> dict[str, int]:
        # s3fs splits what is twice its chunk or longer.
        return {"chunksize": MAX_PUT_BYTES // 2} if {"s3", "s3a"} & set(self._fs.protocol) else {}

    def _path(self, name: str) -> str:
        if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
            raise DatasetError("not a name within a dataset", got=name, where=self.url)
        return f"{self._root}/{name}" if name else self._root

    def _write_and_rename(self, name: str, source: Path | bytes) -> None:
        path = self._path(name)
        folder, _, last = path.rpartition("/")
        temporary = f"{folder}/.{last}.{uuid.uuid4().hex[:8]}{PART_SUFFIX}"
        self._fs.makedirs(folder, exist_ok=True)
        try:
            if isinstance(source, bytes):
                self._fs.pipe_file(temporary, source)
            else:
                self._fs.put_file(str(source), temporary)
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            if self._fresh.size(temporary) != size:
                raise OSError(f"{self._fs.size(temporary)} of {size} bytes arrived")
            self._rename(temporary, path)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to report
                self._fs.rm_file(temporary)
            raise

    def _rename(self, temporary: str, path: str) -> None:
        try:
            self._fs.mv(temporary, path)
        except OSError:
            # SMB and HDFS rename over nothing; between the two steps the file is missing, which is safe.
            self._fs.rm_file(path)
            self._fs.mv(temporary, path)

    @contextlib.contextmanager
    def _errors(self, name: str, action: str) -> Iterator[None]:
        """Turn any exception into one line: the library behind each URL has exceptions of its own."""
        try:
            yield
        except DatasetError:
            raise
        except Exception as e:
            where = f"{self.url.rstrip('/')}/{name}" if name else self.url
            kind = DatasetError if isinstance(e, FileNotFoundError) else StoreError
            raise kind(f"cannot be {action}: {_reason(e)}", where=where, allowed=_remedy(e)) from e


def _reason(e: Exception) -> str:
    if isinstance(e, OSError) and e.strerror:
        return e.strerror
    return str(e) or type(e).__name__


def _remedy(e: Exception) -> str | None:
    if isinstance(e, ImportError):
        return "pip install 'vrm-synth[remote]', and for other stores than S3 the package named"
    return None
