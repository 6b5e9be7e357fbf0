"""The avatars of a recipe: paths, folders, globs and members of the built-in family → one source string each."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.names import is_control_free
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.yaml_models.strict_yaml import RefusedError

_DEMO = re.compile(r"demo(:.*)?", re.DOTALL)
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
MAX_FILES = 100_000
MAX_NAMED = 5  # files left out, in a note
ALLOWED = "a .vrm file, a folder, a glob, demo, demo:3, demo:0..7 or demo:hair_color=pink,…"

MAX_PATH_LENGTH = 4096  # characters, Linux's PATH_MAX
Note = Callable[[str], object]


def resolve_avatars(entry: object, base: Path, note: Note = lambda line: None) -> tuple[str, ...]:
    """The avatar sources that one entry of a recipe's list names; files are absolute, globs and folders sorted.

    base: the recipe's folder, which relative paths start from, whatever its name; note: called with a line about
    .vrm names of a folder or a glob that are left out because they are no avatar files. Raises RefusedError.
    """
    if not isinstance(entry, str) or not is_control_free(entry, MAX_PATH_LENGTH):
        raise RefusedError("not an avatar", ALLOWED)
    if is_built_in(entry):
        return _built_in_sources(entry)
    path = base / Path(entry).expanduser()
    if path.is_dir():
        files = [p for p in path.iterdir() if p.suffix.lower() == ".vrm"]
        return _avatar_files(entry, files, f"the folder has no .vrm file{_subfolder_hint(path)}", note)
    if path.is_file():
        return (str(path.absolute()),)
    if glob.has_magic(entry):
        return _avatar_files(entry, _matching(entry, base), "the glob matches no file", note)
    raise RefusedError(f"no such file{did_you_mean(path.name, names_beside(path))}", ALLOWED)


def is_built_in(entry: str) -> bool:
    """True for an entry that names the built-in avatar or members of its family."""
    return _DEMO.fullmatch(entry) is not None


def _matching(entry: str, base: Path) -> list[Path]:
    """The paths that match a pattern; folders at its beginning that are there by that very name are no pattern."""
    user, _, rest = entry.partition("/")
    if entry.startswith("~"):
        home, entry = Path(user).expanduser(), rest
    else:
        home = Path("/") if entry.startswith("/") else base
    segments = entry.strip("/").split("/")
    while len(segments) > 1 and (home / segments[0]).is_dir():
        home, segments = home / segments[0], segments[1:]
    return [home / name for name in glob.iglob("/".join(segments), root_dir=home, recursive=True)]


def _avatar_files(entry: str, paths: Iterable[Path], empty: str, note: Note) -> tuple[str, ...]:
    vrm_files, left_out = [], []
    for path in sorted(set(paths)):
        why = _exclusion_reason(path)
        if not why:
            vrm_files.append(path)
        elif path.suffix.lower() == ".vrm":
            left_out.append(f"{path.name} ({why})")
    if left_out:
        more = f" and {len(left_out) - MAX_NAMED} more" if len(left_out) > MAX_NAMED else ""
        note(f"{entry}: passed over {', '.join(left_out[:MAX_NAMED])}{more}")
    if not vrm_files:
        raise RefusedError(empty, ALLOWED)
    if len(vrm_files) > MAX_FILES:
        raise RefusedError(f"{len(vrm_files)} files", f"up to {MAX_FILES}")
    return tuple(str(p.absolute()) for p in vrm_files)


def _exclusion_reason(path: Path) -> str:
    """The reason to leave out a path that a folder or a glob names; "" for an avatar's file."""
    if path.name.startswith("._"):
        return "macOS's file of attributes"
    if path.is_file():
        return "hidden" if path.name.startswith(".") else ""
    if path.is_dir():
        return "a folder"
    return "a dangling link" if path.is_symlink() else "not a file"


def names_beside(path: Path) -> list[str]:
    """The names in the folder that a path names something in."""
    try:
        return sorted(os.listdir(path.parent))[:MAX_FILES]
    except OSError:
        return []


def _subfolder_hint(folder: Path) -> str:
    """A hint, for an error message, where the avatars lie in the folder's own folders; else ""."""
    deeper = next((p for p in folder.glob("*/*") if p.suffix.lower() == ".vrm" and p.is_file()), None)
    return "" if deeper is None else f"; its folders have: write {folder.name}/**/*.vrm"


def _built_in_sources(entry: str) -> tuple[str, ...]:
    _, _, arguments = entry.partition(":")
    several = _RANGE.fullmatch(arguments)
    if several:
        first, last = int(several[1]), int(several[2])
        if not first <= last < first + MAX_FILES:
            raise RefusedError("not a range of the built-in family", f"demo:FIRST..LAST, up to {MAX_FILES} of them")
        return tuple(f"demo:{n}" for n in range(first, last + 1))
    if entry != "demo" and not (arguments.isdecimal() and arguments.isascii()):
        # The generator is heavy and only this spelling needs its parameters.
        from vrm_synth.builtin_avatar import DemoParams

        try:
            DemoParams.parse(arguments.split(","))
        except AvatarError as e:
            raise RefusedError(f"{e.what} ({e.got})", str(e.allowed or ALLOWED)) from None
    return (entry,)
