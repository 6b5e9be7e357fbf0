"""A store by what a user wrote: a folder's path, or a URL."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.dataset.files import make_folder
from vrm_synth.dataset.store import LocalStore, Store


def open_store(place: str) -> Store:
    """The store at a path (made when missing). Raises DatasetError."""
    make_folder(Path(place))
    return LocalStore(Path(place))
