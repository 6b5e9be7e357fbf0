"""legends.json: what the ids in the passes of a dataset mean, by the values that the files have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.passes import NO_BONE_ID, Pass

NAMED_BY_AVATAR = ("materials", "nodes")  # passes whose ids are an avatar's own; keys of its entry in dataset.json
ID_PASSES = ("parts", "body_parts", "instances", *NAMED_BY_AVATAR)
FIGURE, NO_BONE = "figure", "no bone"


def legends(passes: Iterable[Pass], avatars: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of legends.json, empty where no pass has ids; 0 is the background everywhere.

    parts, body_parts, instances: id → name. materials, nodes: SHA-256 of an avatar → id → name.
    avatars: entries of dataset.json.
    """
    out: dict[str, Any] = {}
    for name in (p.name for p in passes):
        if name in NAMED_BY_AVATAR:
            out[name] = {a["sha256"]: _by_id(a[name]) for a in avatars if name in a}
        elif name == "parts":
            from vrm_synth.parts import PART_NAMES

            out[name] = _by_id(PART_NAMES)
        elif name == "body_parts":
            out[name] = _by_id(BONE_NAMES) | {str(NO_BONE_ID): NO_BONE}
        elif name == "instances":
            out[name] = _by_id((FIGURE,))
    return out


def _by_id(names: Iterable[str]) -> dict[str, str]:
    return {str(index + 1): name for index, name in enumerate(names)}
