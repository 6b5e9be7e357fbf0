"""Kinds of garments by their shape at rest: where they end on the legs, and whether they bridge them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.cells import Cells
from vrm_synth.core.transforms import Array

KNEES = ("leftLowerLeg", "rightLowerLeg")
HIPS = ("leftUpperLeg", "rightUpperLeg")
ANKLES = ("leftFoot", "rightFoot")
TRIMMED = 0.02  # share of a garment's surface beyond its end that does not count
THIGH_BAND = (0.15, 0.7)  # from hip to knee, where a skirt and trousers differ
INWARD = 0.6  # least component toward the other leg of an inner side's normal
INNER_OF_TROUSERS = 0.10  # least share of the surface in the band that faces the other leg
INNER_OF_SKIRT = 0.02  # most of a skirt's
MIDDLE_OF_SKIRT = 0.06  # least share of a skirt's surface in the band before and behind the gap of the legs


def lower_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """skirt, shorts or trousers for the cells (N,) of what is worn around the legs; "" where its shape tells none."""
    levels = _leg_levels(cells)
    if levels is None:
        return ""
    hip, knee, ankle = levels
    low = _end(cells, own, lowest=True)
    inner, middle = _sides(cells, own, hip, knee)
    if inner >= INNER_OF_TROUSERS:
        if low > knee + 0.15 * (hip - knee):
            return "shorts"
        return "trousers" if low < knee - 0.35 * (knee - ankle) else ""
    return "skirt" if inner <= INNER_OF_SKIRT and middle >= MIDDLE_OF_SKIRT else ""


def legwear_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """socks, kneehighs, thighhighs or tights by where they end above; "socks" of what ends near a border of two."""
    levels = _leg_levels(cells)
    if levels is None:
        return ""
    hip, knee, ankle = levels
    high = _end(cells, own, lowest=False)
    if float(cells.area[own & cells.in_regions("hips")].sum()) > 0.1 * float(cells.area[own].sum()):
        return "tights"
    if high > knee + 0.3 * (hip - knee):
        return "thighhighs"
    if knee - 0.3 * (knee - ankle) < high < knee + 0.1 * (hip - knee):
        return "kneehighs"
    return "socks" if high < knee + 0.1 * (hip - knee) else ""


def shoe_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """boots where they cover much of the shins, else shoes."""
    levels = _leg_levels(cells)
    if levels is None:
        return "shoes"
    _, knee, ankle = levels
    return "boots" if _end(cells, own, lowest=False) > ankle + 0.4 * (knee - ankle) else "shoes"


def outer_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """coat where it reaches the knees, jacket where it ends at the hips, else ""."""
    levels = _leg_levels(cells)
    if levels is None:
        return ""
    hip, knee, _ = levels
    low = _end(cells, own, lowest=True)
    if low < knee + 0.25 * (hip - knee):
        return "coat"
    return "jacket" if low > hip - 0.5 * (hip - knee) else ""


def one_piece_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """dress where its lower part bridges the legs, else ""."""
    return "dress" if lower_kind(cells, own) == "skirt" else ""


def upper_kind(cells: Cells, own: NDArray[np.bool_]) -> str:
    """top for whatever covers the upper body."""
    return "top"


def _leg_levels(cells: Cells) -> tuple[float, float, float] | None:
    """Heights of hips' joints, knees and ankles, metres; None where the legs do not hang."""
    hip, knee, ankle = (cells.height_of(*bones) for bones in (HIPS, KNEES, ANKLES))
    if hip is None or knee is None or ankle is None or not hip > knee > ankle:
        return None
    return hip, knee, ankle


def _end(cells: Cells, own: NDArray[np.bool_], lowest: bool) -> float:
    """Height at which the surface ends but for TRIMMED of it, metres."""
    return weighted_quantile(cells.center[own][:, 1], cells.area[own], TRIMMED if lowest else 1 - TRIMMED)


def weighted_quantile(values: Array, weight: Array, q: float) -> float:
    """The value (of N) below which the share q of the weight lies."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weight[order])
    return float(values[order][min(np.searchsorted(sums, q * sums[-1]), len(values) - 1)])


def _sides(cells: Cells, own: NDArray[np.bool_], hip: float, knee: float) -> tuple[float, float]:
    """Shares of the surface beside the thighs that face the other leg, and that lie before or behind the gap."""
    left, right = (cells.landmarks[b] for b in HIPS)
    middle, half = float(left[0] + right[0]) / 2, abs(float(left[0] - right[0])) / 2
    y = cells.center[:, 1]
    near, far = (hip - t * (hip - knee) for t in THIGH_BAND)
    band = own & (y < near) & (y > far)
    total = float(cells.area[band].sum())
    if total <= 0 or half <= 0:
        return 0.0, 0.0
    x = cells.center[band][:, 0] - middle
    n = cells.normal[band]
    area = cells.area[band]
    inward = (np.abs(x) < half) & (-n[:, 0] * np.sign(x) > INWARD)
    across = (np.abs(x) < 0.35 * half) & (np.abs(n[:, 2]) > 0.5)
    return round(float(area[inward].sum()) / total, 4), round(float(area[across].sum()) / total, 4)
