"""The type Appearance: what is known of an avatar's looks, whatever a picture shows of it."""

from __future__ import annotations

from dataclasses import dataclass

from vrm_synth.appearance.surface_groups import SurfaceGroups


@dataclass(frozen=True)
class KnownItem:
    """A thing that an avatar wears, has grown or holds.

    kind: a name of items.yaml, "" for what is not spoken of. part: of parts.PART_NAMES, whose surface it is (or most of
    it). colors: up to two names of colors.yaml, the larger first.
    """

    kind: str
    part: str
    colors: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Appearance:
    """The looks of one avatar, found once; "" and () where nothing is known or no name fits.

    name: a proper name, fit for a sentence. kind: a name of kinds.yaml. style: "anime" where the figure is known to
    look drawn. description: the user's own noun phrase.
    hair_colors, hair_length, hair_style, eye_colors, skin_tone, skin_color: as in facts.
    items: garments and accessories; `Feature.item` counts in this order.
    resting_expression: the emotion that the face shows where no expression moves it.
    groups: the avatar's surface, for counting what a picture shows of each.
    """

    name: str
    kind: str
    style: str
    description: str
    hair_colors: tuple[str, ...]
    hair_length: str
    hair_style: str
    eye_colors: tuple[str, ...]
    skin_tone: str
    skin_color: str
    items: tuple[KnownItem, ...]
    groups: SurfaceGroups
    resting_expression: str = ""
