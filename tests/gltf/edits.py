"""Edits of the JSON of the small valid files of vrm_file.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vrm.vrm_file import Doc, changed

Case = tuple[str, bytes, str]  # name, the file, words that its refusal must contain


def put(*path: str | int, value: Any) -> Callable[[Doc], None]:
    """A change that sets one value in the JSON."""

    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Doc], None]:
    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def accessor(index: int, **values: Any) -> bytes:
    return changed(lambda d: d["accessors"][index].update(values))
