"""Writer of RUN/log.jsonl, one line an update, each once however often the run is killed; and of TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import TrainError
from vrm_synth.io.atomic_files import file_errors, to_json

NAME = "log.jsonl"


class TrainingLog:
    """Writer of a run's log.

    run: the run's folder.
    length: bytes of the log at the checkpoint that the run resumes from. Later lines are of updates that the checkpoint
        does not have: they are cut off, and written again as those updates are made again.
    step: updates done at that checkpoint.
    tensorboard: write event files, too, where TensorBoard is installed.

    Raises TrainError where the log is shorter than `length`.
    """

    def __init__(self, run: Path, length: int, step: int, tensorboard: bool = True):
        path = run / NAME
        with file_errors(path, "written"):
            self._file = path.open("ab")
            if self._file.tell() < length:
                got = f"{self._file.tell()} bytes"
                raise TrainError("the log is shorter than at the last checkpoint", got=got, allowed=length, where=path)
            self._file.truncate(length)
        self._board = _tensorboard_writer(run / "tensorboard", step) if tensorboard else None

    def add(self, line: Mapping[str, Any], measurements: Mapping[str, float]) -> None:
        """Write a step's line.

        line: what log.jsonl gets; the same for every run of this configuration.
        measurements: what TensorBoard alone gets beside the line's numbers: speeds, which differ between runs.
        """
        self._file.write((to_json(line) + "\n").encode())
        self._file.flush()
        if self._board is not None:
            numbers = {k: v for k, v in {**line, **measurements}.items() if isinstance(v, float)}
            for name, value in numbers.items():
                self._board.add_scalar(f"train/{name}", value, line["step"])

    def flushed_length(self) -> int:
        """Flush to the disk; returns the log's length in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def _tensorboard_writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None  # log.jsonl has the same
    return SummaryWriter(str(folder), purge_step=step + 1)
