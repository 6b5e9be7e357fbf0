"""ShotListTask, the Task (execution/task_protocol.py) of rendering a list of shots, in this process or in several.

Whoever hands the shots out imports this module; what renders them (render_list.py) is imported where they are rendered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vrm_synth.dataset.shot_list.answers import Event, write_error
from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.atomic_files import make_folder

if TYPE_CHECKING:
    from vrm_synth.render import Compat


@dataclass(frozen=True)
class ShotListTask:
    """Answer shots one by one into a folder.

    A shot that fails does not stop the others. RenderError where nothing can be drawn at all, and DatasetError where
    the folder cannot be written, do: no other shot would survive either.

    out: the folder of the answers.
    base: the folder that relative avatar paths start from.
    renderer, device, mips: as `open_backend` takes them.
    compat: "three-vrm" renders as that renderer does.
    """

    out: Path
    base: Path
    renderer: str
    device: int
    compat: Compat = "none"
    mips: Path | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[ListedShot], Iterator[Event]]]:
        """A function from an entry to its events; consecutive shots of one avatar read it once."""
        from vrm_synth.dataset.shot_list.render_list import ShotListRenderer
        from vrm_synth.render import open_backend

        with contextlib.closing(open_backend(self.renderer, self.device, self.mips)) as backend:
            yield ShotListRenderer(backend, self.out, self.base, self.compat).answer

    def on_crash(self, shot: ListedShot, exit_reason: str) -> tuple[Event]:
        """The answer of a shot whose process died."""
        error = f"shot {shot.id}: the worker process died while drawing it; got {exit_reason}"
        return (write_error(self.out, shot.id, error),)


def answer_shots(shots: Iterable[ListedShot], task: ShotListTask, workers: int = 1) -> Iterator[Event]:
    """Answer every entry into the task's folder, in this process or in several, avatar by avatar.

    Raises RenderError where nothing can be drawn at all, DatasetError where the folder cannot be written.
    """
    make_folder(task.out)
    groups: dict[str, list[ListedShot]] = {}
    for entry in shots:
        groups.setdefault(entry.avatar, []).append(entry)
    yield from run_task(task, groups.values(), workers)
