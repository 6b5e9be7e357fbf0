"""WebDataset shards: the members of a tar, header by header, and the samples of ours."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, BinaryIO

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.image_decoder import MAX_FILE_BYTES
from vrm_synth.io.shard_readers.sample import DatasetSample, is_member_name, sample_from_files

MAX_NAME_BYTES = 1 << 20  # of a member's long name or pax records
_MAX_TAIL_BYTES = 1 << 20  # of zeros after a tar's last member; GNU tar writes up to 10 KiB


class _BoundedHeader(tarfile.TarInfo):
    """A member's header. The long names of GNU and the records of pax are read whole before anybody sees them."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _BoundedHeader:
        header = super().frombuf(buf, encoding, errors)
        longs = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if header.type in (*longs, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK) and header.size > MAX_NAME_BYTES:
            raise tarfile.SubsequentHeaderError("a name or record of members is too long")  # type: ignore[attr-defined]
        return header


class TarReader:
    """The members of an uncompressed tar, read one after the other, in constant memory.

    with TarReader(file) as tar:
        for member in tar:
            data = tar.open(member).read()

    Opening and iterating raise tarfile.TarError where the file is no tar or a header is damaged. tarfile takes any
    block that is no header for the end, so that `tail` has to be looked at after the last member.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._tar = tarfile.open(fileobj=file, mode="r:", tarinfo=_BoundedHeader, errors="replace")  # noqa: SIM115

    def __enter__(self) -> TarReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        while (member := self._tar.next()) is not None:
            self._tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them
            yield member

    @staticmethod
    def is_plain_file(member: tarfile.TarInfo) -> bool:
        """Return False for links, devices, folders and sparse files."""
        return member.isreg() and not member.issparse()

    def is_complete(self, member: tarfile.TarInfo) -> bool:
        """Return False where the tar ends before the member's last byte."""
        return member.offset_data + member.size <= self._size

    def open(self, member: tarfile.TarInfo) -> IO[bytes]:
        """Open a plain member for reading."""
        content = self._tar.extractfile(member)
        if content is None:
            raise tarfile.ReadError(f"{member.name} is no plain file")
        return content

    @property
    def end(self) -> int:
        """Offset of the first byte after the last member."""
        return self._tar.offset

    def tail(self, max_bytes: int) -> bytes:
        """Read at most `max_bytes` bytes after the last member; a complete tar has two blocks of zeros there."""
        self._file.seek(self.end)
        return self._file.read(max_bytes)


def read_tar(file: BinaryIO, where: str) -> Iterator[DatasetSample]:
    """Read the samples of a WebDataset shard of ours, in order. Raises DatasetError."""
    key, files = "", dict[str, bytes]()
    seen: set[str] = set()
    for name, data in _members(file, where):
        stem, _, suffix = name.partition(".")
        if stem != key:
            if files:
                yield sample_from_files(key, files, where)
            if stem in seen:
                raise DatasetError("a key that comes again", got=stem, allowed="each once", where=where)
            seen.add(stem)
            key, files = stem, {}
        if suffix in files:
            raise DatasetError("a member that comes twice", got=name, where=where)
        files[suffix] = data
    if files:
        yield sample_from_files(key, files, where)


def _members(file: BinaryIO, where: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every member: plain files of names that a sample's may have. Raises DatasetError."""
    try:
        with TarReader(file) as tar:
            for member in tar:
                stem, _, suffix = member.name.partition(".")
                if not tar.is_plain_file(member) or not is_member_name(stem, suffix):
                    allowed = "plain files such as 000123.png"
                    raise DatasetError("not a member of a shard", got=member.name, allowed=allowed, where=where)
                if member.size > MAX_FILE_BYTES:
                    raise DatasetError("a member too large", got=member.size, where=f"{where}: {member.name}")
                yield member.name, tar.open(member).read()
            tail = tar.tail(_MAX_TAIL_BYTES + 1)
            if len(tail) < 2 * tarfile.BLOCKSIZE or len(tail) > _MAX_TAIL_BYTES or tail.strip(b"\0"):
                raise DatasetError("a tar that does not end as one", allowed="two blocks of zeros", where=where)
    except (tarfile.TarError, OSError, ValueError) as e:
        raise DatasetError("not a whole tar", got=str(e), where=where) from e
