"""Names within a dataset's folder, and what dataset.json says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.files import to_json
from vrm_synth.dataset.store import Store

IDENTITY = "dataset.json"
COMPLETE = "complete.json"


@dataclass(frozen=True)
class Planned:
    """A shard that is to be there. keys: of its samples, those that could not be made included."""

    shard: int
    split: str
    keys: tuple[str, ...]


def plan_of(identity: dict[str, Any]) -> Iterator[Planned]:
    shard = 0
    for split, keys in identity["plan"].items():
        for first in range(0, len(keys), identity["shard_size"]):
            yield Planned(shard, split, tuple(keys[first : first + identity["shard_size"]]))
            shard += 1


def stem_of(split: str, shard: int) -> str:
    """What the names of all files of a shard begin with, its record's apart."""
    return f"{split}/{shard:05d}"


def is_of(name: str, stem: str) -> bool:
    """Whether a file's name is one of the shard with that stem."""
    return name.startswith((f"{stem}.", f"{stem}/"))


def read_complete(store: Store) -> dict[str, str]:
    try:
        return dict(json.loads(store.read(COMPLETE))["files"])
    except (ValueError, KeyError, TypeError) as e:
        raise DatasetError("not a completion mark", got=str(e), where=COMPLETE) from e


def read_identity(store: Store) -> dict[str, Any]:
    try:
        told = json.loads(store.read(IDENTITY))
        if not isinstance(told, dict):
            raise ValueError("no object")
    except ValueError as e:
        raise DatasetError("not a dataset's identity", got=str(e), where=IDENTITY) from e
    return told


def identity_bytes(identity: dict[str, Any]) -> bytes:
    return (to_json(identity, indent=1) + "\n").encode()


def digest(identity: dict[str, Any]) -> str:
    return hashlib.sha256(identity_bytes(identity)).hexdigest()
