"""Names within a dataset's folder, and whose it is.

    dataset.json            which recipe's it is, and how its files look; written first
    train/00000…            shards, by split: a folder of pictures, a .tar, or a .parquet
    records/00000.json      a shard's completion record, the last thing that is written of it
    records/00000.index.jsonl  of a tar: where each member's bytes are, and the lines of metadata
    metadata.parquet        one table of everything
    README.md               the dataset card
    contact_sheet.png       24 of the pictures
    complete.json           the very last; not there while anything is missing
    metrics.json            how fast the last run went; no part of the data

A folder belongs to one recipe and one look (claim.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vrm_synth import __version__
from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.store import Store

IDENTITY = "dataset.json"
CARD = "README.md"
SHEET = "contact_sheet.png"
COMPLETE = "complete.json"
METRICS = "metrics.json"
PROBE = ".probe-"  # begins the name of a file by which a run's processes on other machines see that it is one folder


def identity(settings: Mapping[str, Any], told: Mapping[str, Any], avatars: list[dict[str, Any]]) -> dict[str, Any]:
    """What dataset.json says. settings: everything that the bytes follow from; told: the recipe as its maker would
    write it; avatars: the credits of those it names."""
    return {
        "vrm_synth": __version__,
        "recipe_sha256": hashlib.sha256(to_json(settings).encode()).hexdigest(),
        "recipe": dict(settings),
        "told": dict(told),
        "avatars": avatars,
    }


def identity_bytes(told: Mapping[str, Any]) -> bytes:
    """The file's bytes."""
    return (to_json(told, indent=1) + "\n").encode()


def read_identity(store: Store) -> dict[str, Any]:
    """What dataset.json says. Raises DatasetError where there is none."""
    data = store.read(IDENTITY)
    try:
        told = json.loads(data)
        ok = all(isinstance(told[k], t) for k, t in _KINDS.items())
    except (ValueError, KeyError, TypeError):
        ok = False
    if not ok:
        raise DatasetError("not a dataset's identity", allowed="one of ours, or a new folder", where=IDENTITY)
    return dict(told)


_KINDS: Mapping[str, type] = {"vrm_synth": str, "recipe_sha256": str, "recipe": dict, "told": dict, "avatars": list}
