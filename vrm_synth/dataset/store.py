"""Where a dataset's files lie: by name, put whole or not at all."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vrm_synth.dataset.files import file_errors, make_folder


class Store(Protocol):
    """Files by name. Every method raises DatasetError where the store refuses."""

    def put_file(self, name: str, source: Path | bytes) -> None: ...

    def read(self, name: str) -> bytes: ...

    def exists(self, name: str) -> bool: ...

    def list(self, folder: str = "") -> list[str]: ...

    def delete(self, name: str) -> None: ...


@dataclass(frozen=True)
class LocalStore:
    folder: Path

    def put_file(self, name: str, source: Path | bytes) -> None:
        path = self.folder / name
        make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        with file_errors(path, "written"):
            if isinstance(source, bytes):
                temporary.write_bytes(source)
            else:
                shutil.copyfile(source, temporary)
            os.replace(temporary, path)

    def read(self, name: str) -> bytes:
        with file_errors(self.folder / name, "read"):
            return (self.folder / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def list(self, folder: str = "") -> list[str]:
        top = self.folder / folder
        return sorted(
            str(p.relative_to(self.folder)) for p in top.rglob("*") if p.is_file() and not p.name.endswith(".part")
        )

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
