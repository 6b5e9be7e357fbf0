"""The legend of part labels: what an id means, and in which color it is painted. Ids are stable: only appended to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The index of a name is its id. docs/parts.md says what belongs to each.
PART_NAMES: tuple[str, ...] = (
    "unknown",
    "hair",  # hair of which it is not known whether it is front, back or a tail
    "hair_front",
    "hair_back",
    "hair_tail",
    "face_skin",
    "body_skin",
    "iris",
    "eye_white",
    "brow",
    "lash",
    "mouth",
    "upper_garment",
    "lower_garment",
    "one_piece",
    "outer_garment",
    "legwear",
    "shoes",
    "gloves",
    "hat",
    "glasses",
    "ornament",
    "animal_ears",
    "tail",
    "wings",
    "held_thing",
    "other",
)

PART_IDS: dict[str, int] = {name: i for i, name in enumerate(PART_NAMES)}
UNKNOWN = PART_IDS["unknown"]
HAIR_PARTS = ("hair", "hair_front", "hair_back", "hair_tail")
SKIN_PARTS = ("face_skin", "body_skin")
# What is worn, carried or grown, in the order in which facts name it.
GARMENT_PARTS = ("outer_garment", "one_piece", "upper_garment", "lower_garment", "legwear", "shoes", "gloves")
ACCESSORY_PARTS = ("hat", "glasses", "ornament", "animal_ears", "tail", "wings", "held_thing", "other")
HAIR = frozenset(PART_IDS[name] for name in HAIR_PARTS)

_COLORS: dict[str, str] = {
    "unknown": "#808080",
    "hair": "#8c510a",
    "hair_front": "#bf812d",
    "hair_back": "#543005",
    "hair_tail": "#dfc27d",
    "face_skin": "#fddbc7",
    "body_skin": "#f4a582",
    "iris": "#2166ac",
    "eye_white": "#f7f7f7",
    "brow": "#3f1d0b",
    "lash": "#101010",
    "mouth": "#b2182b",
    "upper_garment": "#1f78b4",
    "lower_garment": "#33a02c",
    "one_piece": "#6a3d9a",
    "outer_garment": "#0b3c5d",
    "legwear": "#b2df8a",
    "shoes": "#ff7f00",
    "gloves": "#fdbf6f",
    "hat": "#e7298a",
    "glasses": "#00e5ff",
    "ornament": "#ffff33",
    "animal_ears": "#a6761d",
    "tail": "#7570b3",
    "wings": "#cab2d6",
    "held_thing": "#66c2a5",
    "other": "#404040",
}


def part_colors() -> NDArray[np.uint8]:
    """(len(PART_NAMES), 3) sRGB colors to paint labels with, by id; all differ."""
    return np.array([[int(_COLORS[n][k : k + 2], 16) for k in (1, 3, 5)] for n in PART_NAMES], np.uint8)
