"""The files of a dataset's folder that hold data, and those that look as if they did and are not read, with the reason.

Training and previews look through folders by these rules. Linked folders are followed, each folder once. Hidden files
and folders hold no data, nor does what macOS puts beside files on other disks (AppleDouble: `._x`, `__MACOSX`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from vrm_synth.core.errors import DatasetError, VrmSynthError
from vrm_synth.io.atomic_files import file_errors
from vrm_synth.io.file_names import (
    ARCHIVE_SUFFIXES,
    CAPTION_SUFFIXES,
    DATASET_CARD,
    IMAGE_SUFFIXES,
    METADATA_LINES,
    METADATA_TABLE,
    SHARD_SUFFIXES,
    UNREAD_IMAGE_SUFFIXES,
    UNREAD_LISTS,
)
from vrm_synth.io.split_names import Namer, called, canonical, card_patterns, choose, namer

_MAX_CARD_BYTES = 1 << 20  # bytes
MAX_DEPTH = 16  # folders


class Exclusion(NamedTuple):
    """What is not used. reason: one of few, to be counted; detail: this one's."""

    key: str
    reason: str
    detail: str

    @staticmethod
    def of(key: str, e: VrmSynthError) -> Exclusion:
        """With the error's words."""
        return Exclusion(key, e.what, str(e))


@dataclass(frozen=True)
class DataFiles:
    """What lies below a folder. Paths start from `root`.

    folders: all that were looked into, "." first. paths: files that hold data, sorted. left_out: what was not looked
    into or at.
    """

    root: Path
    folders: tuple[str, ...]
    paths: tuple[str, ...]
    left_out: tuple[Exclusion, ...]

    def ending(self, *suffixes: str) -> list[str]:
        """The paths whose names end so, in capitals, too."""
        return [p for p in self.paths if p.lower().endswith(suffixes)]

    def named(self, *names: str) -> list[str]:
        """The paths of files that are called so, in capitals, too."""
        return [p for p in self.paths if p.rpartition("/")[2].lower() in names]


def data_files(root: Path) -> DataFiles:
    """The data files in a folder and below. Raises DatasetError where one cannot be looked into."""
    folders: list[str] = []
    paths: list[str] = []
    left_out: list[Exclusion] = []
    seen = {_identity(root)}
    starts = ["."]  # the folder itself, then linked ones: a folder is found by its own name before it is by a link
    while starts:
        for folder, below, names in os.walk(root / starts.pop(0), onerror=_cannot_read):
            relative = os.path.relpath(folder, root)
            folders.append(relative)
            enter = []
            for name in sorted(below):
                path = os.path.normpath(os.path.join(relative, name))
                linked = (root / path).is_symlink()
                reason = hidden(path) or _too_deep(path) or (None if linked else _again(root / path, seen))
                if reason is not None:
                    left_out += _folder_left_out(root, path, reason)
                elif linked:
                    starts.append(path)
                else:
                    enter.append(name)
            below[:] = enter
            for name in filter(is_data, names):
                path = os.path.normpath(os.path.join(relative, name))
                why = hidden(name)
                if why is None:
                    paths.append(path)
                else:
                    left_out.append(Exclusion(path, *why))
        while starts and (reason := _again(root / starts[0], seen)) is not None:
            left_out += _folder_left_out(root, starts.pop(0), reason)
    return DataFiles(root, tuple(folders), tuple(sorted(paths)), tuple(left_out))


def is_data(name: str) -> bool:
    """Whether a file of this name may hold samples or a part of them, for us or for others."""
    lower = name.lower()
    return lower in (METADATA_LINES, *UNREAD_LISTS) or lower.endswith(
        (*SHARD_SUFFIXES, *IMAGE_SUFFIXES, *CAPTION_SUFFIXES, *ARCHIVE_SUFFIXES, *UNREAD_IMAGE_SUFFIXES),
    )


def hidden(path: str) -> tuple[str, str] | None:
    """(reason, detail) why a path on a disk or in an archive holds no data, None where it may."""
    if not path.startswith(".") and "/." not in path and "__MACOSX" not in path:
        return None  # as nearly all are: millions of members are asked for
    parts = PurePosixPath(path).parts
    if any(p.startswith("._") or p == "__MACOSX" for p in parts):
        return "AppleDouble file", "macOS keeps a file's attributes in it"
    if any(p.startswith(".") and p != ".." for p in parts):
        return "hidden file", "its name starts with a dot"
    return None


class NoSplitError(DatasetError):
    """The dataset has splits, but none of that name."""


def names_of_splits(found: DataFiles, paths: Sequence[str], split: str) -> Namer:
    """How these files of the folder are named for splits: by its card, or else by the rules for names."""
    patterns = card_patterns(_card(found.root))
    named = namer(split, patterns)
    return named if patterns and any(map(named, paths)) else namer(split)  # a card may be of other files


def split_files(
    found: DataFiles, paths: Sequence[str], split: str, named: Namer | None = None
) -> tuple[list[str], list[Exclusion]]:
    """Those of the paths that are of the split, and the others. Raises NoSplitError."""
    mine, others = choose(paths, split, named or names_of_splits(found, paths, split))
    if paths and not mine:
        names = sorted({called(p, s) for p, s in others.items()} - {""})
        allowed = ", ".join(names) or "none: no file or folder is named for a split"
        raise NoSplitError("no such split", got=split, allowed=allowed, where=found.root)
    return mine, [of_another_split(path, other) for path, other in others.items()]


def split_folder(place: Path, split: str) -> Path | None:
    """The folder that is called like the split, where there is one. Raises NoSplitError for what is no name."""
    if not split or "/" in split or "\0" in split or split in (".", ".."):
        raise NoSplitError("not the name of a split", got=split, allowed="train, validation, test…", where=place)
    return place / split if (place / split).is_dir() else None


def has_split(place: Path, split: str) -> bool:
    """Whether a folder's shards or lists, or a folder in it, are named for the split."""
    if not place.is_dir() or split_folder(place, split) is not None:
        return place.is_dir()
    found = data_files(place)
    paths = found.ending(*SHARD_SUFFIXES) or found.named(METADATA_LINES)
    return canonical(split) in map(names_of_splits(found, paths, split), paths)


def of_another_split(key: str, split: str) -> Exclusion:
    """What is named for another split than the one that is read, or for none ("")."""
    return Exclusion(key, "of another split", split or "its name says none")


def beside_split(place: Path, split: str) -> Iterator[Exclusion]:
    """What lies in a folder beside its folder that is called like the split, which is read alone."""
    with file_errors(place, "read"):
        entries = sorted(os.scandir(place), key=lambda e: e.name)
    captions = {e.name.rpartition(".")[0] for e in entries if e.name.lower().endswith(CAPTION_SUFFIXES)}
    for entry in entries:
        lower = entry.name.lower()
        if hidden(entry.name) is not None or entry.name in (split, METADATA_TABLE):
            continue
        captioned = lower.endswith(IMAGE_SUFFIXES) and entry.name.rpartition(".")[0] in captions
        if captioned or (lower.endswith((*SHARD_SUFFIXES, METADATA_LINES, *UNREAD_LISTS)) and entry.is_file()):
            yield of_another_split(entry.name, f"only {split}/ is read")
        elif entry.is_dir() and _holds_data(Path(entry.path)):
            yield of_another_split(f"{entry.name}/", f"only {split}/ is read")


def _folder_left_out(root: Path, path: str, reason: tuple[str, str]) -> list[Exclusion]:
    """Nothing where no data lies in it."""
    return [Exclusion(f"{path}/", *reason)] if _holds_data(root / path) else []


def _too_deep(path: str) -> tuple[str, str] | None:
    return ("folder is too deep", f"allowed: {MAX_DEPTH} folders") if path.count("/") >= MAX_DEPTH else None


def _again(folder: Path, seen: set[tuple[int, int]]) -> tuple[str, str] | None:
    identity = _identity(folder)
    if identity in seen:
        return "folder is linked again", "it is read where it was found first"
    seen.add(identity)
    return None


def _holds_data(folder: Path) -> bool:
    return any(is_data(name) for _, _, names in os.walk(folder) for name in names)


def _identity(folder: Path) -> tuple[int, int]:
    with file_errors(folder, "read"):
        found = os.stat(folder)
    return found.st_dev, found.st_ino


def _card(root: Path) -> str:
    try:
        with (root / DATASET_CARD).open("rb") as file:
            return file.read(_MAX_CARD_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""  # no card, or none that can be read: names say the splits


def _cannot_read(e: OSError) -> None:
    raise DatasetError(f"cannot be read: {e.strerror or e}", where=e.filename)
