"""The avatars of a recipe: paths, folders, globs and members of the built-in family → one source string each."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from vrm_synth.core.errors import AvatarError
from vrm_synth.strict_yaml import RefusedError

_DEMO = re.compile(r"demo(:.*)?", re.DOTALL)
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
MOST = 100_000
ALLOWED = "a .vrm file, a folder, a glob, demo, demo:3, demo:0..7 or demo:hair_color=pink,…"


def resolve(entry: object, base: Path) -> tuple[str, ...]:
    """What `open_avatar` takes, for one entry of a recipe's list; files are absolute, globs and folders sorted.

    base: the recipe's folder, which relative paths start from. Raises RefusedError.
    """
    if not isinstance(entry, str) or not entry or not entry.isprintable() or len(entry) > 4096:
        raise RefusedError("not an avatar", ALLOWED)
    if _DEMO.fullmatch(entry):
        return _demo(entry)
    path = base / Path(entry).expanduser()
    if path.is_dir():
        return _several(sorted(p for p in path.iterdir() if p.suffix.lower() == ".vrm"), "the folder has no .vrm file")
    if path.is_file():
        return (str(path.absolute()),)
    if glob.has_magic(entry):
        found = glob.iglob(str(path), recursive=True)
        return _several(sorted(Path(p) for p in found if Path(p).is_file()), "the glob matches no file")
    raise RefusedError("no such file", ALLOWED)


def _several(paths: list[Path], empty: str) -> tuple[str, ...]:
    if not paths:
        raise RefusedError(empty, ALLOWED)
    if len(paths) > MOST:
        raise RefusedError(f"{len(paths)} files", f"up to {MOST}")
    return tuple(str(p.absolute()) for p in paths)


def _demo(entry: str) -> tuple[str, ...]:
    _, _, arguments = entry.partition(":")
    several = _RANGE.fullmatch(arguments)
    if several:
        first, last = int(several[1]), int(several[2])
        if not first <= last < first + MOST:
            raise RefusedError("not a range of the built-in family", f"demo:FIRST..LAST, up to {MOST} of them")
        return tuple(f"demo:{n}" for n in range(first, last + 1))
    if entry != "demo" and not (arguments.isdecimal() and arguments.isascii()):
        # The generator is heavy and only this spelling needs its parameters.
        from vrm_synth.avatar.demo import DemoParams

        try:
            DemoParams.parse(arguments.split(","))
        except AvatarError as e:
            raise RefusedError(f"{e.what} ({e.got})", str(e.allowed or ALLOWED)) from None
    return (entry,)
