"""Check that the words of facts are of the vocabulary: kinds of figures, of things, and colors."""

from __future__ import annotations

from collections.abc import Iterator

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.facts.facts import Facts


def unknown_words(facts: Facts) -> Iterator[str]:
    """The words of facts that are in no vocabulary, each with its field: "facts.hair.colors: greenish"."""
    things = [("garments", facts.garments), ("accessories", facts.accessories)]
    colors = [("hair.colors", facts.hair.colors), ("eye_colors", facts.eye_colors)]
    colors += [("skin.color", (facts.skin.color,) if facts.skin.color else ())]
    colors += [(f"{name}.{k}.colors", item.colors) for name, items in things for k, item in enumerate(items)]
    if facts.character.kind and facts.character.kind not in all_kinds():
        yield f"facts.character.kind: {facts.character.kind}"
    for name, items in things:
        yield from (f"facts.{name}.{k}.kind: {i.kind}" for k, i in enumerate(items) if i.kind not in all_items())
    for name, words in colors:
        yield from (f"facts.{name}: {word}" for word in words if word not in all_colors())
