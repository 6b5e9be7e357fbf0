"""Hair, garments and shoes of a figure whose skin is known: large color regions by the zones that they cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import RegionTable, shades_of
from vrm_synth.parts.skin_colors import face_front
from vrm_synth.parts.sums import sum_by

UPPER = ("torso", "upper_arm", "lower_arm", "neck")
LOWER = ("hips", "upper_leg", "lower_leg")
MAIN = 0.5  # least share of a zone's surface that the main color of what covers it has
COVERED = 0.35  # least share of a zone's surface that a garment's own region covers
THIGHS_OF_SHORTS = 0.05  # least share of the thighs that shorts cover
HIPS_OF_SHORTS = 0.2  # the same of the hips
HAIR_CROWN, HAIR_BACK = 0.6, 0.5  # least share of the crown and of the back of the head that hair has
SMALLEST_HAIR = 0.02  # share of the head's surface
SLICES = 6  # heights at which the chest is looked at
OPEN = 5  # least slices at which a garment is open that is worn over another
CLOSED = 2  # most slices at which what is no such garment shows a print or a bow
OUTER_BACK = 0.6  # least share of the back that an outer garment covers


def label_hair(table: RegionTable, skin: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(R,) large and (R,) small regions of hair: of the color of crown and back of the head, which skin has not.

    skin: (R,). A small one may be a brow where nothing else speaks against it.
    """
    s, r, p = table.surface, table.regions, table.position
    none = np.zeros(len(table.area), np.bool_)
    head = s.in_zone("head")[r.triangle]
    joint = table.landmark("head")
    if joint is None or not head.any():
        return none, none
    top, middle = p[head][:, 1].max(), float(np.median(p[head][:, 2]))
    level = (p[:, 1] - joint[1]) / max(top - joint[1], 1e-9)
    crown = head & (level > 0.75)
    back = head & (level > 0.3) & (level < 0.75) & (p[:, 2] < middle)
    shares = [sum_by(r.color[m], table.weight[m], len(r.palette)) for m in (crown, back)]
    shares = [x / max(float(x.sum()), 1e-12) for x in shares]
    main = int(shares[1].argmax())
    colors = shades_of(r.palette.lab, np.array([main]))
    if shares[0][colors].sum() < HAIR_CROWN or shares[1][colors].sum() < HAIR_BACK:
        return none, none
    on_face = set(np.unique(r.cluster[skin]).tolist())
    if main in on_face:
        return none, none
    large = table.area >= SMALLEST_HAIR * table.weight[head].sum()
    mostly = table.in_zones("head", "neck") >= 0.5 * table.area
    hair = np.isin(r.cluster, colors) & ~skin & mostly
    return hair & large, hair & ~large & _own_locks(table, skin)


def _own_locks(table: RegionTable, skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(R,) regions of pieces of surface without skin, off the face: of hair's color they are locks and no brows."""
    r, s = table.regions, table.surface
    piece = s.piece[r.triangle]
    count = int(piece.max(initial=-1)) + 1
    bare = sum_by(piece, r.area * skin[r.region], count) > 0.02 * sum_by(piece, r.area, count)
    first = np.unique(r.region, return_index=True)[1]
    face = face_front(table) & skin[r.region]
    low, high = table.position[face][:, :2].min(0, initial=np.inf), table.position[face][:, :2].max(0, initial=-np.inf)
    inside = (table.center[:, :2] > low) & (table.center[:, :2] < high)
    behind = table.center[:, 2] < float(np.median(table.position[s.in_zone("head")[r.triangle]][:, 2]))
    return ~bare[piece[first]] & (behind | ~inside.all(1))


def label_clothes(table: RegionTable, free: NDArray[np.bool_], skin: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(R,) part ids of the regions that are garments or shoes; 0 elsewhere.

    free: (R,) regions that may be. skin: (R,) regions of the figure's own surface.
    """
    out = np.zeros(len(table.area), np.uint8)
    off_head = free & (table.in_zones("head", "eye", "none") < 0.2 * table.area)
    _label_shoes(table, off_head, out)
    _label_lower(table, off_head & (out == 0), out)
    _label_upper(table, off_head & (out == 0), skin, out)
    _label_gloves(table, off_head & (out == 0), out)
    return out


def _label_shoes(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    of_foot = table.in_zones("foot") / np.maximum(table.area, 1e-30)
    main = free & (of_foot > 0.5)
    # Both feet: a region is one shoe or both.
    if table.cover("foot")[main].sum() >= MAIN:
        large = main & (table.cover("foot") > 0.1)
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
    on_thigh, on_shin = table.cover("upper_leg"), table.cover("lower_leg")
    at_hips = table.high[:, 1] > hip - 0.35 * thigh
    lower = legs & at_hips & (table.low[:, 1] < hip - 0.3 * thigh)
    for group in _families(table, lower):  # trouser legs may be two regions
        if on_thigh[group].sum() >= COVERED:
            out[group] = PART_IDS["lower_garment"]
            return  # what else covers legs beside trousers may be hems as well as stockings
    for group in _families(table, legs & at_hips & (table.in_zones("hips", "upper_leg") > 0.9 * table.area)):
        crosses = group & (table.low[:, 0] < 0) & (table.high[:, 0] > 0)  # a hip joint's cover is on one side alone
        hips = float(table.cover("hips")[group].sum())
        if crosses.any() and hips >= HIPS_OF_SHORTS and on_thigh[group].sum() >= THIGHS_OF_SHORTS:
            out[group] = PART_IDS["lower_garment"]
    foot = _level(table, "Foot")
    low_enough = table.low[:, 1] < knee - 0.5 * (knee - (0.0 if foot is None else foot))
    stockings = legs & ~at_hips & low_enough & (table.in_zones("hips") < 0.05 * table.area)
    for group in _families(table, stockings):
        if on_shin[group].sum() >= COVERED:
            out[group] = PART_IDS["legwear"]
            return


def _families(table: RegionTable, chosen: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """(R,) masks of the chosen regions whose colors are shades of one, the largest family first."""
    r = table.regions
    out: list[NDArray[np.bool_]] = []
    left = chosen & (table.area > 0)
    while left.any():
        largest = sum_by(r.cluster[left], table.area[left], len(r.palette)).argmax()
        family = left & np.isin(r.cluster, shades_of(r.palette.lab, np.array([largest])))
        out.append(family)
        left &= ~family
    return out


def _label_upper(table: RegionTable, free: NDArray[np.bool_], skin: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    hip, knee = _level(table, "UpperLeg"), _level(table, "LowerLeg")
    if hip is None or knee is None:
        return
    share = table.in_zones(*UPPER, "hips") / np.maximum(table.area, 1e-30)
    short = table.low[:, 1] > hip - 0.5 * (hip - knee)
    on_torso = table.cover("torso")
    families = _families(table, free & (share > 0.85) & short & (table.in_zones(*UPPER) > 0.3 * table.area))
    tops = [f for f in families if on_torso[f].sum() >= COVERED]
    if len(tops) != 1:
        return
    open_slices, back = _open_front(table, tops[0], skin)
    if open_slices >= OPEN and back >= OUTER_BACK:
        out[tops[0]] = PART_IDS["outer_garment"]
    elif open_slices <= CLOSED:
        out[tops[0]] = PART_IDS["upper_garment"]


def _open_front(table: RegionTable, top: NDArray[np.bool_], skin: NDArray[np.bool_]) -> tuple[int, float]:
    """(slices of the chest's middle where a garment under the regions `top` (R,) shows, share of the back they cover).

    The chest is cut into SLICES by height. skin: (R,) regions that are skin, which necklines show, too.
    """
    r, p = table.regions, table.position
    torso = table.surface.in_zone("torso")[r.triangle]
    low, high = (_at(table, bone) for bone in ("spine", "neck"))
    if low is None or high is None or not torso.any():
        return SLICES, 0.0
    level = np.floor((p[:, 1] - low) / max(high - low, 1e-9) / 0.85 * SLICES)
    inner = torso & (level >= 0) & (level < SLICES)
    middle = float(np.median(p[torso][:, 2]))
    own, bare = top[r.region], skin[r.region]
    half = np.abs(p[inner & own][:, 0]).max(initial=1e-9)
    front = inner & (p[:, 2] > middle) & (np.abs(p[:, 0]) < 0.12 * half)
    slices = level[front].astype(np.intp)
    total = sum_by(slices, table.weight[front], SLICES)
    under = sum_by(slices, (table.weight * ~own * ~bare)[front], SLICES)
    back = inner & (p[:, 2] < middle)
    covered = float(table.weight[back & own].sum() / max(table.weight[back].sum(), 1e-12))
    return int(((under > 0.6 * total) & (total > 0)).sum()), covered


def _label_gloves(table: RegionTable, free: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    hands = free & (table.in_zones("hand") > 0.6 * table.area)
    if table.cover("hand")[hands].sum() >= 0.8:
        out[hands] = PART_IDS["gloves"]


def _level(table: RegionTable, bone: str) -> float | None:
    """Mean height of a left and a right bone."""
    sides = [table.landmark(side + bone) for side in ("left", "right")]
    known = [float(p[1]) for p in sides if p is not None]
    return sum(known) / len(known) if known else None


def _at(table: RegionTable, bone: str) -> float | None:
    point = table.landmark(bone)
    return None if point is None else float(point[1])
