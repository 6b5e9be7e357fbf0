"""Which regions of a body a picture shows, by their pixels: the counted ones, against those of the region unhidden."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.surface_groups import REGION_OF_BONE, region_name
from vrm_synth.camera.framing import project
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.pose.phrases import REGIONS
from vrm_synth.shot.body_parts import BodyParts

# Least pixels of a region for it to be spoken of, of a picture of 512 × 512.
MIN_PIXELS = {"Hand": 60, "Foot": 60, "LowerArm": 80, "UpperArm": 80, "LowerLeg": 100, "UpperLeg": 120}
MIN_MIDDLE_PIXELS = 150  # the same of the head, the neck, the torso and the hips
MIN_SHARE = 0.4  # least part of the pixels that a region would have if nothing hid or cut it
MIN_MIDDLE_SHARE = 0.25  # the same of the middle regions, which hair and arms cover in part
SAMPLES = 64  # triangles of a region whose pixels are estimated
DIRECTIONS = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)])  # (2, 16)


@dataclass(frozen=True, eq=False)
class _Patch:
    """Triangles sampled from a region by their area at rest: K of them.

    corners: (K, 3) indices of vertices. area: (K,) their own square metres; each stands for `each` of them.
    """

    corners: NDArray[np.intp]
    area: Array
    each: float


_PATCHES: WeakKeyDictionary[BodyParts, dict[str, _Patch]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class VisibleRegions:
    """The regions of the body in one picture."""

    drawn: DrawnBody

    def shows(self, bone: str) -> bool:
        """True where the picture shows enough of a bone's region (a finger's is its hand), or of a phrase's region:
        of the torso, of one of the legs, of a palm's hand."""
        if bone == "legs":
            return any(self.shows(b) for b in REGIONS[bone])
        region = _region_of(bone)
        least, share = thresholds(region)
        return self.pixels(region) >= least * self.drawn.scale and self.share(region) >= share

    def pixels(self, region: str) -> float:
        """Pixels that show the region."""
        return self.drawn.pixels.by_region.get(region, 0.0)

    def share(self, region: str) -> float:
        """The region's pixels, as a part of those that it would have if nothing hid or cut it; 0 where it has no
        surface."""
        if region not in self._shares:
            expected = self._expected(region)
            self._shares[region] = round(self.pixels(region) / expected, 4) if expected > 0 else 0.0
        return self._shares[region]

    @cached_property
    def _shares(self) -> dict[str, float]:
        return {}

    def _expected(self, region: str) -> float:
        # A closed surface covers half of what its triangles cover each by itself; layers of cloth cover more than
        # once, so that what lies between the outermost points is an upper bound.
        view = self.drawn.view
        patch = _patches(view.parts).get(region)
        if patch is None:
            return 0.0
        projected = project(view.camera, view.aspect, view.vertices[patch.corners].reshape(-1, 3))
        if (projected[:, 2] <= view.camera.near).any():  # around the camera: larger than any picture
            return float("inf")
        points = (projected[:, :2] * (np.asarray(view.size) / 2)).reshape(-1, 3, 2)
        one, two = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
        covered = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
        by_area = float((covered / patch.area).sum()) * patch.each / 2
        flat = points.reshape(-1, 2)
        hull = flat[(flat @ DIRECTIONS).argmax(0)]
        after = np.roll(hull, -1, 0)
        by_outline = float(np.abs((hull[:, 0] * after[:, 1] - hull[:, 1] * after[:, 0]).sum())) / 2
        return min(by_area, by_outline)


def thresholds(region: str) -> tuple[float, float]:
    """Least pixels (at 512²) and least share of a region that is spoken of."""
    for limb, pixels in MIN_PIXELS.items():
        if region.endswith(limb):
            return pixels, MIN_SHARE
    return MIN_MIDDLE_PIXELS, MIN_MIDDLE_SHARE


def _region_of(bone: str) -> str:
    if bone in REGIONS:
        bone = REGIONS[bone][-1]
    return REGION_OF_BONE[bone]


def _patches(parts: BodyParts) -> dict[str, _Patch]:
    if parts not in _PATCHES:
        _PATCHES[parts] = _sample(parts)
    return _PATCHES[parts]


def _sample(parts: BodyParts) -> dict[str, _Patch]:
    regions = sorted(set(REGION_OF_BONE.values()))
    number = np.array([regions.index(region_name(b)) for b in range(len(BONE_NAMES))] + [-1])
    of_triangle = number[parts.bone[parts.triangles[:, 0]]]
    corners = parts.rest[parts.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    patches = {}
    for r, region in enumerate(regions):
        own = np.flatnonzero((of_triangle == r) & (area > 0))
        if not len(own):
            continue
        up_to = np.cumsum(area[own])
        places = (np.arange(SAMPLES) + 0.5) / SAMPLES * up_to[-1]
        chosen = own[np.minimum(np.searchsorted(up_to, places), len(own) - 1)]
        patches[region] = _Patch(parts.triangles[chosen], area[chosen], float(up_to[-1]) / SAMPLES)
    return patches
