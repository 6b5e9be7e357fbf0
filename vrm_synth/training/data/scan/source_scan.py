"""Scan a source of training data, a folder or a shard, in the order of the files' names.

The layout of a folder follows from its files: WebDataset tars, Parquet files with embedded pictures, metadata.jsonl
with pictures that it lists, or pictures with a .txt of the same name beside them. Whatever looks like data and is not
read is excluded with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.data_files import (
    DataFiles,
    Exclusion,
    exclude_other_split,
    excluded_beside_split,
    find_data_files,
    split_files,
    split_folder,
    split_rule_of_folder,
)
from vrm_synth.io.file_names import (
    ARCHIVE_SUFFIXES,
    CAPTION_SUFFIXES,
    IMAGE_SUFFIXES,
    METADATA_LINES,
    UNREAD_IMAGE_SUFFIXES,
    UNREAD_LISTS,
)
from vrm_synth.io.split_names import SplitRule, canonical_split
from vrm_synth.training.data.scan.folder_scan import exclude_unnamed, scan_metadata_jsonl, scan_texts
from vrm_synth.training.data.scan.parquet_scan import has_image_column, scan_parquet
from vrm_synth.training.data.scan.scanned_sample import Columns, ScanResults
from vrm_synth.training.data.scan.sibling_files import SiblingFiles
from vrm_synth.training.data.scan.tar_scan import scan_tar


def _no_other_split(path: str) -> str | None:
    """`Layout.other_split_of` where file names do not indicate a split."""
    return None


class Layout(NamedTuple):
    """The files of a source.

    kind: tar, parquet, listed (metadata.jsonl) or texts (pictures with .txt captions).
    root: the folder that paths are relative to.
    parts: what is scanned one after the other: shards, metadata.jsonl files, or folders of pictures.
    folders: all folders that were walked.
    names: folder → its pictures and captions (texts), or the pictures that lists should list (listed).
    other_split_of: path of a picture → name of its split, "" for none; None where that is the split to read.
    exclusions: files that are not read, with the reasons.
    """

    kind: str
    root: Path
    parts: tuple[str, ...]
    folders: tuple[str, ...] = ()
    names: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    other_split_of: Callable[[str], str | None] = _no_other_split
    exclusions: tuple[Exclusion, ...] = ()

    def files(self) -> set[Path]:
        """The files that are read: shards, or pictures."""
        if self.kind in ("tar", "parquet"):
            return {self.root / part for part in self.parts}
        names = ((folder, name) for folder, several in self.names.items() for name in several)
        return {self.root / folder / name for folder, name in names if name.lower().endswith(IMAGE_SUFFIXES)}


def find_layout(path: Path, split: str) -> Layout:
    """Find the layout of a source, of a dataset with splits that of one split. Raises DatasetError."""
    if path.is_file():
        kind = {".tar": "tar", ".parquet": "parquet", ".jsonl": "listed"}.get(path.suffix.lower())
        if kind is None:
            raise DatasetError(
                "not a source of pictures", got=path.name, allowed="a folder, .tar, .parquet", where=path
            )
        return Layout(kind, path.parent, (path.name,))
    if not path.is_dir():
        raise DatasetError("no such folder or shard", where=path)
    folder = split_folder(path, split)
    if folder is not None and (layout := _folder_layout(find_data_files(folder), "")) is not None:
        return layout._replace(exclusions=(*layout.exclusions, *excluded_beside_split(path, split)))
    files = find_data_files(path)
    layout = _folder_layout(files, split)
    if layout is not None:
        return layout
    packed = files.with_suffix(*ARCHIVE_SUFFIXES)
    if packed:
        raise DatasetError("packed shards cannot be read in any order", got=packed[0], allowed="plain .tar", where=path)
    allowed = f".tar or .parquet shards, {METADATA_LINES}, or pictures with .txt captions"
    raise DatasetError("no captioned pictures here", allowed=allowed, where=path)


def scan(layout: Layout, columns: Columns) -> ScanResults:
    """Yield the samples, and then the exclusions. Raises DatasetError where a part cannot be read at all."""
    named_paths: set[str] = set()
    for part in layout.parts:
        match layout.kind:
            case "tar":
                yield from scan_tar(layout.root, part, columns)
            case "parquet":
                yield from scan_parquet(layout.root, part, columns)
            case "listed":
                yield from scan_metadata_jsonl(layout.root, part, columns, layout.other_split_of, named_paths)
            case _:
                yield from scan_texts(layout.root, part, layout.names[part], columns)
    if layout.kind == "listed":
        yield from exclude_unnamed(layout.names, named_paths)
    yield from layout.exclusions


def _folder_layout(files: DataFiles, split: str) -> Layout | None:
    """The layout of a folder's files; None where nothing in it is captioned. split: "" for all of them."""
    shards, tables = _find_shards(files)
    texts = _pictures_with_texts(files)
    several = {"shards": shards, "listed": files.with_name(METADATA_LINES), "texts": texts}
    kind = next((k for k, paths in several.items() if paths), None)
    if kind is None:
        return None
    if kind == "listed":
        return _metadata_jsonl_layout(files, tables, split)
    paths, others = several[kind], list[Exclusion]()
    if split:
        paths, others = split_files(files, paths, split, _split_rule(files, kind, paths, split))
    names: dict[str, tuple[str, ...]] = {}
    if kind == "shards":
        suffixes = {PurePosixPath(p).suffix.lower() for p in paths}
        if len(suffixes) > 1:
            allowed = "one kind; name the folder of one"
            raise DatasetError("both .tar and .parquet shards", allowed=allowed, where=files.root)
        kind, parts = suffixes.pop()[1:], paths
    else:
        names = _by_folder([*paths, *files.with_suffix(*CAPTION_SUFFIXES)])
        parts = list(_by_folder(paths))
        others += _exclude_lone_captions(files)
    exclusions = (*files.exclusions, *others, *tables, *_exclude_unread(files, kind))
    return Layout(kind, files.root, tuple(sorted(parts)), files.folders, names, exclusions=exclusions)


def _metadata_jsonl_layout(files: DataFiles, tables: list[Exclusion], split: str) -> Layout:
    """Return the layout of a source with metadata.jsonl files.

    The folder of such a file decides its split; where it indicates none, each row's picture path does.
    """
    lists, others, other_split_of = files.with_name(METADATA_LINES), list[Exclusion](), _no_other_split
    pictures = _pictures_of_lists(files, lists)
    if split:
        split_of, canonical = _split_rule(files, "listed", [*lists, *pictures], split), canonical_split(split)
        by_row = [path for path in lists if not split_of(path)]
        strict = canonical in map(split_of, pictures)
        if canonical in map(split_of, lists) or not by_row or not strict:
            lists, others = split_files(files, lists, split, split_of)
        else:
            others = [exclude_other_split(path, split_of(path)) for path in lists if path not in by_row]
            lists = by_row

        def other_split_of(path: str) -> str | None:
            name = split_of(path)
            return None if name == canonical or not (name or strict) else name

        pictures = [path for path in _pictures_of_lists(files, lists) if other_split_of(path) is None]
    exclusions = (*files.exclusions, *others, *tables, *_exclude_unread(files, "listed"))
    return Layout(
        "listed",
        files.root,
        tuple(sorted(lists)),
        files.folders,
        _by_folder(pictures),
        other_split_of,
        tuple(exclusions),
    )


def _find_shards(files: DataFiles) -> tuple[list[str], list[Exclusion]]:
    """Find the shards, and exclude other Parquet files: tables of what is in the shards or pictures beside them.

    Where there is nothing else they are taken for shards, and scanning says what they lack.
    """
    tars, parquets = files.with_suffix(".tar"), files.with_suffix(".parquet")
    kinds = {path: has_image_column(files.root / path) for path in parquets}
    shards = [*tars, *(path for path in parquets if kinds[path])]
    if not shards and not files.with_name(METADATA_LINES) and not _pictures_with_texts(files):
        return parquets, []
    reason, detail = "Parquet file without pictures", "it has no column image"
    return shards, [Exclusion(path, reason, detail) for path in parquets if not kinds[path]]


def _pictures_with_texts(files: DataFiles) -> list[str]:
    """All pictures, where some folder has captions of theirs."""
    pictures = files.with_suffix(*IMAGE_SUFFIXES)
    folders = _by_folder(pictures).keys() & _by_folder(files.with_suffix(*CAPTION_SUFFIXES)).keys()
    return pictures if folders else []


def _split_rule(files: DataFiles, kind: str, paths: list[str], split: str) -> SplitRule:
    """The rule by which paths name a split: a shard by all of its path, a list or picture by its folders. A picture's
    own name counts where every picture's does: in a collection "portrait test.png" is no split."""
    split_of = split_rule_of_folder(files, paths, split)
    if kind == "shards" or (kind == "texts" and all(map(split_of, paths))):
        return split_of
    of_folder = lru_cache(split_of)

    def by_folder(path: str) -> str:
        folder, slash, name = path.rpartition("/")
        return of_folder(f"{folder}{slash}x.{name.rpartition('.')[2]}")

    return by_folder


def _pictures_of_lists(files: DataFiles, lists: list[str]) -> list[str]:
    """The pictures whose nearest metadata.jsonl, in their folder or above it, is one of `lists`, or that have none."""
    all_list_folders = {PurePosixPath(path).parent for path in files.with_name(METADATA_LINES)}
    list_folders = {PurePosixPath(path).parent for path in lists}
    nearest = {
        folder: next(
            (p for p in (PurePosixPath(folder), *PurePosixPath(folder).parents) if p in all_list_folders), None
        )
        for folder in files.folders
    }
    chosen = {folder for folder, owner in nearest.items() if owner is None or owner in list_folders}
    pictures = files.with_suffix(*IMAGE_SUFFIXES, *UNREAD_IMAGE_SUFFIXES)
    return [path for path in pictures if (path.rpartition("/")[0] or ".") in chosen]


def _exclude_lone_captions(files: DataFiles) -> Iterator[Exclusion]:
    """Yield an exclusion for each .txt caption without a picture of its name."""
    every = _by_folder(files.with_suffix(*CAPTION_SUFFIXES, *IMAGE_SUFFIXES, *UNREAD_IMAGE_SUFFIXES))
    for folder, names in every.items():
        siblings = SiblingFiles(names)
        for name in names:
            if (
                name.lower().endswith(CAPTION_SUFFIXES)
                and siblings.of_same_stem(name, (*IMAGE_SUFFIXES, *UNREAD_IMAGE_SUFFIXES)) is None
            ):
                yield Exclusion(str(PurePosixPath(folder, name)), "caption without a picture", f"no picture {name}")


def _exclude_unread(files: DataFiles, kind: str) -> Iterator[Exclusion]:
    """Yield an exclusion for each file in another format than the one that is read."""
    for path in files.paths:
        lower = PurePosixPath(path).name.lower()
        if lower.endswith(ARCHIVE_SUFFIXES):
            yield Exclusion(path, "packed shard", "allowed: plain .tar")
        elif lower in UNREAD_LISTS:
            yield Exclusion(path, "list of another form", f"allowed: {METADATA_LINES}")
        elif lower.endswith(UNREAD_IMAGE_SUFFIXES) and kind != "listed":
            yield Exclusion(path, "not a picture we read", f"allowed: {', '.join(IMAGE_SUFFIXES)}")
        elif kind in ("tar", "parquet") and (lower == METADATA_LINES or lower.endswith(IMAGE_SUFFIXES)):
            yield Exclusion(path, f"beside .{kind} shards", "which are read alone")


def _by_folder(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Group paths by folder: folder → the names in it, both in their order."""
    names: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder, _, name = path.rpartition("/")
        names[folder or "."].append(name)
    return {folder: tuple(of_folder) for folder, of_folder in names.items()}
