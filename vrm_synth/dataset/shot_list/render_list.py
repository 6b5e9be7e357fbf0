"""One process's hand in answering shots: its renderer, and the avatar that it was last asked for."""

from __future__ import annotations

from collections.abc import Iterator

from vrm_synth.core.errors import AvatarError, ShotError, VrmSynthError
from vrm_synth.dataset.render_shot import answer, render_shot
from vrm_synth.dataset.shot_list.answers import Event, LoadedAvatar, ShotAnswer, ShotListTask, fail, write_answer
from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.demo_avatar.avatar_source import open_avatar
from vrm_synth.io.atomic_files import write_file
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.render import Renderer
from vrm_synth.vrm.model import Avatar
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


class ShotListWorker:
    """One process's share of the work: a renderer, and the avatar it was last asked for."""

    def __init__(self, task: ShotListTask, renderer: Renderer):
        self._task = task
        self._renderer = renderer
        self._source: str | None = None
        self._avatar: Avatar | Exception = KeyError()

    def answer(self, listed: ListedShot) -> Iterator[Event]:
        """Draw and write one shot."""
        try:
            shot = listed.shot()
        except ShotError as e:
            yield fail(listed.id, str(e), self._task.out)
            return
        source = shot.figure.avatar
        if source != self._source:
            self._source, self._avatar = source, self._open(source)
            if isinstance(self._avatar, Avatar):
                yield LoadedAvatar(self._avatar.source, self._avatar.sha256, self._avatar.meta.license.name)
        avatar, out = self._avatar, self._task.out
        if isinstance(avatar, Exception):
            yield fail(shot.id, _reason(avatar, f"{source}: "), out)
            return
        if listed.avatar_sha256 not in ("", avatar.sha256):
            what = "the avatar is another file than the one that the picture shows"
            changed = AvatarError(what, got=avatar.sha256, allowed=listed.avatar_sha256, where=avatar.source)
            yield fail(shot.id, str(changed), out)
            return
        try:
            posed, frame = render_shot(self._renderer, avatar, shot, self._task.compat)
            picture, told = encode_png(frame.rgba), answer(shot, posed, frame)
        except Exception as e:
            yield fail(shot.id, _reason(e, f"shot {shot.id}: "), out)
            return
        write_file(out / f"{shot.id}.png", picture)
        write_answer(out, told)
        yield ShotAnswer(shot.id)

    def _open(self, source: str) -> Avatar | Exception:
        try:
            avatar = open_avatar(source, self._task.base)
            return as_three_vrm(avatar) if self._task.compat == "three-vrm" else avatar
        except Exception as e:  # told of each of its shots
            return e


def _reason(e: Exception, where: str) -> str:
    # What a shot or an avatar can do wrong is a VrmSynthError; anything else is a fault of ours or the driver's,
    # and is told as such, but the other shots are still owed their answers.
    if isinstance(e, VrmSynthError):
        return str(e)
    return " ".join(f"{where}internal error: {type(e).__name__}: {e}".split())
