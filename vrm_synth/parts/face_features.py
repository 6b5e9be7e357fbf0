"""Eyes, brows and mouth painted or modeled on a face: color regions at what blinks and vowels move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.morph_boxes import Box, FaceBoxes
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import RegionTable, scaled
from vrm_synth.parts.sums import sum_by

EYE = ("eye_white", "iris")
MARGIN = 0.15  # by which share of its size a feature may stick out of the box of what moves
LIGHT = 80.0  # least L* of an eye's white
DARKER = 25.0  # by how much L* an iris is darker than the white around it
DARK = 35.0  # largest L* of an eye without white
SPOT = 0.25  # largest size of a highlight beside the white
SMALLEST_IRIS = 0.03  # share of the white's area
COMPACT = 0.4  # least width by height, height by width, and area by box of a dot
FILLED = 0.35  # least area by box of a brow: strokes that bend around an eye are no brows
ALIKE = 3.0  # how many times as large as its partner on the other side a feature may be
MOVED_WHOLE = 0.5  # least share of a piece of lashes that a blink moves
DARK_LASH = 45.0  # largest L* of lashes
MAIN_MOUTH = 0.1  # share of the mouth's area from which on a region says where the mouth is


def label_face(
    table: RegionTable, boxes: FaceBoxes, free: NDArray[np.bool_], known: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """(R,) part ids of the regions that are eyes, brows, lashes or mouth; 0 elsewhere.

    free: (R,) regions that may be. known: (R,) labels so far; eyes that have theirs say where brows and lashes are.
    """
    out = np.zeros(len(table.whole), np.uint8)
    on_head = free & (table.on_head > 0.8)
    sides = [_named_eye(table, known, sign) for sign in (1.0, -1.0)]
    if not all(sides):
        sides = [_eye(table, box, on_head) for box in (boxes.left_eye, boxes.right_eye)]
    if all(sides):
        for part in EYE:
            left, right = (np.array(side.get(part, []), np.intp) for side in sides)
            if _alike(float(table.whole[left].sum()), float(table.whole[right].sum())):
                out[left] = out[right] = PART_IDS[part]
        brows = [_brows(table, side, on_head & (out == 0)) for side in sides]
        same = set(table.regions.cluster[brows[0]].tolist()) == set(table.regions.cluster[brows[1]].tolist())
        if same and _alike(*(float(table.whole[b].sum()) for b in brows)):
            out[brows[0]] = out[brows[1]] = PART_IDS["brow"]
    if boxes.mouth is not None:
        out[_mouth(table, boxes.mouth, on_head & (out == 0))] = PART_IDS["mouth"]
    if all(sides):
        out[_lashes(table, boxes, sides, on_head & (out == 0))] = PART_IDS["lash"]
    return out


def _named_eye(table: RegionTable, known: NDArray[np.uint8], sign: float) -> dict[str, list[int]]:
    """Regions of the eye on one side (1: the avatar's left) that have their labels; {} where there are none."""
    joint = table.landmark("head")
    beside = sign * (table.center[:, 0] - (0.0 if joint is None else joint[0])) > 0
    by_part = {part: np.flatnonzero(beside & (known == PART_IDS[part])).tolist() for part in EYE}
    return {part: regions for part, regions in by_part.items() if regions}


def _alike(a: float, b: float) -> bool:
    return min(a, b) > 0 and max(a, b) <= ALIKE * min(a, b)


def _within(table: RegionTable, low: Array, high: Array, margin: float = MARGIN) -> NDArray[np.bool_]:
    """(R,) regions whose box lies in a box, seen from the front."""
    extra = margin * (high - low)[:2]
    inside = (table.low[:, :2] >= (low[:2] - extra)) & (table.high[:, :2] <= high[:2] + extra)
    return np.asarray(inside.all(1))


def _eye(table: RegionTable, box: Box | None, free: NDArray[np.bool_]) -> dict[str, list[int]]:
    """Regions of one eye by part; {} where there is none."""
    if box is None:
        return {}
    low, high = (scaled(table.surface, b) for b in box)
    height = max(float(high[1] - low[1]), 0.6 * float(high[0] - low[0]))  # lids may move through half the eye alone
    middle = (low[1] + high[1]) / 2
    low, high = (np.array([b[0], middle + s * height / 2, b[2]]) for b, s in ((low, -1), (high, 1)))
    inside = np.flatnonzero(free & _within(table, low, high))
    lightness = table.lab[:, 0]
    white = inside[lightness[inside] >= LIGHT]
    if len(white):
        light = float(np.average(lightness[white], weights=table.whole[white]))
        around = table.low[white].min(0), table.high[white].max(0)
        dark = inside[(lightness[inside] <= light - DARKER)]
        dark = dark[_within(table, *around)[dark] & (table.whole[dark] >= SMALLEST_IRIS * table.whole[white].sum())]
        if not len(dark):
            return {}
        spots = white[table.whole[white] < SPOT * table.whole[white].max()]  # highlights on the iris
        spots = spots[_within(table, table.low[dark].min(0), table.high[dark].max(0), margin=0.0)[spots]]
        return {"eye_white": np.setdiff1d(white, spots).tolist(), "iris": [*dark.tolist(), *spots.tolist()]}
    size = (table.high - table.low)[inside, :2]
    world = max(table.surface.top - table.surface.floor, 1e-9) ** 2
    fill = table.whole[inside] / np.maximum(size.prod(1) * world, 1e-12)
    round_ = (size.min(1) >= COMPACT * size.max(1)) & (fill >= COMPACT) & (lightness[inside] <= DARK)
    return {"iris": inside[round_].tolist()} if round_.any() else {}


def _brows(table: RegionTable, eye: dict[str, list[int]], free: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Regions of the brow above one eye."""
    own = np.array([r for part in eye.values() for r in part], np.intp)
    low, high = table.low[own].min(0), table.high[own].max(0)
    width, height = np.maximum(high - low, 1e-6)[:2]
    size = np.maximum((table.high - table.low)[:, :2], 1e-9)
    world = max(table.surface.top - table.surface.floor, 1e-9) ** 2
    above = (table.center[:, 1] > (low + high)[1] / 2 + 0.35 * height) & (table.low[:, 1] < high[1] + 2 * height)
    beside = np.abs(table.center[:, 0] - (low + high)[0] / 2) < width
    long = (size[:, 0] > 1.3 * size[:, 1]) & (size[:, 0] < 4 * width) & (size[:, 0] > 0.6 * width)
    solid = table.whole > FILLED * size.prod(1) * world
    dark = table.lab[:, 0] < 70
    ahead = table.low[:, 2] > table.low[own][:, 2].min() - 0.5 * width
    return np.flatnonzero(free & above & beside & long & solid & dark & ahead)


def _lashes(
    table: RegionTable, boxes: FaceBoxes, sides: list[dict[str, list[int]]], free: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Dark regions of their own pieces of surface that a blink moves whole, at an eye."""
    r, s = table.regions, table.surface
    count = int(s.piece.max(initial=-1)) + 1
    size = sum_by(s.piece, s.area, count)
    moved = sum_by(s.piece, s.area * boxes.blinking, count) >= MOVED_WHOLE * size
    first = np.unique(r.region, return_index=True)[1]
    own = free & moved[s.piece[r.triangle[first]]] & (table.lab[:, 0] < DARK_LASH)
    near = np.zeros(len(own), np.bool_)
    for side in sides:
        eye = np.array([k for part in side.values() for k in part], np.intp)
        low, high = table.low[eye].min(0)[:2], table.high[eye].max(0)[:2]
        near |= (
            (table.center[:, :2] > low - 0.5 * (high - low)) & (table.center[:, :2] < high + 0.5 * (high - low))
        ).all(1)
    return np.flatnonzero(own & near)


def _mouth(table: RegionTable, box: Box, free: NDArray[np.bool_]) -> NDArray[np.intp]:
    low, high = (scaled(table.surface, b) for b in box)
    inside = np.flatnonzero(free & _within(table, low, high))
    main = inside[table.whole[inside] >= MAIN_MOUTH * table.whole[inside].sum()]
    if not len(main):
        return inside[:0]
    around = table.low[main].min(0), table.high[main].max(0)
    return inside[_within(table, *around, margin=0.05)[inside]]
