"""Answering a list of shots: `<id>.png` and `<id>.json` for each, or what went wrong with it.

Whoever hands the shots out imports this file; what draws them (hand.py) is imported where they are drawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.execution.process_pool import work
from vrm_synth.io.atomic_files import file_errors, make_folder, to_json, write_file

if TYPE_CHECKING:
    from vrm_synth.render import Compat


@dataclass(frozen=True)
class LoadedAvatar:
    """An avatar was read. sha256: of its file; license: as the file names it, "" where it does not."""

    source: str
    sha256: str
    license: str


@dataclass(frozen=True)
class ShotAnswer:
    """A shot has its answer; error: "" or what went wrong, one line."""

    id: str
    error: str = ""


Event = LoadedAvatar | ShotAnswer


@dataclass(frozen=True)
class ShotListTask:
    """The task of answering shots, `take`n one by one, into the folder `out`.

    base: the folder that relative avatar paths start from; renderer, device, mips: as open_renderer takes them.
    A shot that fails does not stop the others. RenderError where nothing can be drawn at all, and DatasetError
    where the folder cannot be written, do: no other shot would survive either.
    """

    out: Path
    base: Path
    renderer: str
    device: int
    compat: Compat = "none"
    mips: Path | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[ListedShot], Iterator[Event]]]:
        """Entry → what is told of it; shots of one avatar in a row read it once."""
        from vrm_synth.dataset.shot_list.render_list import ShotListWorker
        from vrm_synth.render import open_renderer

        with contextlib.closing(open_renderer(self.renderer, self.device, self.mips)) as renderer:
            yield ShotListWorker(self, renderer).answer

    def lost(self, shot: ListedShot, how: str) -> tuple[Event]:
        """The answer of a shot whose process died."""
        return (fail(shot.id, f"shot {shot.id}: the worker process died while drawing it; got {how}", self.out),)


def answer_shots(listed: Iterable[ListedShot], task: ShotListTask, workers: int = 1) -> Iterator[Event]:
    """Answer every entry into the task's folder, in this process or in several, avatar by avatar.

    Raises RenderError where nothing can be drawn at all, DatasetError where the folder cannot be written.
    """
    make_folder(task.out)
    groups: dict[str, list[ListedShot]] = {}
    for entry in listed:
        groups.setdefault(entry.avatar, []).append(entry)
    yield from work(task, groups.values(), workers)


def fail(shot_id: str, error: str, out: Path) -> ShotAnswer:
    """Write the answer of a shot that failed; a picture from an earlier run must not pass for its own."""
    stale = out / f"{shot_id}.png"
    with file_errors(stale, "removed"):
        stale.unlink(missing_ok=True)
    write_answer(out, {"id": shot_id, "error": error})
    return ShotAnswer(shot_id, error)


def write_answer(out: Path, told: dict[str, object]) -> None:
    """`<id>.json`."""
    write_file(out / f"{told['id']}.json", (to_json(told) + "\n").encode())
