"""Folders of pictures and shards → entries, in an order of their own: that of the names.

What a folder is, is told by what lies in it: WebDataset tars, Parquet files with embedded pictures, metadata.jsonl
with pictures that it lists, or pictures with a .txt of the same name beside them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.train.entry import TEXTS, Columns, Found
from vrm_synth.train.picture import SUFFIXES
from vrm_synth.train.scan_folder import METADATA, scan_listed, scan_texts
from vrm_synth.train.scan_parquet import scan_parquet
from vrm_synth.train.scan_tar import scan_tar

DEEPEST = 16  # folders
_PACKED = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")


class Layout(NamedTuple):
    """What lies in a source. kind: tar, parquet, listed or texts. root: the folder that paths start from.
    parts: what is scanned, one after the other: shards, lists, or folders. folders: all that were looked into."""

    kind: str
    root: Path
    parts: tuple[str, ...]
    folders: tuple[str, ...]


def look(path: Path, split: str) -> Layout:
    """What a path is, of a dataset with splits the split's part. Raises DatasetError."""
    if path.is_file():
        kind = {".tar": "tar", ".parquet": "parquet", ".jsonl": "listed"}.get(path.suffix.lower())
        if kind is None:
            raise DatasetError(
                "not a source of pictures", got=path.name, allowed="a folder, .tar, .parquet", where=path
            )
        return Layout(kind, path.parent, (path.name,), ())
    if not path.is_dir():
        raise DatasetError("no such folder or shard", where=path)
    root = path / split if (path / split).is_dir() else path
    parts: dict[str, list[str]] = {"tar": [], "parquet": [], "listed": [], "texts": []}
    folders, packed = [], []
    for folder, below, names in os.walk(root, onerror=_cannot_read):
        relative = os.path.relpath(folder, root)
        below[:] = sorted(b for b in below if not b.startswith(".") and relative.count(os.sep) < DEEPEST)
        folders.append(relative)
        lower = {n.lower(): n for n in sorted(names) if not n.startswith(".")}
        for low, name in lower.items():
            at = os.path.normpath(os.path.join(relative, name))
            if low.endswith(".tar"):
                parts["tar"].append(at)
            elif low.endswith(".parquet") and low != "metadata.parquet":
                parts["parquet"].append(at)
            elif name == METADATA:
                parts["listed"].append(at)
            elif low.endswith(_PACKED):
                packed.append(at)
        if any(n.endswith(TEXTS) for n in lower) and any(n.endswith(SUFFIXES) for n in lower):
            parts["texts"].append(relative)
    kinds = [k for k in ("tar", "parquet") if parts[k]]
    if len(kinds) > 1:
        raise DatasetError("both .tar and .parquet shards", allowed="one kind; name the folder of one", where=root)
    kind = next((k for k in ("tar", "parquet", "listed", "texts") if parts[k]), None)
    if kind is None and packed:
        raise DatasetError("packed shards cannot be read in any order", got=packed[0], allowed="plain .tar", where=root)
    if kind is None:
        allowed = f".tar or .parquet shards, {METADATA}, or pictures with .txt captions"
        raise DatasetError("no captioned pictures here", allowed=allowed, where=root)
    return Layout(kind, root, tuple(sorted(parts[kind])), tuple(folders))


def scan(layout: Layout, part: str, columns: Columns) -> Found:
    """The samples of one part. Raises DatasetError where it cannot be read at all."""
    by_kind = {"tar": scan_tar, "parquet": scan_parquet, "listed": scan_listed, "texts": scan_texts}
    return by_kind[layout.kind](layout.root, part, columns)


def _cannot_read(e: OSError) -> None:
    raise DatasetError(f"cannot be read: {e.strerror or e}", where=e.filename)
