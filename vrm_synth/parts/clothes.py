"""Hair, garments and shoes of a figure whose skin is known: large color regions by the zones that they cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import RegionTable, shades_of

UPPER = ("torso", "upper_arm", "lower_arm", "neck")
LOWER = ("hips", "upper_leg", "lower_leg")
MAIN = 0.5  # least share of a zone's surface that the main color of what covers it has
COVERED = 0.35  # least share of a zone's surface that a garment's own region covers
HAIR_CROWN, HAIR_BACK = 0.6, 0.5  # least share of the crown and of the back of the head that hair has
BIN_DEGREES = 20.0  # directions closer than this are one
OUTERMOST = 0.93  # least distance from the head's middle of what is seen in a direction, as a share of the farthest
SMALLEST_HAIR = 0.02  # share of the head's surface
FRONT_GAP = 0.5  # share of the chest's middle that is open where an outer garment is open
CLOSED = 0.2  # largest such share of a garment that is closed
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
    outer = _outermost(p, head, np.array([joint[0], joint[1] + 0.4 * (top - joint[1]), middle]))
    crown = outer & (level > 0.75)
    back = outer & (level > 0.3) & (level < 0.75) & (p[:, 2] < middle)
    shares = [np.bincount(r.color[m], r.area[m], len(r.palette)) for m in (crown, back)]
    shares = [x / max(float(x.sum()), 1e-12) for x in shares]
    main = int(shares[1].argmax())
    colors = shades_of(r.palette.lab, np.array([main]))
    if shares[0][colors].sum() < HAIR_CROWN or shares[1][colors].sum() < HAIR_BACK:
        return none
    on_face = set(np.unique(r.cluster[skin]).tolist())
    if main in on_face:
        return none
    large = table.area >= SMALLEST_HAIR * r.area[head].sum()
    mostly = table.in_zones("head", "neck") >= 0.5 * table.area
    return np.isin(r.cluster, colors) & ~skin & large & mostly


def _outermost(place: Array, chosen: NDArray[np.bool_], center: Array) -> NDArray[np.bool_]:
    """(N,) cells of `chosen` that no other one hides from outside: the farthest ones in each direction."""
    away = place - center
    distance = np.linalg.norm(away, axis=1)
    up = np.degrees(np.arcsin(np.clip(away[:, 1] / np.maximum(distance, 1e-9), -1, 1)))
    around = np.degrees(np.arctan2(away[:, 0], away[:, 2]))
    step = (np.floor((up + 90) / BIN_DEGREES) * 100 + np.floor((around + 180) / BIN_DEGREES)).astype(np.intp)
    farthest = np.zeros(int(step.max(initial=0)) + 1)
    np.maximum.at(farthest, step[chosen], distance[chosen])
    return chosen & (distance >= OUTERMOST * farthest[step])


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
    lower = legs & at_hips & (table.low[:, 1] < hip - 0.3 * thigh)
    for group in _families(table, lower):  # trouser legs may be two regions
        if on_thigh[group].sum() >= COVERED:
            out[group] = PART_IDS["lower_garment"]
            return  # what else covers legs beside trousers may be hems as well as stockings
    stockings = legs & ~at_hips & (table.in_zones("hips") < 0.05 * table.area)
    for group in _families(table, stockings):
        if on_shin[group].sum() >= COVERED:
            out[group] = PART_IDS["legwear"]
            return


def _families(table: RegionTable, chosen: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """(R,) masks of the chosen regions whose colors are shades of one, the largest family first."""
    left, out = chosen.copy(), []
    while left.any():
        by_color = np.bincount(table.regions.cluster[left], table.area[left], len(table.regions.palette))
        family = left & np.isin(table.regions.cluster, shades_of(table.regions.palette.lab, by_color.argmax()[None]))
        out.append(family)
        left &= ~family
    return out


def _label_upper(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    hip, knee = _level(table, "UpperLeg"), _level(table, "LowerLeg")
    if hip is None or knee is None:
        return
    share = table.in_zones(*UPPER, "hips") / np.maximum(table.area, 1e-30)
    short = table.low[:, 1] > hip - 0.5 * (hip - knee)
    on_torso = _cover(table, "torso")
    families = _families(table, free & (share > 0.85) & short & (table.in_zones(*UPPER) > 0.3 * table.area))
    tops = [f for f in families if on_torso[f].sum() >= COVERED]
    if len(tops) != 1:
        return
    gap, back = _open_front(table, tops[0])
    if gap >= FRONT_GAP and back >= OUTER_BACK:
        out[tops[0]] = PART_IDS["outer_garment"]
    elif gap < CLOSED:
        out[tops[0]] = PART_IDS["upper_garment"]


def _open_front(table: RegionTable, top: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of the chest's middle that the regions `top` (R,) leave open, and share of the back that they cover."""
    r, p = table.regions, table.place
    torso = table.surface.in_zone("torso")[r.triangle]
    low, high = (_at(table, bone) for bone in ("spine", "neck"))
    if low is None or high is None or not torso.any():
        return 0.0, 0.0
    inner = torso & (p[:, 1] > low + 0.2 * (high - low)) & (p[:, 1] < low + 0.8 * (high - low))
    middle = float(np.median(p[torso][:, 2]))
    own = top[r.region]
    half = np.abs(p[inner & own][:, 0]).max(initial=1e-9)
    front = inner & (p[:, 2] > middle) & (np.abs(p[:, 0]) < 0.12 * half)
    # Of cells at the same height the front one counts: shirts go on under jackets.
    if front.any():
        front &= p[:, 2] > p[front][:, 2].max() - 0.03
    back = inner & (p[:, 2] < middle)
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
