"""A store by what a user wrote: a folder's path, or a URL."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.io.store import LocalStore, Store
from vrm_synth.io.store_fsspec import FsspecStore


def open_store(place: str) -> Store:
    """The store at a path, which its first file makes, or at a URL ("s3://bucket/pictures")."""
    scheme, is_url, rest = place.partition("://")
    if is_url and scheme != "file":
        return FsspecStore(place)
    return LocalStore(Path(rest if is_url else place))
