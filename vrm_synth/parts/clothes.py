"""Hair, garments and shoes of a figure whose skin is known: large color regions by the zones that they cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import RegionTable, shades_of

UPPER = ("torso", "upper_arm", "lower_arm", "neck")
LOWER = ("hips", "upper_leg", "lower_leg")
MAIN = 0.5  # least share of a zone's surface that the main color of what covers it has
COVERED = 0.4  # least share of a zone's surface that a garment's own region covers
HAIR_CROWN, HAIR_BACK = 0.6, 0.5  # least share of the crown and of the back of the head that hair has
SMALLEST_HAIR = 0.02  # share of the head's surface
FRONT_GAP = 0.5  # share of the chest's middle that is open where an outer garment is open
OUTER_BACK = 0.6  # least share of the back that an outer garment covers


def label_hair(table: RegionTable, skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(R,) regions that are hair: of the color of crown and back of the head, which skin has not. skin: (R,)."""
    s, r, p = table.surface, table.regions, table.place
    none = np.zeros(len(table.area), np.bool_)
    head = s.in_zone("head")[r.triangle]
    joint = table.landmark("head")
    if joint is None or not head.any():
        return none
    top, middle = p[head][:, 1].max(), float(np.median(p[head][:, 2]))
    level = (p[:, 1] - joint[1]) / max(top - joint[1], 1e-9)
    crown = head & (level > 0.75)
    back = head & (level > 0.3) & (level < 0.75) & (p[:, 2] < middle)
    shares = [np.bincount(r.color[m], r.area[m], len(r.palette)) for m in (crown, back)]
    shares = [x / max(float(x.sum()), 1e-12) for x in shares]
    main = shares_main = int(shares[1].argmax())
    colors = shades_of(r.palette.lab, np.array([shares_main]))
    if shares[0][colors].sum() < HAIR_CROWN or shares[1][colors].sum() < HAIR_BACK:
        return none
    on_face = set(np.unique(r.cluster[skin]).tolist())
    if main in on_face:
        return none
    large = table.area >= SMALLEST_HAIR * r.area[head].sum()
    mostly = table.in_zones("head", "neck") >= 0.5 * table.area
    return np.isin(r.cluster, colors) & ~skin & large & mostly


def label_clothes(table: RegionTable, free: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(R,) part ids of the regions that are garments or shoes; 0 elsewhere. free: (R,) regions that may be."""
    out = np.zeros(len(table.area), np.uint8)
    off_head = free & (table.in_zones("head", "eye", "none") < 0.2 * table.area)
    _label_shoes(table, off_head, out)
    _label_lower(table, off_head & (out == 0), out)
    _label_upper(table, off_head & (out == 0), out)
    _label_gloves(table, off_head & (out == 0), out)
    return out


def _cover(table: RegionTable, zone: str) -> NDArray[np.float64]:
    """(R,) share of a zone's surface that each region has."""
    return np.asarray(table.in_zones(zone) / max(float(table.surface.area[table.surface.in_zone(zone)].sum()), 1e-12))


def _label_shoes(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    of_foot = table.in_zones("foot") / np.maximum(table.area, 1e-30)
    main = free & (of_foot > 0.5)
    # Both feet: a region is one shoe or both.
    if _cover(table, "foot")[main].sum() >= MAIN:
        large = main & (_cover(table, "foot") > 0.1)
        out[large] = PART_IDS["shoes"]
        if large.any():
            top = table.high[large][:, 1].max()
            out[main & (table.high[:, 1] <= top)] = PART_IDS["shoes"]


def _label_lower(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    share = table.in_zones(*LOWER) / np.maximum(table.area, 1e-30)
    hip, knee = _level(table, "UpperLeg"), _level(table, "LowerLeg")
    if hip is None or knee is None:
        return
    thigh = hip - knee
    legs = free & (share > 0.75)
    on_thigh, on_shin = _cover(table, "upper_leg"), _cover(table, "lower_leg")
    at_hips = table.high[:, 1] > hip - 0.35 * thigh
    lower = legs & at_hips & (on_thigh >= COVERED) & (table.low[:, 1] < hip - 0.3 * thigh)
    out[lower] = PART_IDS["lower_garment"]
    if lower.any():  # what else covers legs beside trousers may be hems as well as stockings
        return
    stockings = legs & ~at_hips & (on_shin >= 0.15) & (table.in_zones("hips") < 0.05 * table.area)
    if on_shin[stockings].sum() >= COVERED:
        out[stockings] = PART_IDS["legwear"]


def _label_upper(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    crotch = _level(table, "UpperLeg")
    knee = _level(table, "LowerLeg")
    if crotch is None or knee is None:
        return
    share = table.in_zones(*UPPER, "hips") / np.maximum(table.area, 1e-30)
    short = table.low[:, 1] > crotch - 0.5 * (crotch - knee)
    tops = np.flatnonzero(free & (share > 0.85) & short & (_cover(table, "torso") >= COVERED))
    if len(tops) != 1:
        return
    top = int(tops[0])
    gap, back = _open_front(table, top)
    if gap >= FRONT_GAP and back >= OUTER_BACK:
        out[top] = PART_IDS["outer_garment"]
    elif gap < 0.2:
        out[top] = PART_IDS["upper_garment"]


def _open_front(table: RegionTable, top: int) -> tuple[float, float]:
    """Share of the chest's middle that region `top` leaves open, and share of the back that it covers."""
    r, p = table.regions, table.place
    torso = table.surface.in_zone("torso")[r.triangle]
    low, high = (_at(table, bone) for bone in ("spine", "neck"))
    if low is None or high is None or not torso.any():
        return 0.0, 0.0
    inner = torso & (p[:, 1] > low + 0.2 * (high - low)) & (p[:, 1] < low + 0.8 * (high - low))
    middle = float(np.median(p[torso][:, 2]))
    half = np.abs(p[inner & (r.region == top)][:, 0]).max(initial=1e-9)
    front = inner & (p[:, 2] > middle) & (np.abs(p[:, 0]) < 0.12 * half)
    # Of cells at the same height the front one counts: shirts go on under jackets.
    if front.any():
        front &= p[:, 2] > p[front][:, 2].max() - 0.03
    back = inner & (p[:, 2] < middle)
    own = r.region == top
    open_ = float(r.area[front & ~own].sum() / max(r.area[front].sum(), 1e-12))
    return open_, float(r.area[back & own].sum() / max(r.area[back].sum(), 1e-12))


def _label_gloves(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    hands = free & (table.in_zones("hand") > 0.6 * table.area)
    if _cover(table, "hand")[hands].sum() >= 0.8:
        out[hands] = PART_IDS["gloves"]


def _level(table: RegionTable, bone: str) -> float | None:
    """Mean height of a left and a right bone."""
    sides = [table.landmark(side + bone) for side in ("left", "right")]
    known = [float(p[1]) for p in sides if p is not None]
    return sum(known) / len(known) if known else None


def _at(table: RegionTable, bone: str) -> float | None:
    point = table.landmark(bone)
    return None if point is None else float(point[1])
