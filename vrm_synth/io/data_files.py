"""The data files of a dataset's folder, and the files that look like data and are excluded, with the reason.

Training and previews walk folders by these rules. Linked folders are followed, each folder once. Hidden files
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
from vrm_synth.io.split_names import SplitRule, canonical_split, card_patterns, select_split, split_label, split_rule

_MAX_CARD_BYTES = 1 << 20  # bytes
MAX_DEPTH = 16  # folders


class Exclusion(NamedTuple):
    """Something that is not read.

    key: the file, folder, member or row.
    reason: one of few, so that exclusions can be counted by it.
    detail: particulars of this one.
    """

    key: str
    reason: str
    detail: str

    @staticmethod
    def of(key: str, e: VrmSynthError) -> Exclusion:
        """The exclusion of what raised an error."""
        return Exclusion(key, e.what, str(e))


@dataclass(frozen=True)
class DataFiles:
    """The data files below a folder.

    root: the folder.
    folders: those that were walked, relative to root, "." first.
    paths: of the data files, relative to root, sorted.
    exclusions: folders and files that were skipped.
    """

    root: Path
    folders: tuple[str, ...]
    paths: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]

    def with_suffix(self, *suffixes: str) -> list[str]:
        """The paths that end in one of the suffixes, in upper or lower case."""
        return [p for p in self.paths if p.lower().endswith(suffixes)]

    def with_name(self, *names: str) -> list[str]:
        """The paths of files of one of the names, in upper or lower case."""
        return [p for p in self.paths if p.rpartition("/")[2].lower() in names]


def find_data_files(root: Path) -> DataFiles:
    """Walk a folder and list the data files in and below it. Raises DatasetError where a folder cannot be read."""
    folders: list[str] = []
    paths: list[str] = []
    exclusions: list[Exclusion] = []
    visited = {_identity(root)}
    starts = ["."]  # the folder itself, then linked ones: a folder is found by its own name before it is by a link
    while starts:
        for folder, subfolders, names in os.walk(root / starts.pop(0), onerror=_cannot_read):
            relative = os.path.relpath(folder, root)
            folders.append(relative)
            enter = []
            for name in sorted(subfolders):
                path = os.path.normpath(os.path.join(relative, name))
                linked = (root / path).is_symlink()
                reason = (
                    hidden_reason(path)
                    or _too_deep(path)
                    or (None if linked else _visited_before(root / path, visited))
                )
                if reason is not None:
                    exclusions += _exclude_folder(root, path, reason)
                elif linked:
                    starts.append(path)
                else:
                    enter.append(name)
            subfolders[:] = enter
            for name in filter(is_data, names):
                path = os.path.normpath(os.path.join(relative, name))
                why = hidden_reason(name)
                if why is None:
                    paths.append(path)
                else:
                    exclusions.append(Exclusion(path, *why))
        while starts and (reason := _visited_before(root / starts[0], visited)) is not None:
            exclusions += _exclude_folder(root, starts.pop(0), reason)
    return DataFiles(root, tuple(folders), tuple(sorted(paths)), tuple(exclusions))


def is_data(name: str) -> bool:
    """Return True for a file name that may hold samples or a part of them, for us or for others."""
    lower = name.lower()
    return lower in (METADATA_LINES, *UNREAD_LISTS) or lower.endswith(
        (*SHARD_SUFFIXES, *IMAGE_SUFFIXES, *CAPTION_SUFFIXES, *ARCHIVE_SUFFIXES, *UNREAD_IMAGE_SUFFIXES),
    )


def hidden_reason(path: str) -> tuple[str, str] | None:
    """(reason, detail) why a path on a disk or in an archive holds no data; None where it may."""
    if not path.startswith(".") and "/." not in path and "__MACOSX" not in path:
        return None  # the usual case, checked first: tars have millions of members
    parts = PurePosixPath(path).parts
    if any(p.startswith("._") or p == "__MACOSX" for p in parts):
        return "AppleDouble file", "macOS keeps a file's attributes in it"
    if any(p.startswith(".") and p != ".." for p in parts):
        return "hidden file", "its name starts with a dot"
    return None


class NoSplitError(DatasetError):
    """A dataset has splits, but none of the name that was asked for."""


def split_rule_of_folder(files: DataFiles, paths: Sequence[str], split: str) -> SplitRule:
    """The rule that says the split of each of these files: the folder's card, or else the rules for names."""
    patterns = card_patterns(_card(files.root))
    rule = split_rule(split, patterns)
    return rule if patterns and any(map(rule, paths)) else split_rule(split)  # a card may be of other files


def split_files(
    files: DataFiles, paths: Sequence[str], split: str, rule: SplitRule | None = None
) -> tuple[list[str], list[Exclusion]]:
    """Separate the paths of a split from the others. Raises NoSplitError."""
    in_split, others = select_split(paths, split, rule or split_rule_of_folder(files, paths, split))
    if paths and not in_split:
        names = sorted({split_label(p, s) for p, s in others.items()} - {""})
        allowed = ", ".join(names) or "none: no file or folder is named for a split"
        raise NoSplitError("no such split", got=split, allowed=allowed, where=files.root)
    return in_split, [exclude_other_split(path, other) for path, other in others.items()]


def split_folder(folder: Path, split: str) -> Path | None:
    """The folder named after the split; None where it does not exist. Raises NoSplitError for an impossible name."""
    if not split or "/" in split or "\0" in split or split in (".", ".."):
        raise NoSplitError("not the name of a split", got=split, allowed="train, validation, test…", where=folder)
    return folder / split if (folder / split).is_dir() else None


def has_split(folder: Path, split: str) -> bool:
    """Return True where a folder's shards or lists, or a folder in it, are named for the split."""
    if not folder.is_dir() or split_folder(folder, split) is not None:
        return folder.is_dir()
    files = find_data_files(folder)
    paths = files.with_suffix(*SHARD_SUFFIXES) or files.with_name(METADATA_LINES)
    return canonical_split(split) in map(split_rule_of_folder(files, paths, split), paths)


def exclude_other_split(key: str, split: str) -> Exclusion:
    """The exclusion of a file of another split, or of none ("")."""
    return Exclusion(key, "of another split", split or "its name says none")


def excluded_beside_split(folder: Path, split: str) -> Iterator[Exclusion]:
    """The exclusions of the data beside the folder of the split's name, which is read alone."""
    with file_errors(folder, "read"):
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    captions = {e.name.rpartition(".")[0] for e in entries if e.name.lower().endswith(CAPTION_SUFFIXES)}
    for entry in entries:
        lower = entry.name.lower()
        if hidden_reason(entry.name) is not None or entry.name in (split, METADATA_TABLE):
            continue
        captioned = lower.endswith(IMAGE_SUFFIXES) and entry.name.rpartition(".")[0] in captions
        if captioned or (lower.endswith((*SHARD_SUFFIXES, METADATA_LINES, *UNREAD_LISTS)) and entry.is_file()):
            yield exclude_other_split(entry.name, f"only {split}/ is read")
        elif entry.is_dir() and _holds_data(Path(entry.path)):
            yield exclude_other_split(f"{entry.name}/", f"only {split}/ is read")


def _exclude_folder(root: Path, path: str, reason: tuple[str, str]) -> list[Exclusion]:
    """The exclusion of a folder, none where it holds no data."""
    return [Exclusion(f"{path}/", *reason)] if _holds_data(root / path) else []


def _too_deep(path: str) -> tuple[str, str] | None:
    return ("folder is too deep", f"allowed: {MAX_DEPTH} folders") if path.count("/") >= MAX_DEPTH else None


def _visited_before(folder: Path, visited: set[tuple[int, int]]) -> tuple[str, str] | None:
    identity = _identity(folder)
    if identity in visited:
        return "folder is linked again", "it is read where it was found first"
    visited.add(identity)
    return None


def _holds_data(folder: Path) -> bool:
    return any(is_data(name) for _, _, names in os.walk(folder) for name in names)


def _identity(folder: Path) -> tuple[int, int]:
    with file_errors(folder, "read"):
        status = os.stat(folder)
    return status.st_dev, status.st_ino


def _card(root: Path) -> str:
    try:
        with (root / DATASET_CARD).open("rb") as file:
            return file.read(_MAX_CARD_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""  # no card, or none that can be read: names say the splits


def _cannot_read(e: OSError) -> None:
    raise DatasetError(f"cannot be read: {e.strerror or e}", where=e.filename)
