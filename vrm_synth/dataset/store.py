"""Where a dataset's files lie: by name, each put whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vrm_synth.dataset.files import UNFINISHED, file_errors, make_folder, write_file


class Store(Protocol):
    """Files by name ("train/00000.tar"). Frozen and picklable. Every method raises DatasetError where it cannot."""

    def put_file(self, name: str, source: Path | bytes) -> None:
        """`source` under `name`: a reader sees the old file or the new one, never a part."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes under `name`."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file under `name`."""
        ...

    def list(self, folder: str = "") -> list[str]:
        """The names of all files in a folder and below it, sorted; none where there is no such folder."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; nothing where there is none."""
        ...


@dataclass(frozen=True)
class LocalStore:
    """Files below a folder. A file is on the disk (fsync) before it has its name, and its name before the next file
    is begun: a power cut, too, leaves no completion record without its shard."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def put_file(self, name: str, source: Path | bytes) -> None:
        path = self.folder / name
        new = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
        make_folder(path.parent)
        write_file(path, source, durable=True)
        with file_errors(path, "written"):
            for folder in (path.parent, *(made.parent for made in new)):
                _sync(folder)

    def read(self, name: str) -> bytes:
        with file_errors(self.folder / name, "read"):
            return (self.folder / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def list(self, folder: str = "") -> list[str]:
        top = self.folder / folder
        with file_errors(top, "read"):
            found = [Path(at, name) for at, _, names in os.walk(top) for name in names]
        return sorted(str(p.relative_to(self.folder)) for p in found if not p.name.endswith(UNFINISHED))

    def delete(self, name: str) -> None:
        with file_errors(self.folder / name, "removed"):
            (self.folder / name).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what writers that died have left unfinished."""
        with file_errors(self.folder, "read"):
            for path in self.folder.rglob(f".*{UNFINISHED}"):
                path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """What a folder's files are called is on the disk, too."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
