"""Measures of color regions: how large they are, in which zones of the body, where, and how light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.surface import ZONE_NAMES, Surface

SHADE_DISTANCE = 16.0  # L*a*b* distance within which a color may be another's shade
SAME_HUE = 25.0  # degrees
GRAY = 8.0  # chroma below which a color has no hue to speak of
GRAY_DISTANCE = 12.0  # L*a*b* distance within which a gray may be another's shade


@dataclass(frozen=True, eq=False)
class RegionTable:
    """R color regions of a surface; lengths in heights of the figure, y from its lowest point.

    surface, regions: what is measured.
    area: (R,) square metres.
    by_zone: (R, Z) square metres in each zone.
    low, high: (R, 3) box around the regions' cells.
    center: (R, 3) mean position.
    lab: (R, 3) L*a*b*.
    place: (N, 3) position of each cell.
    share: (K, Z) share of each zone's surface that has each color.
    """

    surface: Surface
    regions: ColorRegions
    area: Array
    by_zone: Array
    low: Array
    high: Array
    center: Array
    lab: Array
    place: Array
    share: Array

    def in_zones(self, *names: str) -> Array:
        """(R,) square metres of each region in the named zones."""
        return self.by_zone[:, [ZONE_NAMES.index(n) for n in names]].sum(1)

    def color_share(self, *names: str) -> Array:
        """(K,) share of the surface of the named zones, together, that has each color."""
        columns = [ZONE_NAMES.index(n) for n in names]
        cells = np.isin(self.surface.zone[self.regions.triangle], columns)
        total = np.bincount(self.regions.color[cells], self.regions.area[cells], len(self.regions.palette))
        return total / max(float(total.sum()), 1e-12)

    def landmark(self, bone: str) -> Array | None:
        """(3,) position of a humanoid bone, or None where the avatar lacks it."""
        point = self.surface.landmarks.get(bone)
        return None if point is None else scaled(self.surface, point)


def region_table(surface: Surface, regions: ColorRegions) -> RegionTable:
    """Measure the regions of a surface."""
    count, zones, colors = len(regions.cluster), len(ZONE_NAMES), len(regions.palette)
    place = scaled(surface, regions.center)
    zone = surface.zone[regions.triangle].astype(np.intp)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, regions.region, scaled(surface, regions.low))
    np.maximum.at(high, regions.region, scaled(surface, regions.high))
    area = np.bincount(regions.region, regions.area, count)
    by_zone = np.bincount(regions.region * zones + zone, regions.area, count * zones).reshape(count, zones)
    sums = [np.bincount(regions.region, regions.area * place[:, k], count) for k in range(3)]
    by_color = np.bincount(regions.color * zones + zone, regions.area, colors * zones).reshape(colors, zones)
    return RegionTable(
        surface=surface,
        regions=regions,
        area=area,
        by_zone=by_zone,
        low=low,
        high=high,
        center=np.stack(sums, -1) / np.maximum(area, 1e-30)[:, None],
        lab=regions.palette.lab[regions.cluster],
        place=place,
        share=by_color / np.maximum(np.bincount(surface.zone, surface.area, zones), 1e-12),
    )


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
