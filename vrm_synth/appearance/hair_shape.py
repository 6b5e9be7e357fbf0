"""Length and style of an avatar's hair by its shape at rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.cells import Cells
from vrm_synth.appearance.garment_shapes import HIPS, weighted_quantile
from vrm_synth.core.transforms import Array
from vrm_synth.parts.part_names import HAIR_PARTS

TRIMMED = 0.03  # share of the hair's surface below its end that does not count: loose strands
# Where hair ends behind the face: how far above the shoulders' joints, as a share of the way to the head's joint (the
# nape), or how far below, negative, as a share of the way to the hips' joints.
SHORT_ABOVE = 0.6
MEDIUM = (-0.12, 0.35)
LONG_BELOW = -0.25
BALD_SKIN = 0.9  # least share of the crown that skin has on a bald head
TAIL_SIDE = 0.3  # least share of the hair in tails that each of two tails has
SHOULDERS = ("leftUpperArm", "rightUpperArm")


def hair_length(cells: Cells) -> str:
    """short, medium, long or bald; "" between them and where it is not known."""
    head, shoulders, hips = (cells.height_of(*bones) for bones in (("head",), SHOULDERS, HIPS))
    if head is None or shoulders is None or hips is None or not head > shoulders > hips:
        return ""
    hair = cells.of(*HAIR_PARTS)
    if not hair.any():
        return "bald" if _is_bald(cells, head) else ""
    # Not what lies before the face, which is as well a beard as a long fringe.
    behind = hair & (cells.center[:, 2] <= _middle(cells))
    if float(cells.area[behind].sum()) < 0.2 * float(cells.area[hair].sum()):
        return ""
    end = weighted_quantile(cells.center[behind][:, 1], cells.area[behind], TRIMMED)
    level = round((end - shoulders) / (head - shoulders if end > shoulders else max(shoulders - hips, 1e-9)), 3)
    if level >= SHORT_ABOVE:
        return "short"
    if MEDIUM[0] <= level <= MEDIUM[1]:
        return "medium"
    return "long" if level <= LONG_BELOW else ""


def hair_style(cells: Cells) -> str:
    """twintails or a ponytail where parts of the hair are known to be tails, else ""."""
    sides = tail_sides(cells)
    tails = sides >= 0
    total = float(cells.area[tails].sum())
    if total < 0.05 * float(cells.area[cells.of(*HAIR_PARTS)].sum()) or total <= 0:
        return ""
    right, left, middle = (float(cells.area[sides == k].sum()) / total for k in range(3))
    if left >= TAIL_SIDE and right >= TAIL_SIDE and middle < 0.2:
        return "twintails"
    return "ponytail" if middle >= 0.8 else ""


def tail_sides(cells: Cells) -> NDArray[np.intp]:
    """(N,) side of each cell of a tail of hair: 0 right, 1 left, 2 middle; −1 of what is no tail."""
    out = np.full(len(cells.area), -1)
    tails = cells.of("hair_tail")
    if not tails.any():
        return out
    half = _half_width(cells)
    x = cells.center[tails][:, 0] - _center_x(cells)
    # Of one tail, or of a pair: by where most of them lies.
    near = float(cells.area[tails][np.abs(x) < 0.6 * half].sum()) / max(float(cells.area[tails].sum()), 1e-30)
    out[tails] = 2 if near > 0.5 else np.where(x > 0, 1, 0)
    return out


def places(cells: Cells) -> NDArray[np.intp]:
    """(N,) index into surface_groups.PLACES."""
    shoulders = cells.height_of(*SHOULDERS)
    hair = cells.of(*HAIR_PARTS)
    low = hair & (cells.center[:, 1] < (-np.inf if shoulders is None else shoulders))
    sides = tail_sides(cells)
    tail = np.where(sides < 0, 0, np.array([3, 2, 4])[np.maximum(sides, 0)])
    return np.asarray(np.where(tail > 0, tail + 3 * low, 1 * low), np.intp)


def _middle(cells: Cells) -> float:
    """The middle of the skull from front to back, metres."""
    skull = cells.in_regions("head") & cells.of("face_skin")
    if not skull.any():
        return float(cells.landmarks["head"][2])
    z = cells.center[skull][:, 2]
    return (float(z.min()) + float(z.max())) / 2


def _center_x(cells: Cells) -> float:
    return float(cells.landmarks["head"][0]) if "head" in cells.landmarks else 0.0


def _half_width(cells: Cells) -> float:
    skull = cells.in_regions("head") & cells.of("face_skin")
    x: Array = cells.center[skull][:, 0]
    return float(np.ptp(x)) / 2 if len(x) else 0.0


def _is_bald(cells: Cells, head: float) -> bool:
    on_head = cells.in_regions("head")
    crown = on_head & (cells.center[:, 1] > head + 0.75 * (cells.top - head))
    total = float(cells.area[crown].sum())
    skin = float(cells.area[crown & cells.of("face_skin", "body_skin")].sum())
    return total > 0 and skin >= BALD_SKIN * total
