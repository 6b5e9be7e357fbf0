"""Answers to a list of shots: `<id>.png` and `<id>.json` for each, or the error that it failed with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vrm_synth.io.atomic_files import file_errors, to_json, write_file


@dataclass(frozen=True)
class LoadedAvatar:
    """Event: an avatar was read.

    source: what its shots name.
    sha256: of its file, hexadecimal.
    license: as the file names it, "" where it does not.
    """

    source: str
    sha256: str
    license: str


@dataclass(frozen=True)
class ShotAnswer:
    """Event: a shot was answered.

    id: the shot's.
    error: "", or one line about what failed.
    """

    id: str
    error: str = ""


Event = LoadedAvatar | ShotAnswer


def write_error(out: Path, shot_id: str, error: str) -> ShotAnswer:
    """Write the answer of a shot that failed, and remove the picture of an earlier run, which must not pass for its
    own."""
    stale = out / f"{shot_id}.png"
    with file_errors(stale, "removed"):
        stale.unlink(missing_ok=True)
    write_answer(out, {"id": shot_id, "error": error})
    return ShotAnswer(shot_id, error)


def write_answer(out: Path, content: dict[str, object]) -> None:
    """Write `<id>.json`."""
    write_file(out / f"{content['id']}.json", (to_json(content) + "\n").encode())
