"""Measures of color regions: how large they are, in which zones of the body, where, and how light."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.orthographic import visible_points
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.zones import ZONE_NAMES

SHADE_DISTANCE = 16.0  # L*a*b* distance within which a color may be another's shade
SAME_HUE = 25.0  # degrees
GRAY = 8.0  # chroma below which a color has no hue to speak of
_SEEN: WeakKeyDictionary[ColorRegions, NDArray[np.bool_]] = WeakKeyDictionary()
GRAY_DISTANCE = 12.0  # L*a*b* distance within which a gray may be another's shade


@dataclass(frozen=True, eq=False)
class RegionTable:
    """R color regions of a surface; lengths in heights of the figure, y from its lowest point.

    Areas are of what can be seen from outside: skin under clothes and the inside of a hood count nothing.

    surface, regions: what is measured.
    weight: (N,) square metres of each cell, 0 where it is hidden.
    area: (R,) square metres.
    by_zone: (R, Z) square metres in each zone.
    zone_area: (Z,) square metres of each zone.
    whole: (R,) square metres of each region, what is hidden too.
    on_head: (R,) share of that on the head.
    low, high: (R, 3) box around the regions' cells.
    center: (R, 3) mean position.
    lab: (R, 3) L*a*b*.
    position: (N, 3) position of each cell.
    """

    surface: Surface
    regions: ColorRegions
    weight: Array
    area: Array
    by_zone: Array
    zone_area: Array
    whole: Array
    on_head: Array
    low: Array
    high: Array
    center: Array
    lab: Array
    position: Array

    def in_zones(self, *names: str) -> Array:
        """(R,) square metres of each region in the named zones."""
        return np.asarray(self.by_zone[:, [ZONE_NAMES.index(n) for n in names]].sum(1))

    def cover(self, zone: str) -> Array:
        """(R,) share of a zone's surface that each region has."""
        return np.asarray(self.in_zones(zone) / max(float(self.zone_area[ZONE_NAMES.index(zone)]), 1e-12))

    def color_share(self, *names: str) -> Array:
        """(K,) share of the surface of the named zones, together, that has each color."""
        columns = [ZONE_NAMES.index(n) for n in names]
        cells = np.isin(self.surface.zone[self.regions.triangle], columns)
        total = sum_by(self.regions.color[cells], self.weight[cells], len(self.regions.palette))
        return total / max(float(total.sum()), 1e-12)

    def landmark(self, bone: str) -> Array | None:
        """(3,) position of a humanoid bone, or None where the avatar lacks it."""
        point = self.surface.landmarks.get(bone)
        return None if point is None else scaled(self.surface, point)


def region_table(surface: Surface, regions: ColorRegions) -> RegionTable:
    """Measure the regions of a surface."""
    count, zones = len(regions.cluster), len(ZONE_NAMES)
    weight = regions.area * seen_from_outside(surface, regions)
    position = scaled(surface, regions.center)
    zone = surface.zone[regions.triangle].astype(np.intp)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, regions.region, scaled(surface, regions.low))
    np.maximum.at(high, regions.region, scaled(surface, regions.high))
    area = sum_by(regions.region, weight, count)
    by_zone = sum_by(regions.region * zones + zone, weight, count * zones).reshape(count, zones)
    sums = [sum_by(regions.region, regions.area * position[:, k], count) for k in range(3)]
    whole = sum_by(regions.region, regions.area, count)
    head = surface.in_zone("head", "eye")[regions.triangle]
    return RegionTable(
        surface=surface,
        regions=regions,
        weight=weight,
        area=area,
        by_zone=by_zone,
        zone_area=by_zone.sum(0),
        whole=whole,
        on_head=sum_by(regions.region, regions.area * head, count) / np.maximum(whole, 1e-30),
        low=low,
        high=high,
        center=np.stack(sums, -1) / np.maximum(whole, 1e-30)[:, None],
        lab=regions.palette.lab[regions.cluster],
        position=position,
    )


def seen_from_outside(surface: Surface, regions: ColorRegions) -> NDArray[np.bool_]:
    """(N,) cells of which anything can be seen from outside; found once for the same regions."""
    if regions not in _SEEN:
        solid = np.bincount(regions.triangle, minlength=len(surface.area)) > 0
        _SEEN[regions] = visible_points(surface.corners, solid, regions.center, surface.top - surface.floor)
    return _SEEN[regions]


def scaled(surface: Surface, points: Array) -> Array:
    """(…, 3) world positions in heights of the figure, y from its lowest point."""
    return (points - np.array([0.0, surface.floor, 0.0])) / max(surface.top - surface.floor, 1e-9)


def shades_of(lab: Array, colors: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of the colors `lab` (K, 3) that are one of `colors`, or its lighter or darker shade, ascending."""
    out = set()
    for k in colors.tolist():
        apart = np.linalg.norm(lab - lab[k], axis=1)
        chroma = np.hypot(lab[:, 1], lab[:, 2])
        angle = np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
        turned = np.abs((angle - angle[k] + 180) % 360 - 180)
        colored = (chroma > GRAY) & (chroma[k] > GRAY) & (turned < SAME_HUE) & (apart < SHADE_DISTANCE)
        gray = (chroma <= GRAY) & (chroma[k] <= GRAY) & (apart < GRAY_DISTANCE)
        out |= set(np.flatnonzero(colored | gray).tolist()) | {k}
    return np.array(sorted(out), np.intp)
