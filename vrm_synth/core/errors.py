"""One family of errors; each is a single line that says what, got, allowed and where."""

from __future__ import annotations

import traceback
from pathlib import Path


class VrmSynthError(Exception):
    """An error a user can act on.

    what: the rule that was broken, in a few words.
    got: the offending value, shown shortened.
    allowed: what would have been accepted.
    where: the file, and the place in it ("avatar.vrm: accessors[3].bufferView").
    details: more lines for a terminal, where one error is about several things.
    """

    details: tuple[str, ...] = ()

    def __init__(self, what: str, *, got: object = None, allowed: object = None, where: object = None):
        self.what, self.got, self.allowed, self.where = what, got, allowed, where
        parts = [what]
        if got is not None:
            parts.append(f"got {_short(got)}")
        if allowed is not None:
            parts.append(f"allowed: {_short(allowed, 2000)}")
        text = "; ".join(parts)
        super().__init__(_one_line(f"{where}: {text}" if where is not None else text))

    def at(self, where: object) -> VrmSynthError:
        """The same error, placed inside `where` (a file, a shot, a line)."""
        outer = str(where) if self.where is None else f"{where}: {self.where}"
        error = type(self)(self.what, got=self.got, allowed=self.allowed, where=outer)
        error.details = self.details
        return error


class AvatarError(VrmSynthError):
    """The avatar file is not one we can draw truthfully."""


class LicenseError(VrmSynthError):
    """The avatar's license was not accepted."""


class UnusableAvatarsError(VrmSynthError):
    """Several avatars of a recipe cannot be used; `details` has a line for each."""


class RecipeError(VrmSynthError):
    """The recipe, or a pose or camera preset, is not valid."""


class ShotError(VrmSynthError):
    """A shot description is not valid, or does not fit its avatar."""


class RenderError(VrmSynthError):
    """Drawing failed, or the machine lacks what it needs."""


class DatasetError(VrmSynthError):
    """The dataset folder cannot be written or read as asked."""


class StoreError(DatasetError):
    """A place for files does not answer, or refuses: nothing is known of what lies there."""


class ExtraError(DatasetError):
    """An optional library is missing, one of pyproject.toml's extras: nothing is known of what it was wanted for."""


class ModelError(VrmSynthError):
    """The base model, a run's checkpoint or a file of weights cannot be used."""


class TrainError(VrmSynthError):
    """The training run cannot begin, or go on."""


def unexpected(e: Exception) -> VrmSynthError:
    """Any exception as one of ours: what to do where memory ran out, where in our code it was where nobody knows."""
    if isinstance(e, VrmSynthError):
        return e
    if isinstance(e, MemoryError):
        return RenderError("out of memory", allowed="fewer workers, smaller pictures, or more memory")
    frames = traceback.extract_tb(e.__traceback__)
    ours = [f for f in frames if Path(__file__).parents[1] in Path(f.filename).parents] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else None
    return RenderError("an error that should not be", got=f"{type(e).__name__}: {e}", where=place)


def _short(value: object, limit: int = 120) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(text: str) -> str:
    # Names come from strangers' files: no newline or control character may reach a terminal or a log.
    return "".join(c if c.isprintable() else " " for c in text)
