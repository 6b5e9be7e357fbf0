"""Answering a list of shots: `<id>.png` and `<id>.json` for each, or what went wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrm_synth.avatar.compat import as_three_vrm
from vrm_synth.avatar.model import Avatar
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.files import file_errors, to_json, write_file
from vrm_synth.dataset.shotlist import Listed
from vrm_synth.dataset.take import answer, take
from vrm_synth.render.base import Compat, Renderer
from vrm_synth.shot import Shot

Batch = tuple[Shot, ...]  # shots of one avatar


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


def batches(listed: Iterable[Listed], workers: int = 1) -> list[Batch]:
    """The well-formed shots grouped by avatar, so that each is read once; for several workers in parts
    small enough that all have something to do."""
    groups: dict[str, list[Shot]] = {}
    for entry in listed:
        if entry.shot is not None:
            groups.setdefault(entry.shot.avatar, []).append(entry.shot)
    total = sum(map(len, groups.values()))
    longest = max(1, math.ceil(total / (4 * workers))) if workers > 1 else max(1, total)
    return [tuple(g[i : i + longest]) for g in groups.values() for i in range(0, len(g), longest)]


def answer_malformed(listed: Iterable[Listed], out: Path) -> Iterator[Event]:
    """The answers of the entries that are no shots."""
    for entry in listed:
        if entry.shot is None:
            yield fail(entry.id, entry.error, out)


def answer_batch(
    renderer: Renderer,
    open_avatar: Callable[[str], Avatar],
    batch: Sequence[Shot],
    out: Path,
    compat: Compat = "none",
) -> Iterator[Event]:
    """Render `batch`, shots of one avatar, into the folder `out`; one that fails does not stop the others.

    Raises DatasetError where the folder cannot be written, which no other shot would survive either.
    """
    try:
        avatar = open_avatar(batch[0].avatar)
        avatar = as_three_vrm(avatar) if compat == "three-vrm" else avatar
    except Exception as e:
        for shot in batch:
            yield fail(shot.id, _reason(e, f"{shot.avatar}: "), out)
        return
    yield Loaded(avatar.source, avatar.sha256, avatar.meta.licence.name)
    for shot in batch:
        try:
            posed, frame = take(renderer, avatar, shot, compat)
            picture, told = encode_png(frame.rgba), answer(shot, posed, frame)
        except Exception as e:
            yield fail(shot.id, _reason(e, f"shot {shot.id}: "), out)
            continue
        write_file(out / f"{shot.id}.png", picture)
        _write_answer(out, told)
        yield Done(shot.id)


def fail(shot_id: str, error: str, out: Path) -> Done:
    """Write the answer of a shot that failed; a picture from an earlier run must not pass for its own."""
    stale = out / f"{shot_id}.png"
    with file_errors(stale, "removed"):
        stale.unlink(missing_ok=True)
    _write_answer(out, {"id": shot_id, "error": error})
    return Done(shot_id, error)


def _write_answer(out: Path, told: dict[str, object]) -> None:
    write_file(out / f"{told['id']}.json", (to_json(told, indent=1) + "\n").encode())


def _reason(e: Exception, where: str) -> str:
    # What a shot or an avatar can do wrong is a VrmSynthError; anything else is a fault of ours or the driver's,
    # and is told as such, but the other shots are still owed their answers.
    if isinstance(e, VrmSynthError):
        return str(e)
    return " ".join(f"{where}internal error: {type(e).__name__}: {e}".split())
