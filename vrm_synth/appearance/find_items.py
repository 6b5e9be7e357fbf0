"""Items of an avatar whose surface is labeled: by overrides, by names, by shape; with the names of their colors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.appearance import KnownItem
from vrm_synth.appearance.beard import beard_cells
from vrm_synth.appearance.cells import Cells
from vrm_synth.appearance.color_names import without_fallback
from vrm_synth.appearance.garment_shapes import (
    legwear_kind,
    lower_kind,
    one_piece_kind,
    outer_kind,
    shoe_kind,
    upper_kind,
)
from vrm_synth.appearance.item_names import item_in_name
from vrm_synth.appearance.words import all_items
from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.parts.name_evidence import names_of
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_names import ACCESSORY_PARTS, GARMENT_PARTS, PART_NAMES
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

NONE = "none"  # an override's word for what is not spoken of
FACE = ("brow", "eye_white", "mouth")  # whose looks captions tell where an override names them alone
SMALLEST = 2e-4  # share of the figure's surface below which nothing is an item
SMALLEST_HAT = 0.05  # of the head's surface
_SHAPES: dict[str, Callable[[Cells, NDArray[np.bool_]], str]] = {
    "upper_garment": upper_kind,
    "lower_garment": lower_kind,
    "one_piece": one_piece_kind,
    "outer_garment": outer_kind,
    "legwear": legwear_kind,
    "shoes": shoe_kind,
}


def find_items(
    avatar: Avatar, cells: Cells, overrides: PartOverrides | None
) -> tuple[tuple[KnownItem, ...], NDArray[np.intp]]:
    """The items, and (N,) the item of each cell, −1 for none."""
    kinds = dict(overrides.kinds) if overrides is not None else {}
    names = _names(avatar)
    item_of = np.full(len(cells.area), -1)
    items: list[KnownItem] = []
    least = SMALLEST * float(cells.area.sum())
    for part in (*GARMENT_PARTS, *ACCESSORY_PARTS, *(p for p in FACE if p in kinds)):
        own = cells.of(part)
        if not own.any() or (part == "hat" and "hat" not in kinds and _is_too_small_for_a_hat(cells, own)):
            continue
        for kind, mine in _split(cells, own, part, kinds, names):
            if kind and float(cells.area[mine].sum()) >= least:
                item_of[mine] = len(items)
                colors = cells.colors_of(mine, "things")
                colors = tuple(filter(without_fallback, colors)) if part == "glasses" else colors
                items.append(KnownItem(kind, part, colors))
    beard = beard_cells(cells)
    if beard.any():
        item_of[beard] = len(items)
        items.append(KnownItem("beard", "hair", cells.colors_of(beard, "hair")))
    return _without_half_dress(items, item_of)


def _is_too_small_for_a_hat(cells: Cells, own: NDArray[np.bool_]) -> bool:
    head = cells.in_regions("head")
    return float(cells.area[own].sum()) < SMALLEST_HAT * float(cells.area[head].sum())


def _without_half_dress(
    items: list[KnownItem], item_of: NDArray[np.intp]
) -> tuple[tuple[KnownItem, ...], NDArray[np.intp]]:
    """The items without a top of whatever kind over a skirt of its color: both may be one dress."""
    skirts = {i.colors for i in items if i.part == "lower_garment" and "skirt" in i.kind}
    left = [k for k, i in enumerate(items) if not (i.kind == "top" and i.colors in skirts)]
    place = np.full(len(items) + 1, -1)  # the last is for −1
    place[left] = np.arange(len(left))
    return tuple(items[k] for k in left), place[item_of]


def _split(
    cells: Cells, own: NDArray[np.bool_], part: str, kinds: dict[str, str], names: list[list[str]]
) -> list[tuple[str, NDArray[np.bool_]]]:
    """(kind, cells) of the surface of one part, by the names of its primitives; "" for what is not spoken of."""
    by_kind: dict[str, NDArray[np.bool_]] = {}
    for k in np.unique(cells.primitive[own]).tolist():
        kind = _kind_of(part, kinds, names[k])
        here = own & (cells.primitive == k)
        by_kind[kind] = by_kind[kind] | here if kind in by_kind else here
    unnamed = by_kind.pop("", None)
    if unnamed is not None:
        if len(by_kind) == 1 and part in GARMENT_PARTS:  # the shirt's collar, whose name tells nothing, is the shirt's
            kind = next(iter(by_kind))
            by_kind[kind] = by_kind[kind] | unnamed
        else:
            by_kind[_by_shape(cells, unnamed, part)] = unnamed
    if part == "legwear" and "socks" in by_kind:  # a name that shape makes narrower
        by_kind = {_narrower(cells, kind, mine): mine for kind, mine in by_kind.items()}
    return [("" if kind == NONE else kind, mine) for kind, mine in by_kind.items()]


def _narrower(cells: Cells, kind: str, own: NDArray[np.bool_]) -> str:
    shape = legwear_kind(cells, own) if kind == "socks" else ""
    return shape if shape in ("kneehighs", "thighhighs") else kind


def _kind_of(part: str, kinds: dict[str, str], names: list[str]) -> str:
    """The kind of a primitive's surface of one part; NONE where an override says so, "" where nothing tells."""
    for name in names:
        if name in kinds and (kinds[name] == NONE or part in all_items()[kinds[name]].parts):
            return kinds[name]
    if part in kinds:
        return kinds[part]
    for name in names:
        kind = item_in_name(name, part)
        if kind:
            return kind
    return ""


def _by_shape(cells: Cells, own: NDArray[np.bool_], part: str) -> str:
    if part in _SHAPES:
        return _SHAPES[part](cells, own)
    return next((kind for kind, w in all_items().items() if w.generic and part in w.parts), "")


def _names(avatar: Avatar) -> list[list[str]]:
    """The names of each drawn primitive, the most telling first."""
    drawn = drawn_triangles(avatar)
    return [
        [name for _, name in names_of(avatar, node, p.material)]
        for node, p in zip(drawn.nodes.tolist(), drawn.primitives, strict=True)
    ]


def check_kinds(avatar: Avatar, overrides: PartOverrides) -> None:
    """Raise RecipeError where `kinds` names what neither the avatar nor the vocabulary has."""
    known = {name for own in _names(avatar) for name in own} if overrides.kinds else set()
    for key, kind in overrides.kinds.items():
        if key not in known and key not in PART_NAMES:
            raise RecipeError(
                f"kinds name parts and what the avatar draws{did_you_mean(key, (*PART_NAMES, *sorted(known)))}",
                got=key,
                allowed=", ".join((*PART_NAMES, *sorted(known))),
                where=avatar.source,
            )
        if kind != NONE and kind not in all_items():
            raise RecipeError(
                f"no such garment or thing{did_you_mean(kind, all_items())}",
                got=kind,
                allowed=", ".join((*all_items(), NONE)),
                where=avatar.source,
            )
