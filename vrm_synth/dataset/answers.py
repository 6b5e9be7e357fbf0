"""Answering a list of shots: `<id>.png` and `<id>.json` for each, or what went wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vrm_synth.avatar import open_avatar
from vrm_synth.avatar.compat import as_three_vrm
from vrm_synth.avatar.model import Avatar
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.files import file_errors, make_folder, to_json, write_file
from vrm_synth.dataset.shotlist import Listed
from vrm_synth.dataset.take import answer, take
from vrm_synth.dataset.workers import work
from vrm_synth.render import Compat, Renderer, open_renderer
from vrm_synth.shot import Shot


@dataclass(frozen=True)
class Loaded:
    """An avatar was read. sha256: of its file; licence: as the file names it, "" where it does not."""

    source: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Done:
    """A shot has its answer; error: "" or what went wrong, one line."""

    id: str
    error: str = ""


Event = Loaded | Done


@dataclass(frozen=True)
class Answering:
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
    def opened(self) -> Iterator[Callable[[Shot], Iterator[Event]]]:
        """Shot → what is told of it; shots of one avatar in a row read it once."""
        with contextlib.closing(open_renderer(self.renderer, self.device, self.mips)) as renderer:
            yield _Hand(self, renderer).answer

    def lost(self, shot: Shot, how: str) -> tuple[Event]:
        """The answer of a shot whose process died."""
        return (fail(shot.id, f"shot {shot.id}: the worker process died while drawing it; got {how}", self.out),)


def answer_shots(listed: Iterable[Listed], task: Answering, workers: int = 1) -> Iterator[Event]:
    """Answer every entry into the task's folder, in this process or in several; the answers are the same.

    Raises RenderError where nothing can be drawn at all, DatasetError where the folder cannot be written.
    """
    make_folder(task.out)
    groups: dict[str, list[Shot]] = {}
    for entry in listed:
        if entry.shot is None:
            yield fail(entry.id, entry.error, task.out)
        else:
            groups.setdefault(entry.shot.avatar, []).append(entry.shot)
    if groups:
        yield from work(task, groups.values(), workers)


class _Hand:
    """One process's share of the work: a renderer, and the avatar it was last asked for."""

    def __init__(self, task: Answering, renderer: Renderer):
        self._task = task
        self._renderer = renderer
        self._source: str | None = None
        self._avatar: Avatar | Exception = KeyError()

    def answer(self, shot: Shot) -> Iterator[Event]:
        """Draw and write one shot."""
        if shot.avatar != self._source:
            self._source, self._avatar = shot.avatar, self._open(shot.avatar)
            if isinstance(self._avatar, Avatar):
                yield Loaded(self._avatar.source, self._avatar.sha256, self._avatar.meta.licence.name)
        avatar, out = self._avatar, self._task.out
        if isinstance(avatar, Exception):
            yield fail(shot.id, _reason(avatar, f"{shot.avatar}: "), out)
            return
        try:
            posed, frame = take(self._renderer, avatar, shot, self._task.compat)
            picture, told = encode_png(frame.rgba), answer(shot, posed, frame)
        except Exception as e:
            yield fail(shot.id, _reason(e, f"shot {shot.id}: "), out)
            return
        write_file(out / f"{shot.id}.png", picture)
        _write_answer(out, told)
        yield Done(shot.id)

    def _open(self, source: str) -> Avatar | Exception:
        try:
            avatar = open_avatar(source, self._task.base)
            return as_three_vrm(avatar) if self._task.compat == "three-vrm" else avatar
        except Exception as e:  # told of each of its shots
            return e


def fail(shot_id: str, error: str, out: Path) -> Done:
    """Write the answer of a shot that failed; a picture from an earlier run must not pass for its own."""
    stale = out / f"{shot_id}.png"
    with file_errors(stale, "removed"):
        stale.unlink(missing_ok=True)
    _write_answer(out, {"id": shot_id, "error": error})
    return Done(shot_id, error)


def _write_answer(out: Path, told: dict[str, object]) -> None:
    write_file(out / f"{told['id']}.json", (to_json(told) + "\n").encode())


def _reason(e: Exception, where: str) -> str:
    # What a shot or an avatar can do wrong is a VrmSynthError; anything else is a fault of ours or the driver's,
    # and is told as such, but the other shots are still owed their answers.
    if isinstance(e, VrmSynthError):
        return str(e)
    return " ".join(f"{where}internal error: {type(e).__name__}: {e}".split())
