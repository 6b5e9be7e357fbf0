"""The content of dataset.json: what a dataset was made from, to read, to write and to compare.

A folder belongs to one recipe and one output format (claim.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vrm_synth import __version__
from vrm_synth.core.errors import DatasetError
from vrm_synth.core.format_version import check_format
from vrm_synth.dataset.identity.render_id import RENDER_ID, RENDER_PARTS, render_id, render_parts
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import DATASET_JSON
from vrm_synth.io.store import Store

# Of dataset.json, its records and the columns of its rows. A column may be added; a rename raises the number.
FORMAT = 2


def identity(
    settings: Mapping[str, Any],
    as_written: Mapping[str, Any],
    avatars: list[dict[str, Any]],
    rendered_with: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of dataset.json.

    settings: everything that the bytes follow from.
    as_written: the recipe as its maker would write it, without defaults.
    avatars: the credits of those it names.
    rendered_with: render_id and render_parts of the pictures; by default this version's.
    """
    return {
        "format": FORMAT,
        "vrm_synth": __version__,
        **({RENDER_ID: render_id(), RENDER_PARTS: dict(render_parts())} if rendered_with is None else rendered_with),
        "recipe_sha256": hashlib.sha256(to_json(settings).encode()).hexdigest(),
        "recipe": dict(settings),
        "recipe_as_written": dict(as_written),
        "avatars": avatars,
    }


def identity_bytes(content: Mapping[str, Any]) -> bytes:
    """The bytes of dataset.json."""
    return (to_json(content, indent=1) + "\n").encode()


def read_identity(store: Store) -> dict[str, Any]:
    """The content of dataset.json. Raises DatasetError where vrm-synth did not write it, or a newer version did."""
    data = store.read(DATASET_JSON)
    try:
        content = json.loads(data)
        number = content.get("format")
        ok = all(isinstance(content[k], t) for k, t in _TYPES.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        ok, number = False, None
    check_format(number, FORMAT, DATASET_JSON)
    if not ok:
        raise DatasetError("not a dataset's identity", allowed="one of ours, or a new folder", where=DATASET_JSON)
    return dict(content)


_TYPES: Mapping[str, type] = {
    "vrm_synth": str, "recipe_sha256": str, "recipe": dict, "recipe_as_written": dict, "avatars": list,
}  # fmt: skip
