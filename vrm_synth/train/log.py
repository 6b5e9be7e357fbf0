"""RUN/log.jsonl: one line an update, each exactly once, whatever was killed between; and TensorBoard beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import TrainError
from vrm_synth.io.atomic_files import file_errors, to_json

NAME = "log.jsonl"


class Log:
    """Lines after `length` bytes are of steps that the checkpoint does not have: they are cut off and come again.

    step: of the checkpoint. Raises TrainError where the file is shorter than the checkpoint knows it.
    """

    def __init__(self, run: Path, length: int, step: int, tensorboard: bool = True):
        path = run / NAME
        with file_errors(path, "written"):
            self._file = path.open("ab")
            if self._file.tell() < length:
                got = f"{self._file.tell()} bytes"
                raise TrainError("the log is shorter than at the last checkpoint", got=got, allowed=length, where=path)
            self._file.truncate(length)
        self._board = _board(run / "tensorboard", step) if tensorboard else None

    def add(self, line: Mapping[str, Any], shown: Mapping[str, float]) -> None:
        """A step's line. shown: what TensorBoard gets beside its numbers: speeds differ from one time to another,
        lines do not."""
        self._file.write((to_json(line) + "\n").encode())
        self._file.flush()
        if self._board is not None:
            numbers = {k: v for k, v in {**line, **shown}.items() if isinstance(v, float)}
            for name, value in numbers.items():
                self._board.add_scalar(f"train/{name}", value, line["step"])

    def length(self) -> int:
        """Bytes so far, all of them on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Let go of files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None  # log.jsonl has all of it
    return SummaryWriter(str(folder), purge_step=step + 1)
