"""Open a store by a folder's path or a URL."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.io.store import LocalStore, Store
from vrm_synth.io.store_fsspec import FsspecStore


def open_store(address: str) -> Store:
    """Open the store at a path, a folder that its first file creates, or at a URL ("s3://bucket/pictures")."""
    scheme, is_url, rest = address.partition("://")
    if is_url and scheme != "file":
        return FsspecStore(address)
    return LocalStore(Path(rest if is_url else address))
