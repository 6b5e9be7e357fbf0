"""Render the shots of a list one after the other and write their answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import AvatarError, ShotError, VrmSynthError
from vrm_synth.dataset.render_shot import answer, render_shot
from vrm_synth.dataset.shot_list.answers import Event, LoadedAvatar, ShotAnswer, write_answer, write_error
from vrm_synth.dataset.shot_list.reader import ListedShot
from vrm_synth.io.atomic_files import write_file
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.render import Compat, RenderBackend
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


class ShotListRenderer:
    """A process's renderer, with the avatar of its last shot.

    out: the folder of the answers; base: the folder that relative avatar paths start from; compat: as `render_shot`
    takes it.
    """

    def __init__(self, backend: RenderBackend, out: Path, base: Path, compat: Compat = "none"):
        self._backend, self._out, self._base, self._compat = backend, out, base, compat
        self._source: str | None = None
        self._avatar: Avatar | Exception = KeyError()

    def answer(self, entry: ListedShot) -> Iterator[Event]:
        """Render one shot and write its answer."""
        try:
            shot = entry.shot()
        except ShotError as e:
            yield write_error(self._out, entry.id, str(e))
            return
        source = shot.figure.avatar
        if source != self._source:
            self._source, self._avatar = source, self._open(source)
            if isinstance(self._avatar, Avatar):
                yield LoadedAvatar(self._avatar.source, self._avatar.sha256, self._avatar.meta.license.name)
        avatar, out = self._avatar, self._out
        if isinstance(avatar, Exception):
            yield write_error(out, shot.id, _reason(avatar, f"{source}: "))
            return
        if entry.avatar_sha256 not in ("", avatar.sha256):
            message = "the avatar is another file than the one that the picture shows"
            changed = AvatarError(message, got=avatar.sha256, allowed=entry.avatar_sha256, where=avatar.source)
            yield write_error(out, shot.id, str(changed))
            return
        try:
            posed, frame = render_shot(self._backend, avatar, shot, self._compat)
            picture, content = encode_png(frame.rgba), answer(shot, posed, frame)
        except Exception as e:
            yield write_error(out, shot.id, _reason(e, f"shot {shot.id}: "))
            return
        write_file(out / f"{shot.id}.png", picture)
        write_answer(out, content)
        yield ShotAnswer(shot.id)

    def _open(self, source: str) -> Avatar | Exception:
        try:
            avatar = open_avatar(source, self._base)
            return as_three_vrm(avatar) if self._compat == "three-vrm" else avatar
        except Exception as e:  # the answer of each of its shots
            return e


def _reason(e: Exception, where: str) -> str:
    # What a shot or an avatar can do wrong is a VrmSynthError; anything else is a fault of ours or the driver's,
    # and is reported as such, while the other shots still get their answers.
    if isinstance(e, VrmSynthError):
        return str(e)
    return " ".join(f"{where}internal error: {type(e).__name__}: {e}".split())
