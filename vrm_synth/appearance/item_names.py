"""Kinds of garments and things by the words in names of materials, textures, nodes and meshes (items.yaml)."""

from __future__ import annotations

from functools import cache, lru_cache

from vrm_synth.appearance.words import all_items
from vrm_synth.parts.word_table import WordTable


@lru_cache(4096)
def item_in_name(name: str, part: str) -> str:
    """The kind of item that a name means among those that the part may be; "" where it means none or several."""
    found = {kind for kind in _table().meanings(name) if part in all_items()[kind].parts}
    return next(iter(found)) if len(found) == 1 else ""


@cache
def _table() -> WordTable:
    items = all_items().items()
    return WordTable.of(
        [(phrase, kind) for kind, words in items for phrase in words.names],
        [(word, kind) for kind, words in items for word in words.ja_names],
    )
